"""Asset checks of captured sessions, beside the one that says whether every step is there.

None of them stops a run: the session is stored whatever they say. What is broken is an error, what
somebody should look at a warning. The thresholds are ``checks`` in the settings.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from checkpoint_assets.defs.judges import Judges
from checkpoint_assets.defs.resources import CaptureSetup, StorageResource
from checkpoint_assets.defs.session_events import captured_sessions
from checkpoint_assets.processing.checks.verdict import MOST_NAMED, Verdict
from checkpoint_assets.storage.blocking import SyncStorageManager

CHECKS = {
    "integrity": (
        "capture_session",
        "Every file has the size, and a sample the bytes, that were committed. Else an error.",
    ),
    "blank_screenshots": (
        "screenshots",
        "The pictures show something, and change. All of them blank is an error, else a warning.",
    ),
    "settle_and_consistency": (
        "capture_session",
        "Pages came to rest in time, and page and picture show the same instant. Else a warning.",
    ),
    "secrets_canary": (
        "capture_session",
        "No known secret was stored (else an error), and nothing that looks like one (a warning).",
    ),
    "drift": (
        "capture_session",
        "Pixels and DOM are as in the scenario's session before, within limits. Else a warning.",
    ),
}


class ChecksConfig(dg.Config):
    """Which sessions are looked at."""

    sessions: list[str] = Field(
        default=[],
        description="Session ids; else those that the run captured, or the newest one.",
    )


@dg.multi_asset_check(
    name="session_checks",
    specs=[
        dg.AssetCheckSpec(name, asset=asset, description=description)
        for name, (asset, description) in CHECKS.items()
    ],
    can_subset=True,
)
def session_checks(
    context: dg.AssetCheckExecutionContext,
    config: ChecksConfig,
    storage: StorageResource,
    setup: dg.ResourceParam[CaptureSetup],
) -> Iterator[dg.AssetCheckResult]:
    """Judge each session by each check that was selected."""
    sessions = config.sessions or captured_sessions(context.instance, context.run.run_id)
    if not sessions:
        raise dg.Failure("there is no session yet: capture one", allow_retries=False)
    judges = Judges(storage.manager, setup, context.instance)
    for check in sorted(context.selected_asset_check_keys):
        yield check_result(judges, check, sessions)


def tell_checks(
    context: dg.AssetExecutionContext,
    storage: SyncStorageManager,
    setup: CaptureSetup,
    sessions: Sequence[str],
) -> None:
    """The same, told by a run over many scenarios: Dagster would skip the checks after it.

    It gives no output for the checks to follow, but logs each session's materialization itself.
    """
    judges = Judges(storage, setup, context.instance)
    selected = {key.to_user_string() for key in context.selected_asset_keys}
    for name, (asset, _) in CHECKS.items():
        if asset not in selected or not sessions:
            continue
        check = dg.AssetCheckKey(dg.AssetKey(asset), name)
        result = check_result(judges, check, sessions)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=result.passed,
            severity=result.severity,
            metadata=result.metadata,
        )
        # Taken by Dagster, and missing from the type of what it takes.
        context.log_event(evaluation)  # pyright: ignore[reportArgumentType]


def check_result(
    judges: Judges, check: dg.AssetCheckKey, sessions: Sequence[str]
) -> dg.AssetCheckResult:
    """What the check says of all the sessions together."""
    verdicts = {session_id: judges.judge(check.name, session_id) for session_id in sessions}
    failed = [verdict for verdict in verdicts.values() if not verdict.passed]
    serious = any(verdict.serious for verdict in failed)
    return dg.AssetCheckResult(
        check_name=check.name,
        asset_key=check.asset_key,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if serious else dg.AssetCheckSeverity.WARN,
        metadata=_metadata(verdicts),
    )


def _metadata(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Numbers of a single session are values of their own, which the UI plots."""
    worst_first = sorted(verdicts.items(), key=lambda item: item[1].passed)
    shown = {session_id: verdict.facts for session_id, verdict in worst_first[:MOST_NAMED]}
    metadata: dict[str, Any] = {
        "sessions": len(verdicts),
        "failed": sum(not verdict.passed for verdict in verdicts.values()),
        "found": dg.MetadataValue.json(shown),
    }
    if len(verdicts) == 1:
        facts = worst_first[0][1].facts
        metadata |= {name: value for name, value in facts.items() if type(value) in (int, float)}
    picture = next((verdict.picture for _, verdict in worst_first if verdict.picture), None)
    if picture is not None:
        # Encoded by us, and the only Markdown here: nothing that a page says is in it.
        data = base64.b64encode(picture).decode()
        metadata["difference"] = dg.MetadataValue.md(
            f"![what changed](data:image/jpeg;base64,{data})"
        )
    return metadata
