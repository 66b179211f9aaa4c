"""A project in a temporary folder: scenarios, a real store, real runs of the definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from checkpoint_assets.config import Settings
from checkpoint_assets.definitions import build_definitions
from checkpoint_assets.defs.capture_runs import register_scenarios
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.testing.sites import open_site
from checkpoint_assets_tests.pages import HERMETIC

VISIT = """\
name: shop-visit
site: demo
steps:
  - goto: /
  - fill: {selector: "#q", text: cup}
"""
# A page of its own is captured in a blink.
NOTE = """\
name: note
site: pages
steps:
  - goto: /note.html
"""
NOTE_PAGE = "<!doctype html><title>A note</title><p>Kettle on.</p>"


class Project:
    """A folder of scenarios, a local store and an instance, and the runs of the real definitions.

    ``setup.events`` can be listened to; ``add`` writes a scenario file and registers its name.
    """

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.scenarios = folder / "scenarios"
        self.store = folder / "store"
        (self.scenarios / "pages").mkdir(parents=True)
        (self.scenarios / "pages" / "note.html").write_text(NOTE_PAGE)
        self.instance = instance
        self.settings = Settings(
            scenarios=self.scenarios,
            storage_url=self.store.as_uri(),
            chromium_arguments=(HERMETIC,),
        )
        self.setup = CaptureSetup(self.settings, open_site)
        self.storage = SyncStorageManager(self.store.as_uri())

    def add(self, text: str) -> str:
        """The name of the scenario that the text describes, ready to be captured."""
        name = text.split()[1]
        (self.scenarios / f"{name}.yaml").write_text(text)
        register_scenarios(self.instance, [name])
        return name

    def definitions(self, *assets: dg.AssetsDefinition) -> dg.Definitions:
        """The project's, and these."""
        own = build_definitions(self.settings, overrides={"setup": self.setup})
        return dg.Definitions.merge(own, dg.Definitions(assets=assets))

    def capture(self, name: str, **options: Any) -> dg.ExecuteInProcessResult:
        """A run of ``capture_job`` for the scenario."""
        job = self.definitions().resolve_job_def("capture_job")
        return job.execute_in_process(
            instance=self.instance, partition_key=name, raise_on_error=False, **options
        )

    def materialize(
        self, *assets: dg.AssetsDefinition, names: list[str] | None = None, key: str | None = None
    ) -> dg.ExecuteInProcessResult:
        """A run that materializes these assets of the test, or the project's of these names."""
        keys = [dg.AssetKey(name) for name in names or []]
        job = self.definitions(*assets).resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            partition_key=key,
            asset_selection=keys or [asset.key for asset in assets],
            raise_on_error=False,
        )

    def sessions(self) -> list[SessionManifest]:
        """The manifests of all stored sessions, oldest first."""
        return [self.storage.get_manifest(session) for session in self.storage.iter_sessions()]

    def files(self, session_id: str) -> set[str]:
        """The names of the session's files."""
        return {path.name for path in (self.store / session_id).iterdir()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the failed run says went wrong."""
    assert not result.success
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return "\n".join(error.to_string() for error in errors if error is not None)


def capture_job(scenarios: str, storage_url: str) -> dg.JobDefinition:
    """As a process of its own loads it."""
    return _definitions(scenarios, storage_url).resolve_job_def("capture_job")


def spread_job(scenarios: str, storage_url: str) -> dg.JobDefinition:
    """A capture and what is made of it, each in a process of its own."""
    job = dg.define_asset_job(
        "spread", selection=["*step_text", "*session_report"], executor_def=dg.multiprocess_executor
    )
    own = _definitions(scenarios, storage_url)
    return dg.Definitions.merge(own, dg.Definitions(jobs=[job])).resolve_job_def("spread")


def _definitions(scenarios: str, storage_url: str) -> dg.Definitions:
    settings = Settings(
        scenarios=Path(scenarios), storage_url=storage_url, chromium_arguments=(HERMETIC,)
    )
    return build_definitions(settings)
