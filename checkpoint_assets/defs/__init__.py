"""The Dagster side: assets, checks, resources, IO manager, jobs. Thin on purpose."""
