"""Partitions follow what is left of their scenarios."""

import dagster as dg

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.storage.blocking import SyncStorageManager


def retire_partitions(
    instance: dg.DagsterInstance, storage: SyncStorageManager, setup: CaptureSetup
) -> list[str]:
    """No partition is without both a file and a session any more; those that went.

    A scenario with a file can be captured again, one with sessions still has something to show.
    While a file cannot be read nothing goes: it may be that of any of them.
    """
    name = scenario_partitions.name or ""
    folder = setup.look()
    if folder.problems:
        return []
    without_file = set(instance.get_dynamic_partitions(name)) - {s.name for s in folder.scenarios}
    if not without_file:
        return []
    rows = SyncCatalogue(storage).sessions(
        columns=["scenario"], filters=[("scenario", "in", without_file)]
    )
    retired = sorted(without_file - set(rows["scenario"]))
    for scenario in retired:
        instance.delete_dynamic_partition(name, scenario)
    return retired
