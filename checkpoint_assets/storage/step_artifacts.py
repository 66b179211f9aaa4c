"""The artifacts of one kind of a session, as a mapping that reads each when it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import NotFound

if TYPE_CHECKING:
    from checkpoint_assets.storage.blocking import SyncStorageManager

T = TypeVar("T", str, bytes, dict[str, Any])


class StepArtifacts(Mapping[str, T], Generic[T]):
    """``step_id -> content`` of one session: HTML as text, pictures as bytes, JSON as dict.

    Keys are in step order. Nothing is read until it is asked for, and what is read is verified
    against its commit record. A step that has no such artifact is not in the mapping.
    """

    def __init__(
        self,
        storage: SyncStorageManager,
        session_id: str,
        artifact: Artifact,
        steps: Sequence[str],
        kind: type | None = None,
    ) -> None:
        self._storage = storage
        self.session_id = session_id
        self.artifact = artifact
        self._steps = tuple(steps)
        self._kind = kind or _KINDS[artifact]

    def __getitem__(self, step_id: str) -> T:
        if step_id not in self._steps:
            raise KeyError(step_id)
        content = self._storage.read_artifact(self.session_id, step_id, self.artifact)
        if content is None:
            raise NotFound(
                f"step {step_id} has no {self.artifact}", session_id=self.session_id, key=step_id
            )
        if self._kind is bytes:
            return cast("T", content)
        text = content.decode()
        return cast("T", text if self._kind is str else json.loads(text))

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return f"<{self.artifact} of {len(self)} steps of session {self.session_id}>"


_KINDS: dict[Artifact, type] = {
    Artifact.HTML: str,
    Artifact.SCREENSHOT: bytes,
    Artifact.ACTION: dict,
    Artifact.METADATA: dict,
}
