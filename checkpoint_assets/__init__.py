"""Browser sessions as durable, queryable Dagster data assets."""
