"""Checks the store against its commit records, and changes nothing."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.commit import parse_record
from checkpoint_assets.storage.findings import Finding, FindingKind, VerifyReport
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import (
    RESERVED,
    StepKey,
    artifact_key,
    manifest_key,
    parse_derived_key,
    parse_session_folder,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.reading import (
    Commit,
    has_record,
    listed_key,
    read_artifact,
    read_commit,
    refuse_if_erased,
)
from checkpoint_assets.storage.sessions import read_manifest
from checkpoint_assets.storage.store import ObjectInfo, Store
from checkpoint_assets.storage.tombstones import tombstones
from checkpoint_assets.storage.workers import run_all

_AT_ONCE = 32


@dataclass(slots=True)
class _Session:
    """All there is of one session, by what it is."""

    id: SessionId
    records: dict[str, StepKey] = field(default_factory=dict[str, StepKey])
    files: dict[str, StepKey] = field(default_factory=dict[str, StepKey])
    derived: dict[str, StepId | None] = field(default_factory=dict[str, "StepId | None"])
    infos: dict[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    digests: dict[str, str] = field(default_factory=dict[str, str])
    listed: set[str] = field(default_factory=set[str])


class Checker:
    """One check. ``share`` is the part of all files that is read and hashed.

    What is younger than ``grace`` by the store's clock may belong to a step that is being written,
    and is no orphan yet. ``progress`` is called with the report after each session.
    """

    def __init__(
        self,
        store: Store,
        now: datetime,
        *,
        share: float,
        grace: timedelta,
        seed: int,
        progress: Callable[[VerifyReport], None] | None = None,
    ) -> None:
        self._store = store
        self._old = now - grace
        self._share = share
        self._random = random.Random(seed)  # noqa: S311 - picks a sample, keeps no secret
        self._progress = progress
        self.report = VerifyReport()

    async def check_all(self) -> None:
        """Check everything, one session in memory at a time."""
        async for folder, infos in _by_folder(self._store):
            session_id = parse_session_folder(folder) if folder else None
            self.report.objects += len(infos)
            if session_id is not None:
                await self._check_session(session_id, infos)
            elif folder not in RESERVED:
                for info in infos:
                    self._add(FindingKind.FOREIGN, info.key)
        for name in await self._store.leftovers(self._old):
            self._add(FindingKind.LEFTOVER, name)

    async def check_session(self, session_id: SessionId) -> None:
        """Check one session."""
        pages = self._store.list(session_prefix(session_id))
        infos = [info async for page in pages for info in page.objects]
        self.report.objects += len(infos)
        await self._check_session(session_id, infos)

    def _add(
        self,
        kind: FindingKind,
        key: str,
        session_id: str | None = None,
        step_id: str | None = None,
        detail: str = "",
    ) -> None:
        self.report.add(Finding(kind, key, session_id, step_id, detail))

    async def _check_session(self, session_id: SessionId, infos: Sequence[ObjectInfo]) -> None:
        self.report.sessions += 1
        session = _Session(session_id)
        for info in infos:
            self._sort_in(session, info)
        found = await run_all(self._read_record, session.records.items(), _AT_ONCE)
        commits = [commit for commit in found if commit is not None]
        self.report.steps += len(commits)
        for commit in commits:
            for described in commit.record.artifacts.values():
                name = f"{session_id}/{described.name}"
                session.digests.setdefault(described.sha256, name)
                session.listed.add(name)

        async def check(file: tuple[Commit, Artifact]) -> None:
            await self._check_file(session, *file)

        files = [(c, Artifact(name)) for c in commits for name in c.record.artifacts]
        await run_all(check, files, _AT_ONCE)
        self._check_duplicates(session)
        buried = {step async for _, step, _ in tombstones(self._store, session_id)}
        if None not in buried:
            await self._check_manifest(session, buried)
            await self._check_orphans(session, buried)
        if self._progress is not None:
            self._progress(self.report)

    def _sort_in(self, session: _Session, info: ObjectInfo) -> None:
        session.infos[info.key] = info
        step = parse_step_key(info.key)
        derived = None if step else parse_derived_key(info.key)
        if step is not None:
            is_record = step.artifact is Artifact.METADATA
            (session.records if is_record else session.files)[info.key] = step
        elif derived is not None:
            session.derived[info.key] = derived[1]
        elif info.key != manifest_key(session.id):
            self._add(FindingKind.FOREIGN, info.key, session.id)

    async def _read_record(self, record_key: tuple[str, StepKey]) -> Commit | None:
        key, step = record_key
        try:
            stored = await self._store.fetch(key)
            record = parse_record(stored.data, key)
        except NotFound:
            return None  # deleted since it was listed
        except IntegrityError as error:
            self._add(FindingKind.CORRUPT, key, step.session_id, step.step_id, str(error))
            return None
        if (record.session_id, record.step_id) != (step.session_id, step.step_id):
            whose = f"the record of {record.session_id}/{record.step_id}"
            self._add(FindingKind.SWAPPED, key, step.session_id, step.step_id, whose)
            return None
        if not await self._names_are_its_own(key, Commit(record, step.layout, None)):
            return None
        return Commit(record, step.layout, stored.info.etag)

    async def _names_are_its_own(self, key: str, commit: Commit) -> bool:
        record = commit.record
        try:
            for name in record.artifacts:
                listed_key(commit, Artifact(name))
        except (IntegrityError, ValueError) as error:
            self._add(FindingKind.CORRUPT, key, record.session_id, record.step_id, str(error))
            return False
        return True

    async def _check_file(self, session: _Session, commit: Commit, artifact: Artifact) -> None:
        described = commit.record.artifacts[artifact]
        key = listed_key(commit, artifact)
        info = session.infos.get(key)
        read = self._random.random() < self._share
        if info is not None and info.size == described.size and not read:
            return
        try:
            data = await read_artifact(self._store, commit, artifact)
            self.report.files_read += 1
            self.report.bytes_read += len(data)
        except NotFound:
            if await has_record(self._store, commit) and not await self._is_erased(commit):
                self._blame(FindingKind.MISSING, key, commit, "listed by the commit record")
        except IntegrityError as error:
            if await has_record(self._store, commit):
                kind = await self._kind_of_damage(session, key, info, described.size)
                self._blame(kind, key, commit, str(error))

    async def _kind_of_damage(
        self, session: _Session, key: str, info: ObjectInfo | None, size: int
    ) -> FindingKind:
        try:
            found = await digest(await self._store.get(key))
        except IntegrityError:
            found = None
        if found is not None and session.digests.get(found, key) != key:
            return FindingKind.SWAPPED
        smaller = info is not None and info.size < size
        return FindingKind.TRUNCATED if smaller else FindingKind.CORRUPT

    def _blame(self, kind: FindingKind, key: str, commit: Commit, detail: str) -> None:
        self._add(kind, key, commit.record.session_id, commit.record.step_id, detail)

    async def _is_erased(self, commit: Commit) -> bool:
        """Whether it was deleted for good while it was written: the sweep takes what is left."""
        try:
            await refuse_if_erased(self._store, commit)
        except NotFound:
            return True
        return False

    def _check_duplicates(self, session: _Session) -> None:
        seen: dict[StepId, str] = {}
        for key, step in session.records.items():
            other = seen.setdefault(step.step_id, key)
            if other != key:
                self._add(FindingKind.DUPLICATE, key, session.id, step.step_id, f"also {other}")

    async def _check_manifest(self, session: _Session, buried: set[StepId | None]) -> None:
        key = manifest_key(session.id)
        if key not in session.infos:
            return
        try:
            manifest = await read_manifest(self._store, session.id)
        except NotFound:
            return
        except IntegrityError as error:
            self._add(FindingKind.CORRUPT, key, session.id, None, str(error))
            return
        there = {step.step_id for step in session.records.values()}
        for step_id in manifest.steps:
            known = step_id in there or step_id in buried
            if not known and not await self._has_record(session.id, StepId(step_id)):
                missing = artifact_key(session.id, StepId(step_id), Artifact.METADATA)
                detail = "named by the manifest"
                self._add(FindingKind.MISSING, missing, session.id, step_id, detail)

    async def _check_orphans(self, session: _Session, buried: set[StepId | None]) -> None:
        alive = {step.step_id for step in session.records.values()} | buried
        lost = {
            key: step.step_id
            for key, step in session.files.items()
            if key not in session.listed and step.step_id not in buried
        }
        derived = ((key, step) for key, step in session.derived.items() if step is not None)
        lost |= {key: step for key, step in derived if step not in alive}
        old = {key: step for key, step in lost.items() if session.infos[key].modified < self._old}
        gone = {*old.values()} - alive
        restored = {step for step in gone if await self._has_record(session.id, step)}
        for key, step_id in old.items():
            if step_id not in restored:
                self._add(FindingKind.ORPHAN, key, session.id, step_id)

    async def _has_record(self, session_id: SessionId, step_id: StepId) -> bool:
        """Whether the step is there now: whoever restores it removes its tombstone after that."""
        try:
            await read_commit(self._store, session_id, step_id)
        except NotFound:
            return False
        except IntegrityError:
            pass
        return True


async def _by_folder(store: Store) -> AsyncIterator[tuple[str, list[ObjectInfo]]]:
    """All objects by the first part of their keys; those without one, one by one."""
    folder = ""
    infos: list[ObjectInfo] = []
    async for page in store.list(""):
        for info in page.objects:
            first, slash, _ = info.key.partition("/")
            here = first if slash else ""
            if here != folder or not here:
                if infos:
                    yield folder, infos
                folder, infos = here, []
            infos.append(info)
    if infos:
        yield folder, infos
