"""A session in the gallery: what its manifest says, when it expires, a small picture."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.storage.session_filter import time_of_id
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.captured_values import number, text
from checkpoint_assets.viewer.pictures import LARGE, small_picture
from checkpoint_assets.viewer.session_view import read_manifest

# Steps that are asked for a picture, from the last one back.
_STEPS_ASKED = 5


@dataclass(frozen=True, slots=True)
class SessionCard:
    """A session as the gallery shows it. ``state`` is ``open`` where there is no manifest yet."""

    session_id: str
    scenario: str
    state: str
    began: datetime | str
    seconds: float | None
    steps: int
    size: int
    expires: datetime | None
    pinned: bool


async def read_card(storage: StorageManager, session_id: str) -> SessionCard:
    """The session's card. One that is damaged or deleted meanwhile has a card, too."""
    manifest, expires, pin = await asyncio.gather(
        read_manifest(storage, session_id),
        storage.get_expiration(session_id),
        storage.get_pin(session_id),
    )
    began = time_of_id(session_id) or text(manifest.started_at if manifest else "")
    if manifest is None:
        steps = len(await storage.list_steps_for_session(session_id))
        return SessionCard(session_id, "", "open", began, None, steps, 0, expires, pin is not None)
    return SessionCard(
        session_id=session_id,
        scenario=text(manifest.scenario),
        state=str(manifest.state),
        began=began,
        seconds=number(manifest.seconds),
        steps=len(manifest.steps),
        size=manifest.bytes,
        expires=expires,
        pinned=pin is not None,
    )


async def read_thumbnail(storage: StorageManager, session_id: str) -> bytes | None:
    """The last picture of the session that can be shown, small; ``None`` if there is none."""
    manifest = await read_manifest(storage, session_id)
    steps: Sequence[str]
    steps = manifest.steps if manifest else await storage.list_steps_for_session(session_id)
    for step_id in reversed(steps[-_STEPS_ASKED:]):
        try:
            data = await storage.read_artifact(session_id, step_id, Artifact.SCREENSHOT)
            if data is not None:
                return await asyncio.to_thread(small_picture, data, LARGE)
        except (NotFound, IntegrityError, ValueError):
            continue  # the one before it will do
    return None
