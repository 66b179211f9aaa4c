"""The catalogue answers queries as the store itself would, also when it is behind."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from checkpoint_assets.catalogue.query_index import CatalogueIndex
from checkpoint_assets.model.contract_records import QueryCriteria, StorageLocation
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import Conflict, StoreUnavailable
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.storage.store import Store, StoredObject
from checkpoint_assets.testing.recording_store import RecordingStore
from checkpoint_assets_tests.catalogue.case import HOUR, START, Shop

MINUTE = timedelta(minutes=1)
Criteria = list[QueryCriteria]


def through(shop: Shop, store: Store) -> StorageManager:
    """A manager of the shop that goes through ``store``."""
    return StorageManager(store.url, store=store, clock=shop.clock)


async def both_ways(shop: Shop, criteria: QueryCriteria) -> list[StorageLocation]:
    """What the store says, which is what the catalogue says."""
    listed = list(await shop.storage.query(criteria))
    answer = await CatalogueIndex(shop.storage)(criteria)
    assert answer is not None
    assert list(answer) == listed, criteria
    return listed


async def filled(shop: Shop) -> None:
    """Closed, open, failed and untold sessions, minutes apart, and some steps of long ago."""
    for number, session in enumerate(["s1", "s1-b", "s2", "s3"]):
        for step in range(3):
            await shop.storage.store_step_data(
                session,
                f"{step + 1:04d}-goto",
                html_content=f"<p>{session} {step}",
                metadata={"url": f"https://{session}.example/", "title": 7 if step else "Tea"},
            )
            shop.clock.advance(MINUTE)
        state = SessionState.INCOMPLETE if session == "s2" else SessionState.COMPLETE
        manifest = {"scenario": ["tea", "pot", "tea", None][number]}
        if session != "s3":
            await shop.storage.close_session(session, state, manifest=manifest)
        shop.clock.advance(MINUTE)
        await shop.catalogue.append_session(session)
        shop.clock.advance(MINUTE)
    await shop.capture("s4", append=False)


CRITERIA = [
    QueryCriteria(),
    QueryCriteria(session_id="s1"),
    QueryCriteria(session_id="s3"),
    QueryCriteria(session_id="s4"),
    QueryCriteria(session_id="nobody"),
    QueryCriteria(scenario="tea"),
    QueryCriteria(scenario="checkout"),
    QueryCriteria(scenario="nothing"),
    QueryCriteria(state=SessionState.COMPLETE),
    QueryCriteria(state=SessionState.INCOMPLETE),
    QueryCriteria(state=SessionState.ABORTED),
    QueryCriteria(scenario="tea", state=SessionState.COMPLETE),
    QueryCriteria(scenario="tea", session_id="s1-b"),
    QueryCriteria(since=START + 2 * MINUTE),
    QueryCriteria(until=START + 2 * MINUTE),
    QueryCriteria(since=START + MINUTE, until=START + 7 * MINUTE, scenario="pot"),
    QueryCriteria(limit=0),
    QueryCriteria(limit=4),
    QueryCriteria(after="s1/0002-goto"),
    QueryCriteria(after="s1/0002-goto", session_id="s1"),
    QueryCriteria(after="s1/0002-goto", session_id="s2"),
    QueryCriteria(after="s2", limit=2),
    QueryCriteria(after="s1-b/0009-none", scenario="tea"),
]


@pytest.mark.parametrize("compacted", [False, True])
async def test_both_ways_give_equal_answers(shop: Shop, compacted: bool) -> None:
    await filled(shop)
    if compacted:
        await shop.catalogue.compact()
    lengths = {len(await both_ways(shop, criteria)) for criteria in CRITERIA}
    assert len(lengths) > 4


async def test_page_by_page_is_the_whole(shop: Shop) -> None:
    await filled(shop)
    index = CatalogueIndex(shop.storage)
    pages: list[StorageLocation] = []
    after: str | None = None
    while page := await index(QueryCriteria(limit=2, after=after)):
        pages += page
        after = page[-1].location_id
    assert pages == list(await shop.storage.query(QueryCriteria()))


async def test_without_a_catalogue_the_store_is_listed(shop: Shop) -> None:
    await shop.capture("s1", append=False)
    assert len(await both_ways(shop, QueryCriteria(scenario="checkout"))) == 2


async def a_step_comes(shop: Shop) -> None:
    await shop.storage.store_step_data("s1", "0009-late", html_content="<p>late")


async def a_step_goes(shop: Shop) -> None:
    await shop.storage.delete_step("s1", "0002-goto")


async def a_step_goes_for_good(shop: Shop) -> None:
    await shop.storage.delete_step("s1", "0002-goto", permanent=True)


async def a_step_is_replaced(shop: Shop) -> None:
    # As ``replace=True`` does where versions are kept.
    record = await shop.storage.get_commit_record("s1", "0002-goto")
    data = record.model_copy(update={"metadata": {"title": "New"}}).to_json()
    await shop.store.put(
        "s1/0002-goto.metadata.json",
        data,
        media_type="application/json",
        sha256=sha256_hex(data),
        create=False,
    )


async def a_session_goes(shop: Shop) -> None:
    await shop.storage.delete_session("s1")


async def a_session_goes_for_good(shop: Shop) -> None:
    await shop.storage.delete_session("s1", permanent=True)


async def a_session_goes_and_comes_back(shop: Shop) -> None:
    await shop.storage.delete_session("s1")
    await shop.catalogue.append_events(["s1"])
    await shop.storage.restore_session("s1")


async def an_open_session_is_closed(shop: Shop) -> None:
    await shop.storage.close_session("s3", manifest={"scenario": "tea"})


async def a_session_comes(shop: Shop) -> None:
    await shop.capture("s5", append=False)


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        a_step_comes,
        a_step_goes,
        a_step_goes_for_good,
        a_step_is_replaced,
        a_session_goes,
        a_session_goes_for_good,
        a_session_goes_and_comes_back,
        an_open_session_is_closed,
        a_session_comes,
    ],
)
async def test_a_catalogue_that_is_behind_gives_no_wrong_answer(
    shop: Shop, change: Callable[[Shop], Awaitable[None]], at_once: bool
) -> None:
    await filled(shop)
    if at_once:
        # In the same moment as the catalogue's look at the session.
        for session in ("s1", "s3"):
            await shop.catalogue.append_session(session)
    else:
        shop.clock.advance(HOUR)
    before = await both_ways(shop, QueryCriteria())
    await change(shop)
    same = await both_ways(shop, QueryCriteria()) == before
    assert same == (change is a_session_goes_and_comes_back)
    for criteria in CRITERIA:
        await both_ways(shop, criteria)


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_is_told_as_the_store_tells_it(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    sessions = [f"s{number}" for number in range(4)]
    for number in range(40):
        session = chance.choice(sessions)
        step = f"{chance.randint(1, 4):04d}-goto"
        try:
            match chance.randint(0, 8):
                case 0 | 1 | 2:
                    await shop.storage.store_step_data(session, step, html_content=f"<p>{number}")
                case 3:
                    state = chance.choice(list(SessionState))
                    scenario = {"scenario": chance.choice(["tea", "pot"])}
                    await shop.storage.close_session(session, state, manifest=scenario)
                case 4:
                    await shop.storage.delete_step(session, step)
                case 5:
                    await shop.storage.delete_session(session)
                case 6:
                    await shop.storage.restore_session(session)
                case _:
                    await shop.catalogue.append_session(session)
        except (Conflict, LookupError, FileNotFoundError):
            continue  # that could not be done to it
        shop.clock.advance(timedelta(seconds=chance.choice([0, 1, 3, 60])))
        narrow = QueryCriteria(scenario="tea", state=SessionState.COMPLETE)
        await both_ways(shop, chance.choice([narrow, QueryCriteria(session_id=session)]))
        await both_ways(shop, QueryCriteria())


async def test_what_the_catalogue_knows_is_not_read_again(shop: Shop) -> None:
    await filled(shop)
    store = RecordingStore(shop.store)
    storage = through(shop, store)
    storage.answer_queries_by(CatalogueIndex(storage))
    assert len(await storage.query(QueryCriteria(scenario="pot"))) == 3
    read = [call.key for call in store.calls if call.key.startswith("s")]
    # One listing; the open session and the one that the catalogue has not are looked at.
    assert read == ["s1-b/", "s3/session.json", "s4/session.json"]


class Faulty(RecordingStore):
    """Nothing of the catalogue can be reached."""

    async def fetch(self, key: str, *, version: str | None = None) -> StoredObject:
        if key.startswith("_catalog/"):
            raise StoreUnavailable(f"{key} is away")
        return await super().fetch(key, version=version)


async def test_where_the_catalogue_cannot_be_read_the_store_answers(shop: Shop) -> None:
    await filled(shop)
    storage = through(shop, Faulty(shop.store))
    assert await CatalogueIndex(storage)(QueryCriteria()) is None
    storage.answer_queries_by(CatalogueIndex(storage))
    assert len(await storage.query(QueryCriteria())) == 14
