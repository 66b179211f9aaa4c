from __future__ import annotations

from datetime import timedelta

import pytest

from checkpoint_assets.collection.durations import format_duration, parse_duration
from checkpoint_assets.model.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("1s", timedelta(seconds=1)),
        ("90 min", timedelta(minutes=90)),
        ("36h", timedelta(hours=36)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_duration_is_a_number_and_a_unit(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "d",
        "0d",
        "-1d",
        "1.5d",
        "1m",
        "1y",
        "P1M",
        "1d12h",
        "01d",
        "٣d",
        "36501d",
        "9" * 5000 + "d",
    ],
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_duration(text)
