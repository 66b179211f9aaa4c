"""Writes that belong together, to one place: a step as a whole, a manifest with its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage import commit, sessions
from checkpoint_assets.storage.commit import WriteOptions
from checkpoint_assets.storage.content import Content
from checkpoint_assets.storage.keys import Layout
from checkpoint_assets.storage.spooling import SpoolingStore
from checkpoint_assets.storage.store import Store


async def write_step(
    store: Store,
    session_id: SessionId,
    step_id: StepId,
    contents: Sequence[Content],
    *,
    committed_at: str,
    metadata: Mapping[str, Any] | None = None,
    timings: Mapping[str, float] | None = None,
    options: WriteOptions,
) -> None:
    """``commit.write_step``, to the spool as a whole if the store is away and has one.

    A step is only replaced where its versions are, so ``replace`` raises ``StoreUnavailable`` then.
    """

    async def write(place: Store) -> None:
        await commit.write_step(
            place,
            session_id,
            step_id,
            contents,
            committed_at=committed_at,
            metadata=metadata,
            timings=timings,
            options=options,
        )

    if not isinstance(store, SpoolingStore):
        await write(store)
    elif options.replace:
        await store.replace_step(session_id, step_id, write)
    else:
        size = sum(len(content.data) for content in contents)
        await store.write_step(session_id, step_id, size, write)


async def close_session(
    store: Store,
    session_id: SessionId,
    state: SessionState,
    given: Mapping[str, Any] | None,
    *,
    closed_at: str,
    layout: Layout,
    concurrency: int,
) -> SessionManifest:
    """``sessions.close_session``, to the spool if the store is away and has one."""

    async def write(place: Store) -> SessionManifest:
        return await sessions.close_session(
            place,
            session_id,
            state,
            given,
            closed_at=closed_at,
            layout=layout,
            concurrency=concurrency,
        )

    if not isinstance(store, SpoolingStore):
        return await write(store)
    return await store.write_manifest(session_id, write)
