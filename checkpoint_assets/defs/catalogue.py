"""The catalogue as pandas frames."""

import dagster as dg
import pandas as pd

from checkpoint_assets.catalogue.rows import step_catalog as read_step_catalog
from checkpoint_assets.defs.resources import StorageResource


@dg.asset(
    group_name="catalogue",
    io_manager_key="checkpoint_io_manager",
    deps=[dg.AssetDep("capture_session", partition_mapping=dg.AllPartitionMapping())],
    kinds={"pandas", "parquet"},
)
def step_catalog(context: dg.AssetExecutionContext, storage: StorageResource) -> pd.DataFrame:
    """One row per stored step of every session."""
    frame = storage.manager.call(read_step_catalog)
    context.add_output_metadata(
        {
            "sessions": int(frame["session_id"].nunique()),
            "columns": dg.MetadataValue.table_schema(
                dg.TableSchema(
                    [dg.TableColumn(str(name), str(kind)) for name, kind in frame.dtypes.items()]
                )
            ),
        }
    )
    return frame
