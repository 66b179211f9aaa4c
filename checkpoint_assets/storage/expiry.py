"""When sessions and steps expire: one small object each, the same on every store.

The truth is ``_retention/expires/of/{session}/...``. An entry below ``_retention/expires/due/``
with the day in its key lets the due ones be found without looking at all others; it is written
first and removed last, so it may be there without the truth, never the other way round.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from checkpoint_assets.model.clock import Clock, isoformat, parse_isoformat
from checkpoint_assets.model.errors import (
    DeleteRefused,
    IntegrityError,
    InvalidInput,
    NotFound,
    StorageError,
)
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.clock_skew import trusted_now
from checkpoint_assets.storage.content import decode_object
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import (
    DUE_PREFIX,
    Layout,
    due_key,
    expiry_key,
    expiry_prefix,
    parse_due_key,
)
from checkpoint_assets.storage.listing import session_ids
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.pins import is_pinned
from checkpoint_assets.storage.reading import read_commit
from checkpoint_assets.storage.store import Store

logger = logging.getLogger(__name__)

LONGEST = timedelta(days=100 * 366)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_SETTLED = timedelta(hours=1)


def expiry_time(now: datetime, expires_at: datetime | None, ttl: timedelta | None) -> datetime:
    """The moment that one of the two names. Raises ``InvalidInput``.

    A moment in the past is fine: it is due at once. A ``ttl`` counts from now and is positive.
    """
    if (expires_at is None) == (ttl is None):
        raise InvalidInput("give either expires_at or ttl")
    if ttl is not None:
        if not isinstance(cast("object", ttl), timedelta) or not timedelta() < ttl <= LONGEST:
            raise InvalidInput(f"a ttl of {ttl} is not between 0 and 100 years")
        return now + ttl
    if not isinstance(expires_at, datetime) or expires_at.tzinfo is None:
        raise InvalidInput("expires_at must be a datetime with a time zone")
    if expires_at < EARLIEST or expires_at - now > LONGEST:
        raise InvalidInput(f"{expires_at} is before 1970 or more than 100 years away")
    return expires_at


async def require_subject(
    store: Store, session_id: SessionId, step_id: StepId | None, layout: Layout
) -> None:
    """Raises ``NotFound`` unless the session, or the step, is there."""
    if step_id is not None:
        await read_commit(store, session_id, step_id, layout=layout)
        return
    async for found in session_ids(store, prefix=session_id):
        if found == session_id:
            return
    raise NotFound(f"there is no session {session_id}", session_id=session_id)


async def write_expiration(
    store: Store, session_id: SessionId, step_id: StepId | None, expires_at: datetime
) -> None:
    """The session, or the step, expires then, and no more when it did before."""
    before = await read_expiration(store, session_id, step_id)
    moment = isoformat(expires_at)
    data = encode_json(
        {
            "schema_version": SCHEMA_VERSION,
            "session_id": session_id,
            "step_id": step_id,
            "expires_at": moment,
        }
    )
    due = due_key(moment[:10], session_id, step_id)
    for key in (due, expiry_key(session_id, step_id)):
        await store.put(key, data, media_type=JSON, sha256=sha256_hex(data), create=False)
    if before is not None:
        old = due_key(isoformat(before)[:10], session_id, step_id)
        if old != due:
            await _remove(store, [old])


async def read_expiration(
    store: Store, session_id: SessionId, step_id: StepId | None
) -> datetime | None:
    """When it expires; ``None`` if nothing says so."""
    key = expiry_key(session_id, step_id)
    try:
        fields = decode_object(await store.get(key), key)
        return parse_isoformat(fields["expires_at"])
    except NotFound:
        return None
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, StorageError):
            raise
        raise IntegrityError(f"{key} says no time: {error}", key=key) from error


async def clear_expiration(store: Store, session_id: SessionId, step_id: StepId | None) -> None:
    """It does not expire any more. That it never did is fine."""
    before = await read_expiration(store, session_id, step_id)
    if before is not None:
        await _remove(store, [expiry_key(session_id, step_id)])
        await _remove(store, [due_key(isoformat(before)[:10], session_id, step_id)])


async def remove_expirations(store: Store, session_id: SessionId, step_id: StepId | None) -> None:
    """Nothing is left of the expiries of a session and its steps, or of a step."""
    if step_id is not None:
        return await clear_expiration(store, session_id, step_id)
    steps: list[StepId | None] = []
    async for page in store.list(expiry_prefix(session_id)):
        for info in page.objects:
            file = info.key.removeprefix(expiry_prefix(session_id)).removesuffix(".json")
            steps.append(StepId(file.removeprefix("steps/")) if "/" in file else None)
    for step in steps:
        await clear_expiration(store, session_id, step)
    return None


async def _remove(store: Store, keys: list[str]) -> None:
    report = await store.delete(keys)
    for error in report.failed.values():
        raise error


@dataclass(frozen=True, slots=True)
class Expired:
    """A session, or a step, whose time has come."""

    session_id: str
    step_id: str | None
    expires_at: datetime

    @property
    def name(self) -> str:
        return f"{self.session_id}/{self.step_id}" if self.step_id else self.session_id


@dataclass(slots=True)
class ExpirationReport:
    """What expired and is deleted now, or would have been; what is kept by a pin; what failed."""

    dry_run: bool
    expired: list[Expired] = field(default_factory=list[Expired])
    pinned: list[Expired] = field(default_factory=list[Expired])
    failed: dict[str, Exception] = field(default_factory=dict[str, Exception])


async def due(store: Store, now: datetime, *, tidy: bool) -> AsyncIterator[Expired]:
    """What has expired by now, the oldest days first; ``tidy`` removes entries without a truth."""
    today = isoformat(now)[:10]
    async for page in store.list(DUE_PREFIX):
        for info in page.objects:
            parsed = parse_due_key(info.key)
            if parsed is None:
                continue
            day, session_id, step_id = parsed
            if day > today:
                return
            moment = await read_expiration(store, session_id, step_id)
            if moment is None or isoformat(moment)[:10] != day:
                # A new entry is written before its truth: only an old one is alone for good.
                if tidy and now - info.modified > _SETTLED:
                    await _remove(store, [info.key])
            elif moment <= now:
                yield Expired(session_id, step_id, moment)


async def apply_expirations(
    store: Store,
    clock: Clock,
    delete: Callable[[SessionId, StepId | None], Awaitable[object]],
    *,
    dry_run: bool,
) -> ExpirationReport:
    """Delete what has expired and is not pinned. Raises ``DeleteRefused`` on clock skew."""
    report = ExpirationReport(dry_run)
    now = await trusted_now(store, clock)
    async for expired in due(store, now, tidy=not dry_run):
        session_id = SessionId(expired.session_id)
        step_id = StepId(expired.step_id) if expired.step_id else None
        try:
            if await is_pinned(store, session_id):
                report.pinned.append(expired)
                continue
            if not dry_run:
                await delete(session_id, step_id)
                await clear_expiration(store, session_id, step_id)
            report.expired.append(expired)
        except DeleteRefused:
            report.pinned.append(expired)
        except StorageError as error:
            logger.warning("%s has expired and could not be deleted: %s", expired.name, error)
            report.failed[expired.name] = error
    return report
