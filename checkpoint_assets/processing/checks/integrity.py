"""Check ``integrity``: the stored files are those that were committed."""

from __future__ import annotations

from checkpoint_assets.processing.checks.verdict import MOST_NAMED, Verdict
from checkpoint_assets.storage.storage_manager import StorageManager


async def judge_integrity(storage: StorageManager, session_id: str, sample: float) -> Verdict:
    """Every file has its size, and a ``sample`` of them (a share) the bytes, that were committed.

    The same session has the same sample; where the share comes to no file at all, all are read.
    What is missing or other is serious.
    """
    report = await storage.verify(session_id, sample, seed=sum(session_id.encode()))
    if sample and not report.files_read:
        report = await storage.verify(session_id, True)
    found = [f"{finding.kind} {finding.key}" for finding in report.findings[:MOST_NAMED]]
    facts = {"files": report.objects, "files_read": report.files_read, "findings": found}
    return Verdict(report.ok, facts, serious=True)
