"""What a check of the store finds, and its report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from checkpoint_assets.model.errors import InvalidInput

# More than these are counted, not kept: a report has to fit into memory.
MOST_FINDINGS = 10_000


class FindingKind(StrEnum):
    """What is wrong with a key.

    ``missing``: a record lists it, or the manifest names its step, and it is not there.
    ``truncated``: smaller than committed. ``corrupt``: other bytes, or nothing that can be read.
    ``swapped``: the bytes of another file, or the record of another step. ``orphan``: old enough,
    and in no commit record. ``duplicate``: a step that is there in both layouts. ``foreign``: not
    ours. ``leftover``: what a writer that died left.
    """

    MISSING = "missing"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    SWAPPED = "swapped"
    ORPHAN = "orphan"
    DUPLICATE = "duplicate"
    FOREIGN = "foreign"
    LEFTOVER = "leftover"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    kind: FindingKind
    key: str
    session_id: str | None = None
    step_id: str | None = None
    detail: str = ""


@dataclass(slots=True)
class VerifyReport:
    """What was looked at, and what is wrong with it."""

    sessions: int = 0
    steps: int = 0
    objects: int = 0
    files_read: int = 0
    bytes_read: int = 0
    findings: list[Finding] = field(default_factory=list[Finding])
    counts: Counter[FindingKind] = field(default_factory=Counter[FindingKind])
    quarantined: list[str] = field(default_factory=list[str])

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong. What is foreign or left over harms nobody."""
        harmless = {FindingKind.FOREIGN, FindingKind.LEFTOVER}
        return not set(self.counts) - harmless

    def add(self, finding: Finding) -> None:
        """Count the finding, and keep it if there is room."""
        self.counts[finding.kind] += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(finding)


def fraction(read_data: bool | float | str) -> float:
    """The part of all files to read: ``True``, ``0.05`` or ``"5%"``. Raises ``InvalidInput``."""
    try:
        if isinstance(read_data, str):
            part = float(read_data.strip().removesuffix("%"))
            part = part / 100 if read_data.strip().endswith("%") else part
        else:
            part = float(read_data)
    except ValueError as error:
        raise InvalidInput(f"read_data={read_data!r} is no share") from error
    if not 0 <= part <= 1:
        raise InvalidInput(f"read_data={read_data!r} is not between 0 and 100%")
    return part
