"""The artifacts of one kind of a session, as a mapping that reads each when it is asked for."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, get_origin

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.storage.completeness import step_records

if TYPE_CHECKING:
    from checkpoint_assets.storage.blocking import SyncStorageManager

T = TypeVar("T", str, bytes, dict[str, Any])

# What each artifact can be read as; the first is what it naturally is.
_KINDS: dict[Artifact, tuple[type, ...]] = {
    Artifact.HTML: (str, bytes),
    Artifact.SCREENSHOT: (bytes,),
    Artifact.ACTION: (dict, str, bytes),
    Artifact.METADATA: (dict,),
}


class StepArtifacts(Mapping[str, T], Generic[T]):
    """``step_id -> content`` of one session: HTML as text, pictures as bytes, JSON as dict.

    Keys are in step order; a step without such an artifact is not among them. Nothing is read
    until it is asked for, and what is read is verified against its commit record. Raises
    ``InvalidInput`` for an artifact that cannot be read as ``T``.
    """

    _wanted: ClassVar[type | None] = None

    def __class_getitem__(cls, kind: Any) -> type[StepArtifacts[Any]]:
        # Dagster takes a class as an annotation, and none of typing's aliases.
        if kind is Any or isinstance(kind, TypeVar):
            return cls
        return _reading_as(get_origin(kind) or kind)

    def __init__(
        self, storage: SyncStorageManager, session_id: str, artifact: Artifact, steps: Sequence[str]
    ) -> None:
        kinds = _KINDS[artifact]
        self._kind = self._wanted or kinds[0]
        if self._kind not in kinds:
            names = " or ".join(kind.__name__ for kind in kinds)
            raise InvalidInput(
                f"{artifact} cannot be read as {self._kind.__name__}", hint=f"as {names}"
            )
        self._storage = storage
        self.session_id = session_id
        self.artifact = artifact
        self._steps = tuple(steps)

    @functools.cached_property
    def _present(self) -> tuple[str, ...]:
        if self.artifact is Artifact.METADATA:
            return self._steps
        records = self._storage.call(step_records, self.session_id, self._steps)
        return tuple(record.step_id for record in records if self.artifact in record.artifacts)

    def __getitem__(self, step_id: str) -> T:
        if step_id not in self._steps:
            raise KeyError(step_id)
        if self.artifact is Artifact.METADATA:
            record = self._storage.get_commit_record(self.session_id, step_id)
            return cast("T", record.metadata or {})
        content = self._storage.read_artifact(self.session_id, step_id, self.artifact)
        if content is None:
            raise KeyError(step_id)
        if self._kind is bytes:
            return cast("T", content)
        text = content.decode()
        return cast("T", text if self._kind is str else json.loads(text))

    def __contains__(self, step_id: object) -> bool:
        return step_id in self._present

    def __iter__(self) -> Iterator[str]:
        return iter(self._present)

    def __len__(self) -> int:
        return len(self._present)

    def __repr__(self) -> str:
        return f"<{self.artifact} of session {self.session_id}, {len(self._steps)} steps>"


@functools.cache
def _reading_as(kind: type) -> type[StepArtifacts[Any]]:
    """``StepArtifacts`` whose contents are of that kind: one class for each."""
    name = f"StepArtifacts[{kind.__name__}]"
    names: dict[str, Any] = {"_wanted": kind, "__module__": __name__}
    return cast("type[StepArtifacts[Any]]", type(name, (StepArtifacts,), names))
