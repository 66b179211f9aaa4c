"""A session's manifest: its terminal state, its steps and its size, written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import Conflict, IntegrityError, InvalidInput, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.commit import put_once
from checkpoint_assets.storage.content import plain_object
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import Layout, manifest_key
from checkpoint_assets.storage.listing import step_ids
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.reading import read_commit
from checkpoint_assets.storage.store import Store
from checkpoint_assets.storage.workers import run_all

# Members that differ when the same session is closed again.
_PER_ATTEMPT = ("closed_at", "seconds")


async def read_manifest(store: Store, session_id: SessionId) -> SessionManifest:
    """The session's manifest. Raises ``NotFound`` for a session that was never closed."""
    key = manifest_key(session_id)
    try:
        data = await store.get(key)
    except NotFound as error:
        raise NotFound(
            f"session {session_id} has no manifest",
            key=key,
            session_id=session_id,
            hint="it is still open, or it was never begun",
        ) from error
    manifest = _parse(data, key)
    if manifest.session_id != session_id:
        raise IntegrityError(f"{key} is the manifest of {manifest.session_id}", key=key)
    return manifest


def _parse(data: bytes, key: str) -> SessionManifest:
    try:
        return SessionManifest.model_validate_json(data)
    except ValueError as error:
        raise IntegrityError(f"{key} is no manifest: {error}", key=key) from error


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
    """The session has this state, for good. Raises ``Conflict`` where it ended differently."""
    fields = plain_object(given or {}, "the manifest")
    if fields.get("session_id", session_id) != session_id:
        raise InvalidInput(f"the manifest is of {fields['session_id']}", session_id=session_id)
    listed = [step async for step in step_ids(store, session_id)]
    sizes = await _sizes(store, session_id, listed, layout, concurrency)
    own = {
        "session_id": session_id,
        "state": state,
        "steps": list(sizes),
        "bytes": sum(sizes.values()),
    }
    try:
        manifest = SessionManifest.model_validate({"closed_at": closed_at, **fields, **own})
    except ValueError as error:
        raise InvalidInput(f"the manifest cannot be used: {error}") from error
    data, key = manifest.to_json(), manifest_key(session_id)
    try:
        await put_once(store, key, data, media_type=JSON, sha256=sha256_hex(data))
    except Conflict as conflict:
        theirs = await read_manifest(store, session_id)
        left, right = (m.model_dump(exclude=set(_PER_ATTEMPT)) for m in (theirs, manifest))
        if left != right:
            raise Conflict(
                f"session {session_id} was closed before as {theirs.state}",
                key=key,
                session_id=session_id,
                hint="a session is closed once; capture again under a new id",
            ) from conflict
        return theirs
    return manifest


async def _sizes(
    store: Store, session_id: SessionId, steps: Sequence[StepId], layout: Layout, concurrency: int
) -> dict[StepId, int]:
    """Bytes of all artifacts, as the commit records say. What is deleted meanwhile is left out."""

    async def size(step_id: StepId) -> int | None:
        try:
            commit = await read_commit(store, session_id, step_id, layout=layout)
        except NotFound:
            return None
        return commit.record.size

    found = zip(steps, await run_all(size, steps, concurrency), strict=True)
    return {step_id: size for step_id, size in found if size is not None}
