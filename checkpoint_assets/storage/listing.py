"""Lists sessions and steps a page at a time; memory stays flat over millions of keys."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.keys import (
    TOMBSTONES,
    artifact_key,
    parse_record_name,
    parse_session_folder,
    parse_tombstone_key,
    session_prefix,
)
from checkpoint_assets.storage.store import Store


async def session_ids(
    store: Store, *, prefix: str = "", after: str | None = None
) -> AsyncIterator[SessionId]:
    """Ids of sessions, in the order of their keys; those that begin with ``prefix``, > ``after``.

    Reserved and foreign folders are left out, and so are sessions that were deleted.
    """
    # Both listings have the same order, so one page of each is all that is held.
    deleted = _buried_sessions(store, after)
    next_deleted = await anext(deleted, None)
    async for session_id in _session_folders(store, prefix, after):
        while next_deleted is not None and f"{next_deleted}/" < f"{session_id}/":
            next_deleted = await anext(deleted, None)
        if session_id != next_deleted:
            yield session_id


async def _buried_sessions(store: Store, after: str | None) -> AsyncIterator[SessionId]:
    start = f"{TOMBSTONES}/{after}/" if after else None
    async for page in store.list(f"{TOMBSTONES}/", after=start):
        for info in page.objects:
            parsed = parse_tombstone_key(info.key)
            if parsed is not None and parsed[1] is None:
                yield parsed[0]


async def _session_folders(
    store: Store, prefix: str, after: str | None
) -> AsyncIterator[SessionId]:
    start = f"{after}/" if after else None
    if prefix and (start is None or start < prefix):
        # Nothing before the prefix is asked for. A folder that equals it is longer by its slash.
        start = prefix
    async for page in store.list("", after=start, recursive=False):
        for folder in page.folders:
            if not folder.startswith(prefix):
                if folder > prefix:
                    return
                continue
            session_id = parse_session_folder(folder)
            if session_id is not None:
                yield session_id


async def step_ids(
    store: Store, session_id: SessionId, *, prefix: str = "", after: str | None = None
) -> AsyncIterator[StepId]:
    """Ids of the session's committed steps, in the order of their keys."""
    folder = session_prefix(session_id)
    start = folder + prefix
    last: StepId | None = None
    if after is not None:
        # The flat record sorts before the nested one: '.' comes before '/'.
        start = max(start, artifact_key(session_id, StepId(after), Artifact.METADATA, "flat"))
    async for page in store.list(folder, after=start):
        for info in page.objects:
            # Three of four keys end here: how a record's key ends is the cheapest thing to ask.
            if not info.key.endswith("metadata.json"):
                continue
            parsed = parse_record_name(info.key[len(folder) :])
            if parsed is None:
                continue
            step_id = parsed[0]
            if not step_id.startswith(prefix):
                return
            # A step that is there in both layouts has its two records one after the other.
            if step_id not in (after, last):
                last = step_id
                yield step_id


async def matching(
    items: AsyncIterator[SessionId], test: Callable[[SessionId], Awaitable[bool]], ahead: int
) -> AsyncIterator[SessionId]:
    """Those items that pass the test, in order; ``ahead`` of them are tested at a time."""
    testing: deque[tuple[SessionId, asyncio.Task[bool]]] = deque()

    async def passed() -> SessionId | None:
        item, task = testing.popleft()
        return item if await task else None

    try:
        async for item in items:
            testing.append((item, asyncio.ensure_future(_call(test, item))))
            if len(testing) >= ahead and (found := await passed()) is not None:
                yield found
        while testing:
            if (found := await passed()) is not None:
                yield found
    finally:
        for _, task in testing:
            task.cancel()
        await asyncio.gather(*(task for _, task in testing), return_exceptions=True)


async def _call(test: Callable[[SessionId], Awaitable[bool]], item: SessionId) -> bool:
    return await test(item)
