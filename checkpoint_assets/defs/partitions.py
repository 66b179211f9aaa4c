"""One partition is one scenario; one materialization of it is one session."""

import dagster as dg

scenario_partitions = dg.DynamicPartitionsDefinition(name="scenarios")
