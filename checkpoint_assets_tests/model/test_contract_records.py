"""What the parts hand each other knows its time, whatever clock the caller has."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from checkpoint_assets.model import contract_records

NAIVE = datetime(2026, 1, 31, 12)  # noqa: DTZ001 (that is the case)
EAST = NAIVE.replace(tzinfo=timezone(timedelta(hours=5)))
RECORDS = [
    record
    for record in vars(contract_records).values()
    if is_dataclass(record) and any("datetime" in str(field.type) for field in fields(record))
]


def made(record: Any, moment: datetime) -> Any:
    """The record, with that moment in each field that takes one."""
    given = {
        field.name: moment if "datetime" in str(field.type) else field.name
        for field in fields(record)
        if "datetime" in str(field.type) or field.default is field.default_factory is MISSING
    }
    return record(**given)


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize("moment", [NAIVE, EAST])
def test_every_time_becomes_aware_utc_and_stays_the_same_moment(
    record: Any, moment: datetime
) -> None:
    one = made(record, moment)
    times = [getattr(one, field.name) for field in fields(record) if "datetime" in str(field.type)]
    assert times
    for time in times:
        assert time.tzinfo is UTC
        assert time == moment.astimezone()


def test_none_stays_none() -> None:
    assert contract_records.QueryCriteria().since is None
