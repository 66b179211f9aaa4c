"""Check ``settle_and_consistency``: pages came to rest, and page and picture are of one instant."""

from __future__ import annotations

from typing import Any

from checkpoint_assets.processing.checks.verdict import Verdict, named, share
from checkpoint_assets.storage.completeness import step_records
from checkpoint_assets.storage.storage_manager import StorageManager


async def judge_settling(
    storage: StorageManager, session_id: str, most_unsettled: float, most_inconsistent: float
) -> Verdict:
    """At most those shares of the steps ran out of time to settle, or changed while captured."""
    steps = await storage.list_steps_for_session(session_id)
    pages = {
        record.step_id: record.metadata or {}
        for record in await step_records(storage, session_id, steps)
    }
    settled = {step: what for step, page in pages.items() if (what := _part(page, "settle"))}
    observed = {step: what for step, page in pages.items() if (what := _part(page, "consistency"))}
    restless = [step for step, what in settled.items() if what.get("reason") != "quiet"]
    # ``None``: another page took its place meanwhile.
    moving = [step for step, what in observed.items() if what.get("mutations") != 0]
    unsettled = share(len(restless), len(settled))
    inconsistent = share(len(moving), len(observed))
    facts = {
        "steps": len(pages),
        "unsettled": unsettled,
        "inconsistent": inconsistent,
        "unsettled_steps": named(restless),
        "inconsistent_steps": named(moving),
    }
    return Verdict(unsettled <= most_unsettled and inconsistent <= most_inconsistent, facts)


def _part(page: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What the capture noted; steps that were stored by other means have notes of their own."""
    found = page.get(name)
    return found if isinstance(found, dict) else None
