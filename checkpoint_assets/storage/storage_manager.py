"""The StorageManager: sessions and steps, over whichever store is configured."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidInput, NotSupported
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CommitRecord, SessionManifest
from checkpoint_assets.storage import deletion, derived, listing, reading, sessions
from checkpoint_assets.storage.commit import write_step
from checkpoint_assets.storage.content import decode_object, plain_object, step_contents
from checkpoint_assets.storage.hashing import digest
from checkpoint_assets.storage.keys import (
    LAYOUTS,
    Layout,
    artifact_key,
    derived_key,
    parse_reserved_key,
    parse_reserved_prefix,
    session_prefix,
)
from checkpoint_assets.storage.location import find_location
from checkpoint_assets.storage.s3_clients import S3ClientFactory
from checkpoint_assets.storage.store import ObjectInfo, Store, StoredObject
from checkpoint_assets.storage.stores import open_store

logger = logging.getLogger(__name__)

# Where it was already said that no bucket is configured; managers come and go, the fact stays.
_said: set[str] = set()

StepContents = tuple[str | None, bytes | None, dict[str, Any] | None, dict[str, Any] | None]


class StorageManager:
    """Stores steps so that none is lost or torn, and reads back exactly what was stored.

    ``url`` is ``s3://bucket/prefix``, ``file:///folder`` or ``memory://name``; without one the
    arguments decide, then ``SM_S3_BUCKET_NAME``, ``SM_S3_REGION``, ``SM_S3_ENDPOINT_URL`` and
    ``SM_LOCAL_BASE_PATH``. The constructor touches no network. One manager may be used from many
    threads and event loops.

    Errors: ``StorageManagerError`` and those below it, ``InvalidInput`` for what is refused
    before anything is done.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        prefer_s3: bool = True,
        s3_bucket_name: str | None = None,
        s3_region_name: str | None = None,
        s3_endpoint_url: str | None = None,
        local_base_path: str | Path | None = None,
        layout: Layout = "flat",
        s3_client_factory: S3ClientFactory | None = None,
        concurrency: int = 64,
        store: Store | None = None,
        clock: Clock = system_clock,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise InvalidConfiguration(f"there is no layout {layout!r}", hint="flat or nested")
        if concurrency < 1:
            raise InvalidConfiguration("concurrency must be at least 1")
        self._location = find_location(
            url,
            prefer_s3=prefer_s3,
            bucket=s3_bucket_name,
            region=s3_region_name,
            endpoint_url=s3_endpoint_url,
            local_base_path=local_base_path,
            environment=os.environ if environment is None else environment,
        )
        self._store = store or open_store(self._location, s3_client_factory, clock)
        self._layout: Layout = layout
        self._concurrency = concurrency
        self._clock = clock
        unconfigured = url is None and store is None and prefer_s3
        if unconfigured and self._location.kind == "local" and _once(self._store.url):
            logger.warning(
                "no S3 bucket is configured (SM_S3_BUCKET_NAME); storing in %s",
                self._location.local_base_path,
            )

    @property
    def store(self) -> Store:
        """The store below, wrappers included."""
        return self._store

    @property
    def url(self) -> str:
        """Where everything is stored."""
        return self._store.url

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_storage_info(self) -> dict[str, Any]:
        """Where and how things are stored, without touching the network."""
        location = self._location
        on_s3 = self._store.url.startswith("s3://")
        kind = {"s3": "S3", "local": "Local", "memory": "Memory"}[location.kind]
        return {
            "uses_s3": on_s3,
            "s3_bucket": location.bucket,
            "s3_region": location.region if on_s3 else None,
            "s3_prefix": location.prefix if on_s3 else None,
            "s3_endpoint_url": location.endpoint_url if on_s3 else None,
            "local_base_path": str(location.local_base_path),
            "effective_storage_type": kind,
            "url": self._store.url,
            "layout": self._layout,
        }

    async def connect(self) -> None:
        """Make sure that storing can work. Raises ``S3ConfigError`` or ``LocalStorageError``."""
        await self._store.connect()

    async def close(self) -> None:
        """Let go of what is open. Nothing that was acknowledged depends on it."""

    def session_url(self, session_id: str) -> str:
        """Where the session is: an ``s3://`` URL, or the path of its folder."""
        return self._locate(session_prefix(parse_session_id(session_id))).rstrip("/")

    def _locate(self, key: str) -> str:
        url = self._store.url
        if url.startswith("file://"):
            return str(Path(unquote(urlsplit(url).path)) / key)
        return f"{url.rstrip('/')}/{key}" if not url.endswith("://") else url + key

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

        The same step again is a success; another one under the same ids raises ``Conflict``.
        Returns where each part is: ``html_path``, ``screenshot_path``, ``action_data_path`` and
        ``metadata_path``, ``None`` for what was not given.
        """
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        contents = step_contents(html_content, screenshot_bytes, action_data)
        plain = None if metadata is None else plain_object(metadata, "metadata")
        if replace:
            raise NotSupported(
                "replace=True needs versions, which this store does not keep",
                hint="store under a new step id",
                session_id=session,
            )
        await write_step(
            self._store,
            session,
            step,
            contents,
            committed_at=isoformat(self._clock.now()),
            metadata=plain,
            timings=timings,
            layout=self._layout,
        )
        given = {content.artifact for content in contents}
        if plain is not None:
            given.add(Artifact.METADATA)
        return {
            f"{name}_path": (
                self._locate(artifact_key(session, step, artifact, self._layout))
                if artifact in given
                else None
            )
            for name, artifact in (
                ("html", Artifact.HTML),
                ("screenshot", Artifact.SCREENSHOT),
                ("action_data", Artifact.ACTION),
                ("metadata", Artifact.METADATA),
            )
        }

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
        html, action = data.get(Artifact.HTML), data.get(Artifact.ACTION)
        key = artifact_key(session, step, Artifact.ACTION, self._layout)
        return (
            None if html is None else html.decode(errors="replace"),
            data.get(Artifact.SCREENSHOT),
            None if action is None else decode_object(action, key),
            record.metadata if Artifact.METADATA in wanted else None,
        )

    async def read_artifact(
        self, session_id: str, step_id: str, artifact: Artifact | str
    ) -> bytes | None:
        """The bytes of one artifact as they were given, verified; ``None`` if it has none."""
        (kind,) = _wanted([artifact])
        if kind is Artifact.METADATA:
            raise InvalidInput("the metadata is in the commit record", hint="get_commit_record()")
        _, data = await reading.read_step(
            self._store,
            parse_session_id(session_id),
            parse_step_id(step_id),
            [kind],
            layout=self._layout,
        )
        return data.get(kind)

    async def get_commit_record(self, session_id: str, step_id: str) -> CommitRecord:
        """Sizes, digests, media types, times and metadata of a step. Raises ``NotFound``."""
        session, step = parse_session_id(session_id), parse_step_id(step_id)
        return (await reading.read_commit(self._store, session, step, layout=self._layout)).record

    async def get_manifest(self, session_id: str) -> SessionManifest:
        """How the session ended. Raises ``NotFound`` while it has not been closed."""
        return await sessions.read_manifest(self._store, parse_session_id(session_id))

    async def close_session(
        self,
        session_id: str,
        state: SessionState = SessionState.COMPLETE,
        *,
        manifest: Mapping[str, Any] | None = None,
    ) -> SessionManifest:
        """Write the manifest: the state, the steps and bytes that are stored, and ``manifest``.

        Closing again with the same content is a success, with another raises ``Conflict``.
        """
        return await sessions.close_session(
            self._store,
            parse_session_id(session_id),
            SessionState(state),
            manifest,
            closed_at=isoformat(self._clock.now()),
            layout=self._layout,
            concurrency=self._concurrency,
        )

    def iter_sessions(
        self, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> AsyncIterator[str]:
        """Ids of the stored sessions, in the order of their keys, one page in memory."""
        if after is not None:
            parse_session_id(after)
        return _first(listing.session_ids(self._store, prefix=prefix, after=after), limit)

    async def list_sessions(
        self, prefix: str = "", after: str | None = None, limit: int | None = None
    ) -> list[str]:
        """``iter_sessions`` as a list."""
        return [session async for session in self.iter_sessions(prefix, after, limit)]

    def iter_steps(
        self,
        session_id: str,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[str]:
        """Ids of the session's committed steps, in the order of their keys."""
        session = parse_session_id(session_id)
        if after is not None:
            parse_step_id(after)
        return _first(listing.step_ids(self._store, session, prefix=prefix, after=after), limit)

    async def list_steps_for_session(
        self,
        session_id: str,
        prefix: str = "",
        after: str | None = None,
        limit: int | None = None,
    ) -> list[str]:
        """``iter_steps`` as a list; empty for a session that does not exist."""
        return [step async for step in self.iter_steps(session_id, prefix, after, limit)]

    async def delete_step(self, session_id: str, step_id: str) -> None:
        """Remove the step for good. An absent one is fine, and logged."""
        await deletion.delete_step(
            self._store, parse_session_id(session_id), parse_step_id(step_id)
        )

    async def delete_session(self, session_id: str) -> None:
        """Remove the session with all its steps for good. An absent one is fine, and logged."""
        await deletion.delete_session(self._store, parse_session_id(session_id))

    async def store_derived(
        self,
        session_id: str,
        name: str,
        data: bytes,
        media_type: str = "application/octet-stream",
        step_id: str | None = None,
    ) -> str:
        """Store or replace a file that was computed from the session, or from a step of it."""
        session = parse_session_id(session_id)
        step = None if step_id is None else parse_step_id(step_id)
        await derived.write_derived(self._store, session, name, data, media_type, step)
        return self._locate(derived_key(session, name, step))

    async def retrieve_derived(
        self, session_id: str, name: str, step_id: str | None = None
    ) -> bytes:
        """The bytes of a derived file. Raises ``NotFound``."""
        step = None if step_id is None else parse_step_id(step_id)
        return await derived.read_derived(self._store, parse_session_id(session_id), name, step)

    async def read_object(self, key: str) -> StoredObject:
        """An object of a reserved area (``_catalog/...``), with its etag. Raises ``NotFound``."""
        return await self._store.fetch(parse_reserved_key(key))

    async def write_object(
        self,
        key: str,
        data: bytes,
        media_type: str = "application/octet-stream",
        *,
        create: bool = True,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Write an object of a reserved area: new, over a known etag, or over whatever is there.

        Raises ``Conflict`` where ``create`` or ``if_match`` does not hold. A caller that gets one
        compares what is there: the answer to its own write may have been lost.
        """
        return await self._store.put(
            parse_reserved_key(key),
            data,
            media_type=media_type,
            sha256=await digest(data),
            create=create,
            if_match=if_match,
        )

    async def iter_objects(
        self, prefix: str, after: str | None = None
    ) -> AsyncIterator[ObjectInfo]:
        """The objects of a reserved area, in the order of their keys."""
        async for page in self._store.list(parse_reserved_prefix(prefix), after=after):
            for info in page.objects:
                yield info

    async def delete_objects(self, keys: Sequence[str]) -> None:
        """Remove objects of a reserved area. Raises ``PartialFailure``."""
        await deletion.delete_keys(self._store, [parse_reserved_key(key) for key in keys])


def _once(url: str) -> bool:
    """Whether this is the first time that the URL is asked for in this process."""
    first = url not in _said
    _said.add(url)
    return first


def _wanted(artifacts: Collection[Artifact | str] | None) -> tuple[Artifact, ...]:
    if artifacts is None:
        return tuple(Artifact)
    names = [artifacts] if isinstance(artifacts, str) else artifacts
    try:
        return tuple(Artifact(name) for name in names)
    except ValueError as error:
        raise InvalidInput(f"{error}", hint=f"artifacts are {', '.join(Artifact)}") from error


async def _first(items: AsyncIterator[str], limit: int | None) -> AsyncIterator[str]:
    left = -1 if limit is None else limit
    if left == 0:
        return
    async for item in items:
        yield item
        left -= 1
        if left == 0:
            return
