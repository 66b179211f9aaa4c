"""What waits in a spool, in the order in which it is to be drained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.keys import (
    Layout,
    manifest_key,
    parse_session_folder,
    parse_step_key,
)
from checkpoint_assets.storage.store import ObjectInfo, Store


@dataclass(slots=True)
class WaitingStep:
    """A step: its files, and its commit record if that waits, too."""

    session_id: SessionId
    step_id: StepId
    layout: Layout
    record: str | None = None
    files: list[str] = field(default_factory=list[str])
    size: int = 0
    modified: datetime | None = None

    @property
    def name(self) -> str:
        """The key that the step is known by: its commit record's."""
        return self.record or self.files[-1]

    @property
    def keys(self) -> list[str]:
        """All that waits of the step, the commit record last."""
        return [*self.files, *([self.record] if self.record else [])]

    def add(self, info: ObjectInfo, artifact: Artifact) -> None:
        """A file of the step."""
        if artifact is Artifact.METADATA:
            self.record = info.key
        else:
            self.files.append(info.key)
        self.size += info.size
        self.modified = max(self.modified or info.modified, info.modified)


@dataclass(slots=True)
class WaitingFolder:
    """What waits in one top-level folder: a session's, or a reserved one.

    ``torn`` are steps without a commit record: one is being written, or its writer is dead.
    """

    name: str
    steps: list[WaitingStep] = field(default_factory=list[WaitingStep])
    torn: list[WaitingStep] = field(default_factory=list[WaitingStep])
    objects: list[ObjectInfo] = field(default_factory=list[ObjectInfo])
    manifest: ObjectInfo | None = None

    @property
    def session_id(self) -> SessionId | None:
        """The session whose folder it is; ``None`` for a reserved one."""
        return parse_session_folder(self.name)


async def oldest_first(pending: Store) -> Sequence[str]:
    """The top-level folders: sessions by the age of their oldest file, then reserved ones."""
    oldest: dict[str, datetime] = {}
    async for page in pending.list(""):
        for info in page.objects:
            name = info.key.partition("/")[0]
            oldest[name] = min(oldest.get(name, info.modified), info.modified)
    reserved = {name: parse_session_folder(name) is None for name in oldest}
    return sorted(oldest, key=lambda name: (reserved[name], oldest[name], name))


async def waiting_in(pending: Store, name: str) -> WaitingFolder:
    """What waits in the folder, steps in the order of their ids."""
    folder = WaitingFolder(name)
    steps: dict[tuple[StepId, Layout], WaitingStep] = {}
    session_id = folder.session_id
    manifest = None if session_id is None else manifest_key(session_id)
    async for page in pending.list(f"{name}/"):
        for info in page.objects:
            key = parse_step_key(info.key)
            if key is not None:
                step = steps.setdefault(
                    (key.step_id, key.layout), WaitingStep(key.session_id, key.step_id, key.layout)
                )
                step.add(info, key.artifact)
            elif info.key == manifest:
                folder.manifest = info
            else:
                folder.objects.append(info)
    for _, step in sorted(steps.items()):
        (folder.steps if step.record else folder.torn).append(step)
    return folder
