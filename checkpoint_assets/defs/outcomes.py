"""What becomes of each scenario of a capture run."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from checkpoint_assets.collection.batch import Captured
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.defs.capture_config import CaptureConfig
from checkpoint_assets.defs.catalogue import append_to_catalogue
from checkpoint_assets.defs.earlier_attempts import EarlierAttempts
from checkpoint_assets.defs.failures import as_dagster
from checkpoint_assets.defs.progress import log_steps
from checkpoint_assets.defs.resources import BrowserResource, CaptureSetup
from checkpoint_assets.defs.session_metadata import session_metadata
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.completeness import incomplete_steps


@dataclass(frozen=True)
class Outcome:
    """A scenario's session and what is missing of it, or the error that there is none by."""

    scenario: str
    path: str | None = None
    manifest: SessionManifest | None = None
    missing: Mapping[str, str] = field(default_factory=dict[str, str])
    error: CheckpointError | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the session is complete, with everything stored."""
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Why the session is not whole."""
        if self.error is not None:
            return str(self.error)
        if self.manifest is None or self.manifest.state is not SessionState.COMPLETE:
            reason = self.manifest and self.manifest.reason
            return f"{self.path}, {reason or 'not complete'}"
        if self.missing:
            return f"session {self.manifest.session_id} is not whole"
        return None

    def as_json(self) -> dict[str, Any]:
        """State, session and what is missing, for the metadata of a check or a failure."""
        return {
            "state": str(self.manifest.state) if self.manifest else "failed",
            "session_id": self.manifest and self.manifest.session_id,
            "missing": dict(self.missing),
            "reason": self.reason,
        }


class CaptureRun:
    """The captures of one run: each scenario once, several at a time."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        config: CaptureConfig,
        storage: SyncStorageManager,
        setup: CaptureSetup,
        artifacts: Collection[Artifact],
        before: EarlierAttempts,
    ) -> None:
        self._context = context
        self._config = config
        self._storage = storage
        self._setup = setup
        self._artifacts = artifacts
        self._before = before

    def outcomes(self, browser: BrowserResource) -> Iterator[Outcome]:
        """In the order in which the sessions end; those of earlier attempts are not done again."""
        folder = self._setup.look()
        missing: list[Scenario] = []
        for name in self._context.partition_keys:
            try:
                scenario = self._config.applied_to(self._setup.scenario(name, folder))
            except CheckpointError as err:
                yield Outcome(name, error=err)
                continue
            done = self._before.sessions.get(name)
            if done is not None and self._would_be_same(done, scenario):
                self._context.log.info("%s: session %s is there", name, done.session_id)
                yield self._judge(Captured(scenario, done))
            else:
                missing.append(scenario)
        if missing:
            yield from self._capture(missing, browser)

    def _capture(
        self, scenarios: Sequence[Scenario], browser: BrowserResource
    ) -> Iterator[Outcome]:
        limits = self._setup.settings.browsers
        with (
            browser.collector(self._storage, self._setup) as collector,
            log_steps(self._context, self._setup.events, self._setup.settings.event_log),
        ):
            for captured in collector.capture_each(
                scenarios,
                at_once=limits.size * limits.sessions,
                artifacts=self._artifacts or None,
                tags={**self._config.tags, "dagster_run_id": self._context.run.run_id},
            ):
                yield self._judge(captured)

    def _would_be_same(self, done: SessionManifest, scenario: Scenario) -> bool:
        """Whether a capture now would collect what the session has: of the same file, as much."""
        wanted = set(scenario.collect.artifacts)
        if self._artifacts:
            wanted &= {*self._artifacts, Artifact.ACTION, Artifact.METADATA}
        return done.metadata.get("scenario_digest") == scenario.digest and wanted <= {
            Artifact(name) for name in done.artifacts
        }

    def _judge(self, captured: Captured) -> Outcome:
        """The session is in the catalogue, and what is stored of it has been looked at."""
        name, path = captured.scenario.name, str(captured.scenario.path)
        manifest = captured.manifest
        if manifest is None:
            return Outcome(name, path, error=captured.error)
        try:
            append_to_catalogue(self._context, self._storage, manifest.session_id)
            missing = self._storage.call(incomplete_steps, manifest)
        except CheckpointError as err:
            return Outcome(name, path, manifest, error=err)
        return Outcome(name, path, manifest, missing)


def failure(
    outcomes: Sequence[Outcome], storage: SyncStorageManager
) -> dg.Failure | dg.RetryRequested | None:
    """How the run fails, if a session of it is not whole: each one is named."""
    failed = [outcome for outcome in outcomes if not outcome.is_whole]
    errors = [as_dagster(outcome.error) for outcome in failed if outcome.error is not None]
    retry = next((error for error in errors if isinstance(error, dg.RetryRequested)), None)
    if not failed or retry is not None:
        return retry
    if len(outcomes) == 1:
        manifest = failed[0].manifest
        return errors[0] if manifest is None or errors else _failure(failed[0], manifest, storage)
    reasons = "".join(f"\n{outcome.scenario}: {outcome.reason}" for outcome in failed)
    return dg.Failure(
        f"{len(failed)} of {len(outcomes)} scenarios failed:{reasons}",
        metadata={
            "failed": dg.MetadataValue.json({each.scenario: each.as_json() for each in failed}),
            "complete": dg.MetadataValue.int(len(outcomes) - len(failed)),
        },
        allow_retries=False,
    )


def _failure(
    outcome: Outcome, manifest: SessionManifest, storage: SyncStorageManager
) -> dg.Failure:
    """Of a session that is there and is not whole."""
    if manifest.state is SessionState.COMPLETE:
        missing = dg.MetadataValue.json(dict(outcome.missing))
        metadata: dict[str, Any] = {"session_id": manifest.session_id, "missing": missing}
    else:
        metadata = session_metadata(storage, manifest)
    return dg.Failure(outcome.reason, metadata=metadata, allow_retries=False)
