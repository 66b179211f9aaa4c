"""The catalogue as pandas frames."""

import dagster as dg
import pandas as pd

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.errors import NotSupported, StoreUnavailable
from checkpoint_assets.storage.blocking import SyncStorageManager

GROUP = "catalogue"


@dg.asset(
    group_name=GROUP,
    io_manager_key="checkpoint_io_manager",
    deps=[dg.AssetDep("capture_session", partition_mapping=dg.AllPartitionMapping())],
    kinds={"pandas", "parquet"},
)
def step_catalog(context: dg.AssetExecutionContext, storage: StorageResource) -> pd.DataFrame:
    """One row per stored step of every session. Folds what runs have appended."""
    catalogue = SyncCatalogue(storage.manager)
    try:
        catalogue.refresh()
    except NotSupported as err:
        context.log.warning("the catalogue is read from what runs have appended alone: %s", err)
    frame = catalogue.steps()
    context.add_output_metadata(
        {"sessions": int(frame["session_id"].nunique()), "columns": _columns(frame)}
    )
    return frame


@dg.asset(
    group_name=GROUP,
    io_manager_key="checkpoint_io_manager",
    deps=["step_catalog"],
    kinds={"pandas", "parquet"},
)
def session_catalog(context: dg.AssetExecutionContext, storage: StorageResource) -> pd.DataFrame:
    """One row per session: its state, size, scenario, expiry and pin."""
    frame = SyncCatalogue(storage.manager).sessions()
    context.add_output_metadata({"columns": _columns(frame)})
    return frame


def append_to_catalogue(
    context: dg.AssetExecutionContext, storage: SyncStorageManager, session_id: str
) -> None:
    """The catalogue has the session. While the store is away a rebuild has to make up for it."""
    try:
        SyncCatalogue(storage).append_session(session_id, context.run.run_id)
    except StoreUnavailable as err:
        # The session itself is safe in the spool: a capture does not fail by its table of contents.
        context.log.warning("session %s is not in the catalogue yet: %s", session_id, err)


def _columns(frame: pd.DataFrame) -> dg.TableSchemaMetadataValue:
    return dg.MetadataValue.table_schema(
        dg.TableSchema(
            [dg.TableColumn(str(name), str(kind)) for name, kind in frame.dtypes.items()]
        )
    )
