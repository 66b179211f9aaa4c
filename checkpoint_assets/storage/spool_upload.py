"""Takes one thing from a spool to its store, and tells what should be found there afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import Conflict, IntegrityError, NotFound
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.commit import parse_record, put_once
from checkpoint_assets.storage.hashing import LARGE, sha256_hex
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.reading import Commit, listed_key
from checkpoint_assets.storage.spool import Spool
from checkpoint_assets.storage.spool_plan import WaitingStep
from checkpoint_assets.storage.spool_verification import Sent, problem
from checkpoint_assets.storage.store import ObjectInfo, Store

# Members of a commit record that differ when the same step is committed in another place.
_PER_ATTEMPT = ("committed_at", "timings")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The files of a step that are in the store, and the commit record that is to follow."""

    record_key: str
    record: bytes
    sent: Sequence[Sent]


class SpoolUpload:
    """Moves nothing and removes nothing: what it took waits until it was verified."""

    def __init__(self, store: Store, spool: Spool, *, concurrency: int) -> None:
        self._store = store
        self._spool = spool
        self._gate = asyncio.Semaphore(concurrency)

    async def files(self, step: WaitingStep) -> Uploaded | None:
        """All files that the step's record lists are in the store. ``None``: it waits no more.

        Raises ``Conflict`` where the store has others, and ``IntegrityError`` where the spool's
        copy is damaged.
        """
        if step.record is None:
            return None
        async with self._gate:
            waiting = await self._spool.read(step.keys)
            if step.record not in waiting:
                return None
            data = waiting[step.record]
            record = parse_record(data, step.record)
            if (record.session_id, record.step_id) != (step.session_id, step.step_id):
                raise IntegrityError(f"{step.record} is of another step", key=step.record)
            commit = Commit(record, step.layout, None)
            artifacts = [Artifact(name) for name in record.artifacts]
            files = [self._file(commit, artifact, waiting) for artifact in artifacts]
            results = await asyncio.gather(*files, return_exceptions=True)
        sent: list[Sent] = []
        versions: dict[Artifact, str] = {}
        # Nothing is still being written when an error leaves this function.
        for artifact, result in zip(artifacts, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            sent.append(result[0])
            if result[1] is not None:
                versions[artifact] = result[1]
        return Uploaded(step.record, _with_versions(data, versions), sent)

    async def _file(
        self, commit: Commit, artifact: Artifact, waiting: Mapping[str, bytes]
    ) -> tuple[Sent, str | None]:
        described = commit.record.artifacts[artifact]
        key = listed_key(commit, artifact)
        data = waiting.get(key)
        if data is None:
            # An earlier drain was cut short after it had removed this file.
            sent = Sent(key, described.size, described.sha256)
            if why := await problem(self._store, sent):
                raise IntegrityError(f"gone from the spool, and {why}", key=key)
            return sent, described.version
        sha256, md5 = await _digests(data)
        if len(data) != described.size or sha256 != described.sha256:
            raise IntegrityError(f"{key} in the spool is not what was committed", key=key)
        info = await put_once(
            self._store, key, data, media_type=described.media_type, sha256=sha256
        )
        return Sent(key, len(data), sha256, md5), info.version

    async def commit(self, uploaded: Uploaded) -> Sent:
        """The step is committed. Raises ``Conflict`` where another one is."""
        key, data = uploaded.record_key, uploaded.record
        try:
            await put_once(self._store, key, data, media_type=JSON, sha256=sha256_hex(data))
        except Conflict:
            theirs = await self._store.get(key)
            if _essence(theirs, key) != _essence(data, key):
                raise
            data = theirs
        sha256, md5 = await _digests(data)
        return Sent(key, len(data), sha256, md5)

    async def object(self, waiting: ObjectInfo, *, replaces: bool) -> Sent | None:
        """The object is in the store. ``None``: a later one is, or it waits no more."""
        key = waiting.key
        async with self._gate:
            data = (await self._spool.read([key])).get(key)
            if data is None:
                return None
            media_type = await self._spool.media_type(key)
            sha256, md5 = await _digests(data)
            if not replaces:
                await put_once(self._store, key, data, media_type=media_type, sha256=sha256)
            elif await self._is_superseded(waiting):
                return None
            else:
                await self._store.put(key, data, media_type=media_type, sha256=sha256, create=False)
        return Sent(key, len(data), sha256, md5)

    async def _is_superseded(self, waiting: ObjectInfo) -> bool:
        try:
            return (await self._store.stat(waiting.key)).modified > waiting.modified
        except NotFound:
            return False


def _with_versions(record: bytes, versions: Mapping[Artifact, str]) -> bytes:
    """The commit record, naming the versions that the store has given to the files."""
    if not versions:
        return record
    fields: dict[str, Any] = json.loads(record)
    for artifact, version in versions.items():
        fields["artifacts"][artifact]["version"] = version
    return encode_json(fields)


def _essence(data: bytes, key: str) -> dict[str, Any]:
    """What a commit record says of its step, wherever and whenever that was committed."""
    fields = parse_record(data, key).model_dump(mode="json", exclude=set(_PER_ATTEMPT))
    for described in fields["artifacts"].values():
        described.pop("version", None)
    return fields


async def _digests(data: bytes) -> tuple[str, str]:
    if len(data) > LARGE:
        return await asyncio.to_thread(_digests_now, data)
    return _digests_now(data)


def _digests_now(data: bytes) -> tuple[str, str]:
    return sha256_hex(data), hashlib.md5(data, usedforsecurity=False).hexdigest()
