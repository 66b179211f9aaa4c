"""What the checks of a captured session say, of sessions that were stored by hand."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image, ImageDraw

from checkpoint_assets.processing.checks.drift import judge_drift
from checkpoint_assets.processing.checks.screenshots import is_blank, judge_screenshots
from checkpoint_assets.processing.checks.secrets import judge_secrets
from checkpoint_assets.processing.checks.settling import judge_settling
from checkpoint_assets.storage.memory import MemoryStore
from checkpoint_assets.storage.storage_manager import StorageManager


@pytest.fixture
def storage() -> StorageManager:
    store = MemoryStore()
    return StorageManager(store.url, store=store)


def picture(words: str = "", background: str = "white") -> bytes:
    image = Image.new("RGB", (320, 200), background)
    ImageDraw.Draw(image).text((20, 20), words, fill="black")
    out = BytesIO()
    image.save(out, "WEBP", lossless=True)
    return out.getvalue()


async def store(storage: StorageManager, session: str, *pictures: bytes | None) -> None:
    for number, each in enumerate(pictures, 1):
        await storage.store_step_data(
            session, f"{number:04d}", html_content=f"<p>{number}", screenshot_bytes=each
        )


def test_one_colour_with_a_cursor_is_blank_and_two_words_are_not() -> None:
    cursor = Image.new("RGB", (1280, 800), "navy")
    ImageDraw.Draw(cursor).line((40, 40, 40, 56), fill="white")
    out = BytesIO()
    cursor.save(out, "WEBP", lossless=True)

    assert is_blank(out.getvalue())
    assert is_blank(picture())
    assert not is_blank(picture("two words"))


@pytest.mark.parametrize(
    ("pictures", "passed", "serious"),
    [
        (["a", "b", ""], False, False),
        (["", ""], False, True),
        ([""], False, False),
        (["a", "b"], True, False),
        (["a"] * 4, True, False),
        (["a"] * 5, False, False),
        ([], True, False),
    ],
)
async def test_pictures_show_something_and_change(
    storage: StorageManager, pictures: list[str], passed: bool, serious: bool
) -> None:
    await store(storage, "s1", *map(picture, pictures), None)
    verdict = await judge_screenshots(storage, "s1", 0, 0.9)

    assert (verdict.passed, verdict.serious) == (passed, serious)


async def test_a_share_of_blank_pictures_may_be_allowed(storage: StorageManager) -> None:
    await store(storage, "s1", picture("a"), picture("b"), picture("c"), picture())

    assert (await judge_screenshots(storage, "s1", 0.25, 0.9)).passed
    assert not (await judge_screenshots(storage, "s1", 0.24, 0.9)).passed


async def test_steps_that_did_not_settle_or_changed_are_counted(storage: StorageManager) -> None:
    notes = [
        {"settle": {"reason": "quiet"}, "consistency": {"mutations": 0}},
        {"settle": {"reason": "timeout"}, "consistency": {"mutations": None}},
        {"settle": {"reason": "quiet"}, "consistency": {"mutations": 3}},
        {"settle": {"reason": "quiet"}, "consistency": {"mutations": 0}},
        {"mine": "stored by other means"},
    ]
    for number, each in enumerate(notes):
        await storage.store_step_data("s1", f"{number}", html_content="<p>", metadata=each)
    verdict = await judge_settling(storage, "s1", 0.25, 0.5)

    assert verdict.passed
    assert (verdict.facts["unsettled"], verdict.facts["inconsistent"]) == (0.25, 0.5)
    assert verdict.facts["inconsistent_steps"] == ["1", "2"]
    assert not (await judge_settling(storage, "s1", 0.2, 0.5)).passed
    assert not (await judge_settling(storage, "s1", 0.25, 0.4)).passed


async def test_steps_that_came_or_went_have_drifted(storage: StorageManager) -> None:
    await store(storage, "s1", picture("a"), picture("b"))
    await store(storage, "s2", picture("a"))

    fewer = await judge_drift(storage, "s2", "s1", 1, 1)
    assert (fewer.passed, fewer.facts["removed"]) == (False, ["0002"])
    more = await judge_drift(storage, "s1", "s2", 1, 1)
    assert (more.passed, more.facts["added"]) == (False, ["0002"])


async def test_pixels_and_lines_are_judged_each_by_its_limit(storage: StorageManager) -> None:
    await storage.store_step_data(
        "s1", "0001", html_content="<p>a<p>b", screenshot_bytes=picture("a")
    )
    await storage.store_step_data(
        "s2", "0001", html_content="<p>a<p>c", screenshot_bytes=picture("a", "red")
    )
    verdict = await judge_drift(storage, "s2", "s1", 1, 1)

    assert verdict.passed
    assert verdict.facts["most_pixels"] > 0.9
    assert 0 < verdict.facts["most_dom"] < 0.5
    assert verdict.picture is not None
    assert verdict.picture.startswith(b"\xff\xd8\xff")
    for limits in ((0.9, 1), (1, 0.01)):
        assert not (await judge_drift(storage, "s2", "s1", *limits)).passed


async def test_what_is_captured_no_more_is_no_drift(storage: StorageManager) -> None:
    await store(storage, "s1", picture("a"))
    await store(storage, "s2", None)

    assert (await judge_drift(storage, "s2", "s1", 0, 0)).passed


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-----BEGIN RSA PRIVATE " + "KEY-----", "private key"),
        ("ghp_" + "a1" * 20, "GitHub token"),
        ("bb_live_" + "a1" * 10, "Browserbase key"),
        ("ticket-4711", "pattern 1"),
    ],
)
async def test_what_looks_like_a_secret_is_told_by_its_place_alone(
    storage: StorageManager, text: str, what: str
) -> None:
    await storage.store_step_data("s1", "0001", html_content="<p>", action_data={"note": text})
    verdict = await judge_secrets(storage, "s1", lambda _: 0, [r"ticket-\d+"])

    assert (verdict.passed, verdict.serious) == (False, False)
    assert verdict.facts["where"] == [f"{what} in s1/0001.action.json"]
    assert text not in str(verdict.facts)
