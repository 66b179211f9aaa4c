"""What the asset checks ask of a session, each by its name. The library judges."""

import os
from functools import partial

import dagster as dg

from checkpoint_assets.collection.prerequisites import secret_values, served_site
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.defs.session_events import sessions_of_scenario
from checkpoint_assets.model.errors import CheckpointError, InvalidInput, NotFound
from checkpoint_assets.processing.checks.drift import judge_drift
from checkpoint_assets.processing.checks.integrity import judge_integrity
from checkpoint_assets.processing.checks.screenshots import judge_screenshots
from checkpoint_assets.processing.checks.secrets import judge_secrets
from checkpoint_assets.processing.checks.settling import judge_settling
from checkpoint_assets.processing.checks.verdict import Verdict
from checkpoint_assets.storage.blocking import SyncStorageManager

# Of this program itself; shorter ones are made up, and would be found everywhere.
_CREDENTIALS = ("BROWSERBASE_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_CREDENTIAL_LENGTH = 16
# Sessions before it that are looked for: some may have been deleted.
_LOOK_BACK = 20


class Judges:
    """The checks of stored sessions, with the thresholds of the settings."""

    def __init__(
        self, storage: SyncStorageManager, setup: CaptureSetup, instance: dg.DagsterInstance
    ) -> None:
        self._storage = storage
        self._setup = setup
        self._limits = setup.settings.checks
        self._instance = instance
        self._checks = {
            "integrity": self._integrity,
            "blank_screenshots": self._screenshots,
            "settle_and_consistency": self._settling,
            "secrets_canary": self._secrets,
            "drift": self._drift,
        }

    def judge(self, check: str, session_id: str) -> Verdict:
        """What the check says of the session. What cannot be looked at does not pass."""
        try:
            return self._checks[check](session_id)
        except CheckpointError as err:
            return Verdict(False, {"not_judged": str(err)})

    def _integrity(self, session_id: str) -> Verdict:
        return self._storage.call(judge_integrity, session_id, self._limits.sample)

    def _screenshots(self, session_id: str) -> Verdict:
        limits = self._limits
        return self._storage.call(judge_screenshots, session_id, limits.blank, limits.unchanged)

    def _settling(self, session_id: str) -> Verdict:
        limits = self._limits
        return self._storage.call(judge_settling, session_id, limits.unsettled, limits.inconsistent)

    def _secrets(self, session_id: str) -> Verdict:
        scenario = self._storage.get_manifest(session_id).scenario
        count = partial(_count, Redactor(self._known_secrets(scenario)))
        return self._storage.call(judge_secrets, session_id, count, self._limits.canaries)

    def _drift(self, session_id: str) -> Verdict:
        before = self._session_before(session_id)
        if before is None:
            return Verdict(True, {"against": None})
        limits = self._limits
        return self._storage.call(
            judge_drift, session_id, before, limits.drift_pixels, limits.drift_dom
        )

    def _session_before(self, session_id: str) -> str | None:
        """The scenario's last complete session before this one that is still there."""
        scenario = self._storage.get_manifest(session_id).scenario
        for other in sessions_of_scenario(self._instance, scenario or "", _LOOK_BACK):
            try:
                if other < session_id and self._storage.get_manifest(other):
                    return other
            except NotFound:
                continue  # deleted
        return None

    def _known_secrets(self, name: str | None) -> set[str]:
        """Those of the scenario, and the credentials of this program."""
        given = {os.environ.get(credential, "") for credential in _CREDENTIALS}
        known = {value for value in given if len(value) >= _CREDENTIAL_LENGTH}
        try:
            scenario = self._setup.scenario(name or "")
            known |= scenario.literal_secrets()
            if scenario.secret_names():
                with served_site(scenario, self._setup.open_site) as site:
                    known |= set(secret_values(scenario, os.environ, site).values())
        except InvalidInput:
            # The file is gone, or a secret of it is not set here: they cannot be looked for.
            return known
        return known


def _count(redactor: Redactor, text: str) -> int:
    before = redactor.count
    redactor.text(text)
    return redactor.count - before
