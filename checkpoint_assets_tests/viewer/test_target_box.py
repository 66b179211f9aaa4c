"""Where a target is: measured before the action, drawn on pictures of before and after it."""

from __future__ import annotations

from typing import Any

from checkpoint_assets.viewer.target_box import target_boxes

ACTION: dict[str, Any] = {
    "target": {"box": {"x": 100, "y": 600, "width": 50, "height": 20}},
    "url_before": "http://x/a",
    "url_after": "http://x/a#part",
}
SIZE = (1000, 500)


def page(scroll: float = 0, **more: Any) -> dict[str, Any]:
    return {"scroll": {"x": 0, "y": scroll}, "viewport": {"device_pixel_ratio": 1}, **more}


def test_a_page_that_scrolled_to_its_target_shows_it_higher_up() -> None:
    boxes = target_boxes(ACTION, page(400), page(100), SIZE, SIZE)
    assert boxes == {"after": [10, 60, 5, 4], "before": None}


def test_a_picture_of_the_full_page_has_it_where_the_page_has_it() -> None:
    full = page(400, full_page=True)
    boxes = target_boxes(ACTION, full, page(100, full_page=True), (1000, 1000), (1000, 1000))
    assert boxes == {"after": [10, 70, 5, 2], "before": [10, 70, 5, 2]}


def test_on_another_page_there_is_no_target() -> None:
    left = {**ACTION, "url_after": "http://x/b"}
    boxes = target_boxes(left, page(), page(), (1000, 1000), (1000, 1000))
    assert boxes == {"after": None, "before": [10, 60, 5, 2]}


def test_pixels_of_a_sharp_screen_are_counted_once() -> None:
    sharp = {**page(400), "viewport": {"device_pixel_ratio": 2}}
    assert target_boxes(ACTION, sharp, page(100), (2000, 1000), None)["after"] == [10, 60, 5, 4]


def test_an_action_without_a_target_has_no_box() -> None:
    assert target_boxes({"kind": "goto"}, page(), page(), SIZE, SIZE) == {}
