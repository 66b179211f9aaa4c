"""Lists sessions and steps a page at a time; memory stays flat over millions of keys."""

from __future__ import annotations

from collections.abc import AsyncIterator

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.storage.keys import (
    artifact_key,
    parse_session_folder,
    parse_step_key,
    session_prefix,
)
from checkpoint_assets.storage.store import Store


async def session_ids(
    store: Store, *, prefix: str = "", after: str | None = None
) -> AsyncIterator[SessionId]:
    """Ids of sessions, in the order of their keys; those that begin with ``prefix``, > ``after``.

    Reserved and foreign folders are left out.
    """
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
    if after is not None:
        # The flat record sorts before the nested one: '.' comes before '/'.
        start = max(start, artifact_key(session_id, StepId(after), Artifact.METADATA, "flat"))
    async for page in store.list(folder, after=start):
        for info in page.objects:
            # Three of four keys end here: how a record's key ends is the cheapest thing to ask.
            if not info.key.endswith("metadata.json"):
                continue
            key = parse_step_key(info.key)
            if key is None or key.artifact is not Artifact.METADATA:
                continue
            if not key.step_id.startswith(prefix):
                return
            if after is None or key.step_id != after:
                yield key.step_id
