"""Reads a step: the commit record first, then what it lists, each compared with the record."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import ArtifactRecord, CommitRecord
from checkpoint_assets.storage.commit import parse_record
from checkpoint_assets.storage.content import Content
from checkpoint_assets.storage.erasures import is_erased
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import LAYOUTS, Layout, artifact_key, artifact_name
from checkpoint_assets.storage.store import Store, StoredObject

# A step that is stored anew between its record and its files is read again, this often.
_ATTEMPTS = 3
LARGE = 16 << 20


@dataclass(frozen=True, slots=True)
class Commit:
    """A step's commit record, and where it was found."""

    record: CommitRecord
    layout: Layout
    etag: str | None


async def read_commit(
    store: Store,
    session_id: SessionId,
    step_id: StepId,
    *,
    layout: Layout = "flat",
    version: str | None = None,
) -> Commit:
    """The step's commit record, in whichever layout. Raises ``NotFound``, ``IntegrityError``."""
    for candidate in sorted(LAYOUTS, key=layout.__ne__):
        key = artifact_key(session_id, step_id, Artifact.METADATA, candidate)
        try:
            stored = await store.fetch(key, version=version)
        except NotFound:
            continue
        record = parse_record(stored.data, key)
        if (record.session_id, record.step_id) != (session_id, step_id):
            raise IntegrityError(
                f"{key} is the commit record of {record.session_id}/{record.step_id}",
                key=key,
                session_id=session_id,
            )
        return Commit(record, candidate, stored.info.etag)
    key = artifact_key(session_id, step_id, Artifact.METADATA, layout)
    raise NotFound(f"there is no step {session_id}/{step_id}", key=key, session_id=session_id)


async def read_step(
    store: Store,
    session_id: SessionId,
    step_id: StepId,
    wanted: Collection[Artifact],
    *,
    layout: Layout = "flat",
    version: str | None = None,
) -> tuple[CommitRecord, dict[Artifact, bytes]]:
    """The record and the bytes it vouches for, of those artifacts that are wanted and there.

    Raises ``NotFound`` where no such step is (also when it is deleted meanwhile), and
    ``IntegrityError`` where a file is missing or is not what was committed.
    """
    commit = await read_commit(store, session_id, step_id, layout=layout, version=version)
    return await read_committed(store, commit, wanted, version=version)


async def read_committed(
    store: Store,
    commit: Commit,
    wanted: Collection[Artifact],
    *,
    version: str | None = None,
    at_once: bool = True,
) -> tuple[CommitRecord, dict[Artifact, bytes]]:
    """``read_step`` from the point where the record was read.

    ``at_once``: its files concurrently, for the sake of one caller.
    """
    session_id, step_id = SessionId(commit.record.session_id), StepId(commit.record.step_id)
    layout = commit.layout
    for _ in range(_ATTEMPTS):
        try:
            return commit.record, await _read_artifacts(store, commit, wanted, at_once)
        except (NotFound, IntegrityError) as error:
            # Deleted or replaced since the record was read? Only a record that still stands
            # makes this a fault of the store.
            before = commit
            commit = await read_commit(store, session_id, step_id, layout=layout, version=version)
            if commit.etag == before.etag:
                if isinstance(error, IntegrityError):
                    raise
                await refuse_if_erased(store, commit)
                raise IntegrityError(
                    f"{error.key} is in the commit record but not in the store",
                    key=error.key,
                    session_id=session_id,
                ) from error
    raise IntegrityError(
        f"{session_id}/{step_id} is written anew faster than it can be read", session_id=session_id
    )


async def refuse_if_erased(store: Store, commit: Commit) -> None:
    """Raises ``NotFound`` for a step without its files that was deleted while it was written."""
    session_id, step_id = SessionId(commit.record.session_id), StepId(commit.record.step_id)
    key = artifact_key(session_id, step_id, Artifact.METADATA, commit.layout)
    if await is_erased(store, session_id, step_id, key):
        raise NotFound(f"{session_id}/{step_id} was deleted", key=key, session_id=session_id)


async def has_record(store: Store, commit: Commit) -> bool:
    """Whether the commit record is still what it was."""
    record = commit.record
    session_id, step_id = SessionId(record.session_id), StepId(record.step_id)
    key = artifact_key(session_id, step_id, Artifact.METADATA, commit.layout)
    try:
        return (await store.stat(key)).etag == commit.etag
    except NotFound:
        return False


async def _read_artifacts(
    store: Store, commit: Commit, wanted: Collection[Artifact], at_once: bool
) -> dict[Artifact, bytes]:
    listed = [artifact for artifact in wanted if artifact in commit.record.artifacts]
    if not at_once:
        return {artifact: await read_artifact(store, commit, artifact) for artifact in listed}
    reads = [read_artifact(store, commit, artifact) for artifact in listed]
    results = await asyncio.gather(*reads, return_exceptions=True)
    data: dict[Artifact, bytes] = {}
    for artifact, result in zip(listed, results, strict=True):
        if isinstance(result, BaseException):
            raise result
        data[artifact] = result
    return data


async def read_artifact(store: Store, commit: Commit, artifact: Artifact) -> bytes:
    """The bytes of one artifact, compared with the record. Raises ``IntegrityError``."""
    described = commit.record.artifacts[artifact]
    key = listed_key(commit, artifact)
    stored = await (_fetch if described.size <= LARGE else _fetch_in_pieces)(store, key, described)
    if await _is_as_described(stored, described):
        return stored.data
    older = await _find_version(store, key, described)
    if older is not None:
        return older.data
    raise IntegrityError(
        f"{key} is not what was committed: {len(stored.data)} bytes with SHA-256 "
        f"{await digest(stored.data)} instead of {described.size} with {described.sha256}",
        key=key,
        session_id=commit.record.session_id,
    )


async def _is_as_described(stored: StoredObject, described: ArtifactRecord) -> bool:
    if len(stored.data) != described.size:
        return False
    return (stored.digest or await digest(stored.data)) == described.sha256


async def _fetch(store: Store, key: str, described: ArtifactRecord) -> StoredObject:
    if described.version is not None:
        try:
            return await store.fetch(key, version=described.version)
        except NotFound:
            # A copy of a bucket has versions of its own; the digest tells which one is right.
            pass
    return await store.fetch(key)


async def _fetch_in_pieces(store: Store, key: str, described: ArtifactRecord) -> StoredObject:
    """A large object, in requests that each have a deadline of their own."""
    version = described.version
    try:
        info = await store.stat(key, version=version)
    except NotFound:
        if version is None:
            raise
        version = None
        info = await store.stat(key)
    # Its value is what was written to it, not a copy: the object is in memory once.
    whole = BytesIO()
    async for chunk in store.open(key, version=version):
        whole.write(chunk)
    return StoredObject(info, whole.getvalue())


async def _find_version(store: Store, key: str, described: ArtifactRecord) -> StoredObject | None:
    """The version that the record means, of a file that was replaced since.

    Needed where the record names none: it was written before versions were kept.
    """
    if not await store.keeps_versions():
        return None
    async for page in store.list_versions(key):
        for version in page:
            if version.key != key or version.deleted or version.size != described.size:
                continue
            stored = await store.fetch(key, version=version.version)
            if await _is_as_described(stored, described):
                return stored
    return None


def listed_key(commit: Commit, artifact: Artifact) -> str:
    """The key of an artifact that the record lists. Raises ``IntegrityError`` on a foreign name."""
    record = commit.record
    name = record.artifacts[artifact].name
    session_id, step_id = SessionId(record.session_id), StepId(record.step_id)
    # The record comes from the store: it must not lead to another step's file.
    if name != artifact_name(step_id, artifact, commit.layout):
        key = artifact_key(session_id, step_id, Artifact.METADATA, commit.layout)
        raise IntegrityError(f"{key} lists {name!r} as its {artifact}", key=key)
    return artifact_key(session_id, step_id, artifact, commit.layout)


def as_content(record: CommitRecord, artifact: Artifact, data: bytes) -> Content:
    """An artifact that was read, to be written again as it is."""
    return Content(artifact, data, record.artifacts[artifact].media_type)
