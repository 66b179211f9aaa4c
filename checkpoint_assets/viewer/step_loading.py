"""Reads the steps of a session for a report, one by one, whatever state their files are in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import CheckpointError, IntegrityError, NotFound
from checkpoint_assets.model.ids import parse_session_id, parse_step_id
from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.reading import read_step
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.captured_page import LONGEST_PAGE, CapturedPage, read_page
from checkpoint_assets.viewer.captured_values import LONG, text
from checkpoint_assets.viewer.pictures import Picture, read_picture
from checkpoint_assets.viewer.session_view import SessionView, StepRow
from checkpoint_assets.viewer.step_details import LoadedStep

_FILES = (Artifact.ACTION, Artifact.SCREENSHOT, Artifact.HTML)


async def load_steps(storage: StorageManager, session: SessionView) -> AsyncIterator[LoadedStep]:
    """The steps in order, one ahead of the one that is taken."""
    ahead: asyncio.Task[LoadedStep] | None = None
    try:
        for row in session.steps:
            step = await (ahead or load_step(storage, session.session_id, row))
            following: Sequence[StepRow] = session.steps[row.ordinal + 1 : row.ordinal + 2]
            ahead = None
            if following:
                reading = load_step(storage, session.session_id, following[0])
                ahead = asyncio.ensure_future(reading)
            yield step
    finally:
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)


async def load_step(storage: StorageManager, session_id: str, row: StepRow) -> LoadedStep:
    """The step with all that can be shown of it. An outage of the store is raised."""
    problems: list[str] = []
    ids = parse_session_id(session_id), parse_step_id(row.step_id)
    files: dict[Artifact, bytes] = {}
    try:
        record, files = await read_step(storage.store, *ids, _FILES)
    except (NotFound, IntegrityError):
        # Which of them is it? The others can be shown.
        try:
            record = await storage.get_commit_record(session_id, row.step_id)
        except (NotFound, IntegrityError) as err:
            return LoadedStep(row, problems=(text(err.message, LONG),))
        for artifact in _FILES:
            try:
                _, found = await read_step(storage.store, *ids, [artifact])
            except (NotFound, IntegrityError) as err:
                problems.append(f"the {artifact} cannot be shown: {text(err.message, LONG)}")
            else:
                files |= found
    return await asyncio.to_thread(_loaded, row, record, files, problems)


def _loaded(
    row: StepRow, record: CommitRecord, files: dict[Artifact, bytes], problems: list[str]
) -> LoadedStep:
    picture: Picture | None = None
    page: CapturedPage | None = None
    action: dict[str, Any] = {}
    if (data := files.get(Artifact.SCREENSHOT)) is not None:
        try:
            picture = read_picture(data)
        except ValueError as err:
            problems.append(f"the picture cannot be shown: {err}")
    if (html := files.get(Artifact.HTML)) is not None:
        if len(html) > LONGEST_PAGE:
            problems.append(f"the page cannot be shown: it has {len(html):,} bytes")
        else:
            page = read_page(html.decode(errors="replace"))
    if (stored := files.get(Artifact.ACTION)) is not None:
        try:
            action = decode_object(stored, "the action")
        except CheckpointError as err:
            problems.append(text(err.message, LONG))
    return LoadedStep(
        row=row,
        record=record,
        action=action,
        picture=picture,
        picture_bytes=files.get(Artifact.SCREENSHOT, b"") if picture else b"",
        page=page,
        problems=tuple(problems),
    )
