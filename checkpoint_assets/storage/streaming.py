"""An artifact as a stream: ranges, chunks, and a digest that is compared at the end."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, InvalidInput, NotFound
from checkpoint_assets.model.records import ArtifactRecord
from checkpoint_assets.storage.reading import Commit, listed_key, refuse_if_erased
from checkpoint_assets.storage.store import Store


async def stream_artifact(
    store: Store, commit: Commit, artifact: Artifact, start: int, length: int | None
) -> AsyncIterator[bytes]:
    """The bytes of the range. A whole artifact whose digest is another ends in IntegrityError.

    A range can only be compared by its length. Raises ``NotFound`` if the step has no such
    artifact, ``IntegrityError`` if its file is gone.
    """
    if start < 0 or (length is not None and length < 0):
        raise InvalidInput("start and length are at least 0")
    session_id, step_id = commit.record.session_id, commit.record.step_id
    described = commit.record.artifacts.get(artifact)
    if described is None:
        raise NotFound(f"{session_id}/{step_id} has no {artifact}", session_id=session_id)
    key = listed_key(commit, artifact)
    end = described.size if length is None else min(described.size, start + length)
    whole = start == 0 and end == described.size
    sha256 = hashlib.sha256()
    left = max(0, end - start)
    if left:
        async for chunk in _open(store, commit, key, described, start, left):
            left -= len(chunk)
            if whole:
                sha256.update(chunk)
            yield chunk
    if left or (whole and sha256.hexdigest() != described.sha256):
        raise IntegrityError(f"{key} is not what was committed", key=key, session_id=session_id)


async def _open(
    store: Store, commit: Commit, key: str, described: ArtifactRecord, start: int, length: int
) -> AsyncIterator[bytes]:
    version = described.version
    if version is not None:
        try:
            await store.stat(key, version=version)
        except NotFound:
            version = None  # a copy of a bucket has versions of its own; the digest decides
    try:
        async for chunk in store.open(key, start=start, length=length, version=version):
            yield chunk
    except NotFound as error:
        await refuse_if_erased(store, commit)
        raise IntegrityError(
            f"{key} is in the commit record but not in the store", key=key
        ) from error
