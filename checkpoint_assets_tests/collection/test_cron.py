from __future__ import annotations

import pytest

from checkpoint_assets.collection.cron import check_cron
from checkpoint_assets.model.errors import InvalidInput


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 * * * *",
        "*/15 6-18 * * mon-fri",
        "0 0 1,15 * *",
        "5-55/10 0 * JAN,jul 0",
        "0 0 29 2 *",
        "0 12 * * 7",
    ],
)
def test_schedule_of_five_good_fields_is_accepted(text: str) -> None:
    assert check_cron(text) == text


def test_spaces_between_fields_become_one() -> None:
    assert check_cron(" 0   * *\t* * ") == "0 * * * *"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a cron schedule has 5 fields, not 0"),
        ("0 0 0 * * *", "a cron schedule has 5 fields, not 6"),
        ("@daily", "a cron schedule has 5 fields, not 1"),
        ("60 * * * *", "'60' is no cron minute"),
        ("* 24 * * *", "'24' is no cron hour"),
        ("* * 0 * *", "'0' is no cron day of month"),
        ("* * * 13 *", "'13' is no cron month"),
        ("* * * * 8", "'8' is no cron day of week"),
        ("* * * foo *", "'foo' is no cron month"),
        ("* * mon * *", "'mon' is no cron day of month"),
        ("-1 * * * *", "'-1' is no cron minute"),
        ("1,,2 * * * *", "'' is no cron minute"),
        ("? * L * #", "'?' is no cron minute"),
        ("٣ * * * *", "'٣' is no cron minute"),
        ("30-10 * * * *", "'30-10' is an empty range of cron minutes"),
        ("5/10 * * * *", "'5/10' has a step but no range"),
        ("*/0 * * * *", "'*/0' has a step that no minute can have"),
        ("*/90 * * * *", "'*/90' has a step that no minute can have"),
        ("0 0 30 feb *", "'0 0 30 feb *' has no possible date"),
        ("0 0 31 4,6,9,11 *", "'0 0 31 4,6,9,11 *' has no possible date"),
    ],
)
def test_schedule_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_cron(text)
    assert caught.value.message == message
