"""The commit protocol: artifacts first, concurrently and create-only; the commit record last.

A step exists iff its commit record does, and the record lists the size and SHA-256 of each file:
a writer that is killed leaves nothing visible. A key is written once. The same bytes again are a
success, because the answer to a write that happened can be lost; other bytes are a ``Conflict``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    Conflict,
    IntegrityError,
    NotFound,
    StorageError,
    StoreUnavailable,
)
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import (
    SCHEMA_VERSION,
    CommitRecord,
    encode_json,
)
from checkpoint_assets.storage.content import Content
from checkpoint_assets.storage.hashing import digest, sha256_hex
from checkpoint_assets.storage.keys import Layout, artifact_key, artifact_name
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.store import (
    NewObject,
    ObjectInfo,
    PutsTogether,
    Store,
    StoredObject,
)

# Of many who write the same key, all but one find it there at the next look.
_ATTEMPTS = 5
# Members of a record that differ when the same step is committed again.
_PER_ATTEMPT: Any = {
    "committed_at": True,
    "timings": True,
    "artifacts": {"__all__": {"version": True}},
}


async def put_once(
    store: Store, key: str, data: bytes, *, media_type: str, sha256: str
) -> ObjectInfo:
    """These bytes are under the key, from now or from before. Raises ``Conflict`` on others."""
    refusal: Conflict | None = None
    for _ in range(_ATTEMPTS):
        try:
            return await store.put(key, data, media_type=media_type, sha256=sha256)
        except (Conflict, StoreUnavailable) as error:
            present = await _settle(store, key, len(data), sha256, error)
            if present is not None:
                return present
            if isinstance(error, StoreUnavailable):
                raise
            # What was in the way has gone since, or writes met (S3 answers 409 then).
            refusal = error
    # It says what is in the way: another writer each time, or a name that only differs in case.
    raise refusal or Conflict(f"{key} is written by others", key=key)


async def _settle(
    store: Store, key: str, size: int, sha256: str, error: Conflict | StoreUnavailable
) -> ObjectInfo | None:
    """What became of a write whose answer was a refusal or got lost. ``None``: nothing is there."""
    try:
        present = await store.stat(key)
        same = await _is_same(store, present, size, sha256)
    except NotFound:
        return None
    except StorageError:
        raise error from None
    if same:
        return present
    raise Conflict(
        f"{key} exists with other bytes",
        key=key,
        hint="a key is written once; store under a new id, or with replace=True",
    ) from error


async def _is_same(store: Store, present: ObjectInfo, size: int, sha256: str) -> bool:
    if present.size != size:
        return False
    if present.sha256 is not None:
        return present.sha256 == sha256
    return await digest(await store.get(present.key)) == sha256


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a step is written. ``at_once``: its files concurrently, for the sake of one caller."""

    layout: Layout = "flat"
    replace: bool = False
    at_once: bool = True


# An artifact's name, and what the commit record says of it.
_Described = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Names:
    """Of what a step consists."""

    session_id: SessionId
    step_id: StepId
    layout: Layout

    async def new_object(self, content: Content) -> NewObject:
        key = artifact_key(self.session_id, self.step_id, content.artifact, self.layout)
        return NewObject(key, content.data, content.media_type, await digest(content.data))

    def described(self, content: Content, new: NewObject, info: ObjectInfo) -> _Described:
        record: dict[str, Any] = {
            "name": artifact_name(self.step_id, content.artifact, self.layout),
            "size": len(new.data),
            "sha256": new.sha256,
            "media_type": new.media_type,
            "version": info.version,
        }
        if content.lossy:
            record["lossy"] = True
        return content.artifact, record


async def write_step(
    store: Store,
    session_id: SessionId,
    step_id: StepId,
    contents: Sequence[Content],
    *,
    committed_at: str,
    metadata: Mapping[str, Any] | None = None,
    timings: Mapping[str, float] | None = None,
    options: WriteOptions = WriteOptions(),
) -> None:
    """The step is whole and durable. Raises ``Conflict`` where the key has another step.

    With ``replace`` a step that is there becomes an older version, if its content is another. It
    stays readable all the time: its record lists the versions of its files. Of two who replace
    the same step at the same time one gets ``Conflict``.
    """
    key = artifact_key(session_id, step_id, Artifact.METADATA, options.layout)
    before = await _present(store, key) if options.replace else None
    if before is not None and await _is_unchanged(before, key, contents, metadata):
        return None

    def record(described: Sequence[_Described]) -> bytes:
        fields: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "session_id": session_id,
            "step_id": step_id,
            "committed_at": committed_at,
            "artifacts": dict(described),
            "timings": dict(timings or {}),
            "metadata": metadata,
        }
        return encode_json(fields)

    names = _Names(session_id, step_id, options.layout)
    if contents and isinstance(store, PutsTogether) and not options.replace:
        with suppress(Conflict):  # each by itself, then: it finds out whose bytes it met
            return await _write_together(store, names, contents, key, record)
    data = record(await _write_artifacts(store, names, contents, options))
    try:
        if before is None:
            await put_once(store, key, data, media_type=JSON, sha256=sha256_hex(data))
        else:
            await _put_over(store, key, data, before.info)
    except Conflict as conflict:
        await _refuse_other_commit(store, key, data, conflict)


async def _present(store: Store, key: str) -> StoredObject | None:
    try:
        return await store.fetch(key)
    except NotFound:
        return None


async def _is_unchanged(
    before: StoredObject,
    key: str,
    contents: Sequence[Content],
    metadata: Mapping[str, Any] | None,
) -> bool:
    record = parse_record(before.data, key)
    there = {name: artifact.sha256 for name, artifact in record.artifacts.items()}
    given = {str(content.artifact): await digest(content.data) for content in contents}
    return there == given and record.metadata == metadata


async def _put_over(store: Store, key: str, data: bytes, before: ObjectInfo) -> None:
    sha256 = sha256_hex(data)
    try:
        await store.put(key, data, media_type=JSON, sha256=sha256, if_match=before.etag)
    except (Conflict, StoreUnavailable) as error:
        present = await _present(store, key)
        if present is None or present.data != data:
            raise Conflict(f"{key} was replaced by somebody else", key=key) from error


async def _write_together(
    store: PutsTogether,
    names: _Names,
    contents: Sequence[Content],
    key: str,
    record: Callable[[Sequence[_Described]], bytes],
) -> None:
    new = [await names.new_object(content) for content in contents]

    def last(infos: Sequence[ObjectInfo]) -> NewObject:
        data = record(list(map(names.described, contents, new, infos)))
        return NewObject(key, data, JSON, sha256_hex(data))

    await store.put_together(new, last)


async def _write_artifacts(
    store: Store, names: _Names, contents: Sequence[Content], options: WriteOptions
) -> list[_Described]:
    async def write(content: Content) -> _Described:
        new = await names.new_object(content)
        about = {"media_type": new.media_type, "sha256": new.sha256}
        if options.replace:
            info = await store.put(new.key, new.data, **about, create=False)
        else:
            info = await put_once(store, new.key, new.data, **about)
        return names.described(content, new, info)

    if not options.at_once:
        return [await write(content) for content in contents]
    results = await asyncio.gather(*map(write, contents), return_exceptions=True)
    described: list[_Described] = []
    # Nothing is still being written when an error leaves this function.
    for result in results:
        if isinstance(result, BaseException):
            raise result
        described.append(result)
    return described


async def _refuse_other_commit(store: Store, key: str, data: bytes, conflict: Conflict) -> None:
    """Raises the conflict, unless the record that is there commits what ours would."""
    for _ in range(_ATTEMPTS):
        try:
            theirs = parse_record(await store.get(key), key)
        except NotFound:
            # Ceph shows nothing for a moment while one of many writers takes its version back.
            continue
        if _content(theirs) == _content(parse_record(data, key)):
            return
        break
    # Also where it was deleted since: what the step was cannot be told, and ours is not there.
    raise conflict


def _content(record: CommitRecord) -> dict[str, Any]:
    return record.model_dump(exclude=_PER_ATTEMPT)


def parse_record(data: bytes, key: str) -> CommitRecord:
    """The commit record in stored bytes. Raises ``IntegrityError``."""
    try:
        return CommitRecord.model_validate_json(data)
    except ValueError as error:
        raise IntegrityError(f"{key} is no commit record: {error}", key=key) from error
