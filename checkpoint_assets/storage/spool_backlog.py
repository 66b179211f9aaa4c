"""How much waits in a spool, and since when."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.storage.keys import parse_session_folder, parse_step_key
from checkpoint_assets.storage.local_errors import translated
from checkpoint_assets.storage.store import Page

# A file of the spool: its key, its size and the time it was written.
Spooled = tuple[str, int, datetime]


@dataclass(slots=True)
class Backlog:
    """What waits: whole steps, the sessions that they are of, all files with their bytes."""

    steps: int = 0
    files: int = 0
    bytes: int = 0
    oldest: datetime | None = None
    sessions: set[str] = field(default_factory=set[str])

    def add(self, files: Iterable[Spooled]) -> None:
        """Count these in."""
        for key, size, modified in files:
            self.files += 1
            self.bytes += size
            self.oldest = modified if self.oldest is None else min(self.oldest, modified)
            session_id = parse_session_folder(key.partition("/")[0])
            if session_id is not None:
                self.sessions.add(session_id)
            step = parse_step_key(key) if key.endswith("metadata.json") else None
            self.steps += step is not None and step.artifact is Artifact.METADATA

    def age(self, now: datetime) -> float | None:
        """Seconds since the oldest file was written; ``None`` where nothing waits."""
        return None if self.oldest is None else max(0.0, (now - self.oldest).total_seconds())


async def listed_backlog(pages: AsyncIterator[Page]) -> Backlog:
    """The backlog in a listing of what is pending."""
    backlog = Backlog()
    async for page in pages:
        backlog.add((info.key, info.size, info.modified) for info in page.objects)
    return backlog


def folder_backlog(root: Path) -> Backlog:
    """The backlog in a folder. Blocks; a file that is drained meanwhile may count or not."""
    backlog = Backlog()
    with translated(str(root)):
        backlog.add(_files(root, ""))
    return backlog


def _files(folder: Path, prefix: str) -> Iterator[Spooled]:
    try:
        with os.scandir(folder) as scan:
            entries = [entry for entry in scan if entry.name[0] != "."]
    except FileNotFoundError:
        return
    for entry in entries:
        key = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _files(folder / entry.name, f"{key}/")
            continue
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield key, status.st_size, datetime.fromtimestamp(status.st_mtime_ns / 1e9, UTC)
