"""Which sessions a listing is about: by state, by scenario, by when they began."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypedDict, cast

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import InvalidInput, NotFound
from checkpoint_assets.model.ids import SessionId
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.keys import session_prefix
from checkpoint_assets.storage.sessions import read_manifest
from checkpoint_assets.storage.store import Store

_FIELDS = frozenset(["state", "scenario", "since", "until"])
# A time in an id that is further off is no time, but an id of another making.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FUTURE = timedelta(days=366 * 100)


class SessionFilter(TypedDict, total=False):
    """All that is given must hold. ``since`` <= when the session began < ``until``.

    A session without a manifest is ``incomplete`` and of no scenario.
    """

    state: SessionState | str
    scenario: str
    since: datetime
    until: datetime


def check_filter(where: SessionFilter) -> SessionFilter:
    """The filter. Raises ``InvalidInput`` for one that means nothing."""
    unknown = set(where) - _FIELDS
    if unknown:
        raise InvalidInput(
            f"unknown filter {', '.join(sorted(unknown))}", hint=f"use {', '.join(sorted(_FIELDS))}"
        )
    for name in ("since", "until"):
        moment = cast("object", where.get(name))
        if name in where and not (isinstance(moment, datetime) and moment.tzinfo):
            raise InvalidInput(f"{name} must be a datetime with a time zone")
    if "state" in where:
        try:
            SessionState(where["state"])
        except ValueError as error:
            raise InvalidInput(str(error), hint=f"states are {', '.join(SessionState)}") from error
    return where


async def matches(store: Store, session_id: SessionId, where: SessionFilter) -> bool:
    """Whether the session is one of those."""
    began = time_of_id(session_id)
    if began is not None and not _in_time(began, where):
        return False
    manifest: SessionManifest | None = None
    with suppress(NotFound):
        manifest = await read_manifest(store, session_id)
    if "state" in where:
        state = manifest.state if manifest else SessionState.INCOMPLETE
        if state != SessionState(where["state"]):
            return False
    if "scenario" in where and (manifest is None or manifest.scenario != where["scenario"]):
        return False
    if began is not None or not {"since", "until"} & set(where):
        return True
    began = await _began(store, session_id, manifest)
    return began is not None and _in_time(began, where)


def _in_time(began: datetime, where: SessionFilter) -> bool:
    if "since" in where and began < where["since"]:
        return False
    return "until" not in where or began < where["until"]


def time_of_id(session_id: str) -> datetime | None:
    """When an id of our own making (UUIDv7) was made; ``None`` for another."""
    try:
        number = uuid.UUID(session_id)
    except ValueError:
        return None
    if number.version != 7 or str(number) != session_id:
        return None
    age = timedelta(milliseconds=number.int >> 80)
    return _EPOCH + age if age < _FUTURE else None


async def _began(
    store: Store, session_id: SessionId, manifest: SessionManifest | None
) -> datetime | None:
    if manifest is not None:
        try:
            return parse_isoformat(manifest.started_at or manifest.closed_at)
        except ValueError:
            return None
    times = [
        info.modified
        async for page in store.list(session_prefix(session_id))
        for info in page.objects
    ]
    return min(times, default=None)
