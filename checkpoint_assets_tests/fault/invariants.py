"""The guarantees I1 to I6, as one function that every test of this folder calls."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, NotFound
from checkpoint_assets.model.ids import SessionId, StepId
from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.storage.commit import parse_record
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.keys import LAYOUTS, artifact_key, session_prefix
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.tombstones import read_tombstone
from checkpoint_assets_tests.fault.ledger import Content, Ledger, Step


async def assert_invariants(
    storage: StorageManager, ledger: Ledger, *, sessions: Collection[str] | None = None
) -> None:
    """What the store shows agrees with what was promised to those who wrote in the ledger.

    ``sessions`` are all that the ledger is about; without them it is about the whole store.
    """
    listed = await storage.list_sessions() if sessions is None else sessions
    found = await _found(storage, listed)
    for step in ledger.steps():
        _assert_step(step, found.get(step), ledger)
        if step not in found and ledger.must_be_kept(step):
            await _assert_restorable(storage, step)
    for step in found:
        assert step in ledger.steps(), f"I3: nobody stored {step}"
    await _assert_untouched(storage, ledger)


async def _found(storage: StorageManager, sessions: Collection[str]) -> dict[Step, Content]:
    """Each step that is listed, and what a reader gets."""
    found: dict[Step, Content] = {}
    for session in sessions:
        for step in await storage.list_steps_for_session(session):
            try:
                found[session, step] = await storage.retrieve_step_data(session, step)
            except IntegrityError as error:
                raise AssertionError(f"I1: {session}/{step} is torn: {error}") from error
            except NotFound:
                continue
    return found


def _assert_step(step: Step, found: Content | None, ledger: Ledger) -> None:
    due = ledger.must_be(step)
    if due:
        assert found is not None, f"I2: {step} was acknowledged, and is gone"
        assert found in due, f"I2: {step} was acknowledged as {due}, and is {found}"
    if found is not None:
        assert found in ledger.may_be(step), f"I3: {step} is {found}, which nobody stored"
        assert not ledger.must_be_gone(step), f"I2: {step} was deleted, and is there"
    stores = list(ledger.of(step, "store"))
    if not any(True for _ in ledger.of(step, "remove")) and not any(s.replaces for s in stores):
        acknowledged = [store.content for store in stores if store.acknowledged]
        assert all(content == acknowledged[0] for content in acknowledged), (
            f"I4: {step} was acknowledged as several: {acknowledged}"
        )
    stored = [store.content for store in stores]
    for read in ledger.of(step, "read"):
        if read.content is not None:
            assert read.content in stored, f"I1: {step} was read as {read.content}"


async def _assert_restorable(storage: StorageManager, step: Step) -> None:
    """The step was only deleted: its files are there, and so is its record, or a tombstone's."""
    session_id, step_id = SessionId(step[0]), StepId(step[1])
    for record in await _records(storage, session_id, step_id):
        try:
            for artifact in record.artifacts.values():
                file = session_prefix(session_id) + artifact.name
                assert sha256_hex(await storage.store.get(file)) == artifact.sha256
        except NotFound as error:
            raise AssertionError(f"I2: {step} was deleted, and {error.key} is gone") from error
        return
    raise AssertionError(f"I2: {step} was deleted and cannot be restored")


async def _records(
    storage: StorageManager, session_id: SessionId, step_id: StepId
) -> list[CommitRecord]:
    keys = [artifact_key(session_id, step_id, Artifact.METADATA, layout) for layout in LAYOUTS]
    found: dict[str, bytes] = {}
    for buried in (step_id, None):
        present = await read_tombstone(storage.store, session_id, buried)
        if present is not None:
            found |= {key: data for key, data in present[0].records.items() if key in keys}
    for key in keys:
        with suppress(NotFound):
            found[key] = await storage.store.get(key)
    return [parse_record(data, key) for key, data in found.items()]


async def _assert_untouched(storage: StorageManager, ledger: Ledger) -> None:
    for key, data in ledger.untouched.items():
        try:
            now = await storage.store.get(key)
        except NotFound:
            now = None
        assert now == data, f"I5: {key} belongs to nobody here, and has changed"
