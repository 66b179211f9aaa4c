"""The part of the StorageManager that is about steps."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Mapping
from typing import Any

from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.storage import reading
from checkpoint_assets.storage.batches import (
    BatchReport,
    Retrieved,
    Step,
    retrieve_all,
    store_all,
)
from checkpoint_assets.storage.commit import WriteOptions
from checkpoint_assets.storage.content import decode_object, plain_object, step_contents
from checkpoint_assets.storage.keys import artifact_key
from checkpoint_assets.storage.manager_base import ManagerBase
from checkpoint_assets.storage.reading import Commit
from checkpoint_assets.storage.step_versions import StepVersion, step_versions
from checkpoint_assets.storage.streaming import stream_artifact
from checkpoint_assets.storage.whole_writes import write_step

StepContents = tuple[str | None, bytes | None, dict[str, Any] | None, dict[str, Any] | None]

_PLACES = {
    "html_path": Artifact.HTML,
    "screenshot_path": Artifact.SCREENSHOT,
    "action_data_path": Artifact.ACTION,
    "metadata_path": Artifact.METADATA,
}


class StepMethods(ManagerBase):
    """Stores and reads steps."""

    async def store_step_data(
        self,
        session_id: str,
        step_id: str,
        html_content: str | bytes | None = None,
        screenshot_bytes: bytes | None = None,
        action_data: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        replace: bool = False,
        *,
        timings: Mapping[str, float] | None = None,
    ) -> dict[str, str | None]:
        """Commit one step: durable and whole when this returns.

        The same step again is a success; another one under the same ids raises ``Conflict``, or
        with ``replace`` becomes a new version (``NotSupported`` where versions are not kept).
        Returns where each part is: ``html_path``, ``screenshot_path``, ``action_data_path`` and
        ``metadata_path``, ``None`` for what was not given.
        """
        step = Step(
            session_id,
            step_id,
            html_content,
            screenshot_bytes,
            action_data,
            metadata,
            timings,
        )
        given = await self._store_step(step, replace=replace, at_once=True)
        session, name = parse_session_id(session_id), parse_step_id(step_id)
        return {
            place: self._locate(artifact_key(session, name, artifact, self._layout))
            if artifact in given
            else None
            for place, artifact in _PLACES.items()
        }

    async def _store_step(self, step: Step, *, replace: bool, at_once: bool) -> set[Artifact]:
        """Commit the step; the artifacts that were given."""
        session, name = parse_session_id(step.session_id), parse_step_id(step.step_id)
        contents = step_contents(step.html_content, step.screenshot_bytes, step.action_data)
        plain = None if step.metadata is None else plain_object(step.metadata, "metadata")
        timings = None if step.timings is None else plain_object(step.timings, "timings")
        await self._require("create_only", "storing a step once")
        if replace:
            await self._may_replace()
        await self._buried.refuse_if_buried(session, name, can_wait=not replace)
        await write_step(
            self._store,
            session,
            name,
            contents,
            committed_at=isoformat(self._clock.now()),
            metadata=plain,
            timings=timings,
            options=WriteOptions(self._layout, replace, at_once),
        )
        given = {content.artifact for content in contents}
        if plain is not None:
            given.add(Artifact.METADATA)
        return given

    async def _may_replace(self) -> None:
        found = await self.get_capabilities()
        for needed in ("versions", "create_only", "if_match"):
            found.require(needed, "replace=True")

    async def store_steps(
        self, batch: Iterable[Step | Mapping[str, Any]] | AsyncIterable[Step | Mapping[str, Any]]
    ) -> BatchReport:
        """Store many steps; each is a ``Step``, or a mapping with the same members.

        At most ``concurrency`` are in memory and under way. One that fails hinders no other: the
        report names it with its error.
        """

        async def store(step: Step) -> None:
            # One file after the other: the steps are what goes on at the same time.
            await self._store_step(step, replace=False, at_once=False)

        return await store_all(batch, store, self._concurrency)

    async def retrieve_step_data(
        self,
        session_id: str,
        step_id: str,
        artifacts: Collection[Artifact | str] | None = None,
        version: str | None = None,
    ) -> StepContents:
        """HTML, screenshot, action data and metadata of a step, compared with its commit record.

        What was never stored, or is not among ``artifacts``, is ``None``. Raises ``NotFound`` for
        an absent step and ``IntegrityError`` for one that is not as it was committed. HTML that
        was stored as bytes in another encoding than UTF-8 is read with ``read_artifact``.
        """
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        wanted = _wanted(artifacts)
        record, data = await reading.read_step(
            self._store, session, step, wanted, layout=self._layout, version=version
        )
        return _contents(record, data, wanted)

    def retrieve_steps(
        self,
        steps: Iterable[tuple[str, str]] | AsyncIterable[tuple[str, str]],
        artifacts: Collection[Artifact | str] | None = None,
    ) -> AsyncIterator[Retrieved[StepContents]]:
        """Read many (session, step), in the order given, ahead of the one that is taken.

        At most ``concurrency`` are in memory and under way. Each has ``get()``, which returns
        what ``retrieve_step_data`` would, or raises its error.
        """
        wanted = _wanted(artifacts)

        async def look(session_id: str, step_id: str) -> Commit:
            session, step = parse_session_id(session_id), parse_step_id(step_id)
            return await reading.read_commit(self._store, session, step, layout=self._layout)

        def size(commit: Commit) -> int:
            listed = commit.record.artifacts
            return sum(listed[name].size for name in wanted if name in listed)

        async def read(commit: Commit) -> StepContents:
            # One file after the other: the steps are what goes on at the same time.
            record, data = await reading.read_committed(self._store, commit, wanted, at_once=False)
            return _contents(record, data, wanted)

        return retrieve_all(steps, look, size, read, ahead=self._concurrency)

    async def read_artifact(
        self, session_id: str, step_id: str, artifact: Artifact | str
    ) -> bytes | None:
        """The bytes of one artifact as they were given, verified; ``None`` if it has none."""
        kind = _file(artifact)
        _, data = await reading.read_step(
            self._store,
            parse_session_id(session_id),
            parse_step_id(step_id),
            [kind],
            layout=self._layout,
        )
        return data.get(kind)

    async def open_artifact(
        self,
        session_id: str,
        step_id: str,
        artifact: Artifact | str,
        start: int = 0,
        length: int | None = None,
        version: str | None = None,
    ) -> AsyncIterator[bytes]:
        """The artifact in chunks of at most a few MiB, from ``start``.

        Read whole, it is compared with its commit record, and ends in ``IntegrityError`` if it is
        another. Raises ``NotFound`` if the step is absent or has no such artifact.
        """
        kind = _file(artifact)
        commit = await reading.read_commit(
            self._store,
            parse_session_id(session_id),
            parse_step_id(step_id),
            layout=self._layout,
            version=version,
        )
        async for chunk in stream_artifact(self._store, commit, kind, start, length):
            yield chunk

    async def get_commit_record(self, session_id: str, step_id: str) -> CommitRecord:
        """Sizes, digests, media types, times and metadata of a step. Raises ``NotFound``."""
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        return (await reading.read_commit(self._store, session, step, layout=self._layout)).record

    async def list_versions(self, session_id: str, step_id: str) -> list[StepVersion]:
        """The versions of a step, the newest first; just the current one if none are kept."""
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        return await step_versions(self._store, session, step)

    async def restore_version(self, session_id: str, step_id: str, version: str) -> CommitRecord:
        """The step is again what it was in that version; what it is now becomes a version.

        Raises ``NotFound`` for an unknown version, ``Conflict`` for a step that was deleted (it is
        restored first), ``NotSupported`` where versions are not kept.
        """
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        await self._may_replace()
        await self._buried.refuse_if_buried(session, step, can_wait=False)
        record, data = await reading.read_step(
            self._store, session, step, tuple(Artifact), layout=self._layout, version=version
        )
        await write_step(
            self._store,
            session,
            step,
            [reading.as_content(record, artifact, body) for artifact, body in data.items()],
            committed_at=isoformat(self._clock.now()),
            metadata=record.metadata,
            timings=record.timings,
            options=WriteOptions(self._layout, replace=True),
        )
        return await self.get_commit_record(session, step)


def _contents(
    record: CommitRecord, data: Mapping[Artifact, bytes], wanted: Collection[Artifact]
) -> StepContents:
    html, action = data.get(Artifact.HTML), data.get(Artifact.ACTION)
    where = f"the action of {record.session_id}/{record.step_id}"
    return (
        None if html is None else html.decode(errors="replace"),
        data.get(Artifact.SCREENSHOT),
        None if action is None else decode_object(action, where),
        record.metadata if Artifact.METADATA in wanted else None,
    )


def _wanted(artifacts: Collection[Artifact | str] | None) -> tuple[Artifact, ...]:
    if artifacts is None:
        return tuple(Artifact)
    names = [artifacts] if isinstance(artifacts, str) else artifacts
    try:
        return tuple(Artifact(name) for name in names)
    except ValueError as error:
        raise InvalidInput(f"{error}", hint=f"artifacts are {', '.join(Artifact)}") from error


def _file(artifact: Artifact | str) -> Artifact:
    (kind,) = _wanted([artifact])
    if kind is Artifact.METADATA:
        raise InvalidInput("the metadata is in the commit record", hint="get_commit_record()")
    return kind
