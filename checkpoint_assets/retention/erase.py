"""Erasure: nothing of a session is left that could be read, anywhere in the store, ever again.

Its files with all their versions, what was derived from it, what is set aside of it, its rows in
the catalogue and in the views; only its id stays, in the receipt and where its absence is noted.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field

import pyarrow.parquet as pq

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.catalogue.columns import texts
from checkpoint_assets.catalogue.parquet import PARQUET, encode
from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.errors import DeleteRefused, InvalidInput, PartialFailure
from checkpoint_assets.model.ids import SessionId, parse_session_id
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json
from checkpoint_assets.storage.deletion import raise_failures
from checkpoint_assets.storage.keys import (
    CATALOG,
    QUARANTINE,
    VIEWS,
    pin_key,
    receipt_key,
    session_prefix,
)
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.storage_manager import StorageManager

# What else knows of sessions, by name: removes what it has of one, and says how much that was.
Others = Mapping[str, Callable[[SessionId], Awaitable[int]]]


@dataclass(slots=True)
class Receipt:
    """What was erased of a session. ``foreign`` objects in its folder are not ours, and stay."""

    session_id: str
    erased_at: str
    reason: str
    steps: int = 0
    objects: int = 0
    versions: int = 0
    quarantined: int = 0
    views: int = 0
    catalogue_rows: int = 0
    foreign: list[str] = field(default_factory=list[str])
    others: dict[str, int] = field(default_factory=dict[str, int])

    def to_json(self) -> bytes:
        """The bytes of the receipt."""
        return encode_json({"schema_version": SCHEMA_VERSION, **asdict(self)})


async def erase(
    storage: StorageManager,
    catalogue: Catalogue,
    session_id: str,
    reason: str,
    *,
    others: Others | None = None,
    clock: Clock = system_clock,
) -> Receipt:
    """Erase the session for good; the receipt, kept as ``_retention/erased/{session_id}.json``.

    For a session that nobody writes to any more. Safe to run again, also for one that is gone.
    Raises ``DeleteRefused`` for a pinned session, ``PartialFailure`` if anything is left, and
    ``NotSupported`` where the catalogue cannot be written anew.
    """
    session = parse_session_id(session_id)
    if not reason.strip():
        raise InvalidInput("an erasure needs a reason")
    if await storage.get_pin(session) is not None:
        raise DeleteRefused(
            f"session {session} is pinned",
            key=pin_key(session),
            session_id=session,
            hint="unpin() it first, if you may",
        )
    receipt = Receipt(session, isoformat(clock.now()), reason)
    receipt.catalogue_rows = len(await catalogue.steps(columns=["step_id"], sessions=[session]))
    receipt.steps = len(await storage.list_steps_for_session(session))
    before = await _keys(storage, session_prefix(session))
    receipt.versions = await _count_versions(storage, session_prefix(session))
    await storage.delete_session(session, permanent=True)
    receipt.foreign = await _keys(storage, session_prefix(session))
    receipt.objects = len(before) - len(receipt.foreign)
    receipt.quarantined = await _remove(storage, f"{QUARANTINE}/{session_prefix(session)}")
    receipt.views = await _clear_views(storage, session)
    await catalogue.forget(session)
    for area in (CATALOG, VIEWS):
        await _remove_old_versions(storage, f"{area}/")
    for name, remove in (others or {}).items():
        receipt.others[name] = await remove(session)
    await _check(storage, catalogue, session)
    await storage.write_object(receipt_key(session), receipt.to_json(), JSON, create=False)
    return receipt


async def _keys(storage: StorageManager, prefix: str) -> list[str]:
    return [info.key async for page in storage.store.list(prefix) for info in page.objects]


async def _count_versions(storage: StorageManager, prefix: str) -> int:
    if not await storage.store.keeps_versions():
        return 0
    return sum([len(page) async for page in storage.store.list_versions(prefix)])


async def _remove(storage: StorageManager, prefix: str) -> int:
    """Everything below the prefix, with all versions."""
    keys = await _keys(storage, prefix)
    raise_failures((await storage.store.delete(keys)).failed, len(keys))
    if await storage.store.keeps_versions():
        async for page in storage.store.list_versions(prefix):
            doomed = [(version.key, version.version) for version in page]
            raise_failures((await storage.store.delete_versions(doomed)).failed, len(doomed))
    return len(keys)


async def _remove_old_versions(storage: StorageManager, prefix: str) -> None:
    """What was there before, of an area that can be made anew."""
    if not await storage.store.keeps_versions():
        return
    async for page in storage.store.list_versions(prefix):
        doomed = [(v.key, v.version) for v in page if v.deleted or not v.latest]
        if doomed:
            raise_failures((await storage.store.delete_versions(doomed)).failed, len(doomed))


async def _clear_views(storage: StorageManager, session: SessionId) -> int:
    """Views without the session: its rows leave a table, what names it otherwise goes."""
    changed = 0
    async for info in storage.iter_objects(f"{VIEWS}/"):
        data = (await storage.read_object(info.key)).data
        if info.key.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            if "session_id" not in table.column_names:
                continue
            staying = [other != session for other in texts(table, "session_id")]
            if all(staying):
                continue
            left = encode(table.filter(staying))
            await storage.write_object(info.key, left, PARQUET, create=False)
        elif session.encode() in data:
            await storage.delete_objects([info.key])
        else:
            continue
        changed += 1
    return changed


async def _check(storage: StorageManager, catalogue: Catalogue, session: SessionId) -> None:
    """Raises ``PartialFailure`` if a step, a version of one or a row is still there."""
    left: dict[str, Exception] = {}
    if await storage.list_steps_for_session(session):
        left[session_prefix(session)] = DeleteRefused("steps were stored meanwhile")
    if len(await catalogue.sessions(columns=["session_id"], sessions=[session])):
        left[CATALOG] = DeleteRefused("rows were appended meanwhile")
    if left:
        raise PartialFailure(
            f"session {session} is not erased: {'; '.join(map(str, left.values()))}",
            left,
            hint="see that nobody writes to it, and erase it again",
        )
