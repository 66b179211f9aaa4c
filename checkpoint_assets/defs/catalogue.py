"""The catalogue as pandas frames."""

import dagster as dg
import pandas as pd

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.failures import failures_by_kind
from checkpoint_assets.defs.resources import StorageResource
from checkpoint_assets.model.errors import NotSupported, StoreUnavailable
from checkpoint_assets.storage.blocking import SyncStorageManager

GROUP = "catalogue"
# The UI loads every one of them with the event: a look, not the data.
_MOST_SHOWN = 20


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


@dg.op(description="Reads every session of the store, and publishes the catalogue anew.")
def rebuild_catalogue(context: dg.OpExecutionContext, storage: StorageResource) -> None:
    """Fails, after the others were published, if a session could not be read: its rows stay."""
    with failures_by_kind():
        report = SyncCatalogue(storage.manager).rebuild()
    failed = {name: str(error) for name, error in [*report.failed.items()][:_MOST_SHOWN]}
    metadata = {
        "sessions": report.sessions,
        "steps": report.published.steps,
        "failed": dg.MetadataValue.json(failed),
    }
    context.add_output_metadata(metadata)
    if report.failed:
        raise dg.Failure(
            f"{len(report.failed)} sessions could not be read: verify_job tells more",
            metadata=metadata,
            allow_retries=False,
        )


@dg.job(
    name="catalogue_rebuild_job",
    executor_def=dg.in_process_executor,
    description=(
        "Makes the catalogue anew from the store, whatever state it is in, while captures and "
        "readers go on. For a damaged catalogue, or sessions that were stored by other means."
    ),
)
def catalogue_rebuild_job() -> None:
    """One op."""
    rebuild_catalogue()


def append_to_catalogue(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    storage: SyncStorageManager,
    session_id: str,
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
