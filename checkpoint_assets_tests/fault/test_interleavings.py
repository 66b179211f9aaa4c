"""Every schedule and every crash point of two calls that meet at one step."""

from __future__ import annotations

import itertools

import pytest

from checkpoint_assets.testing.explorer import explore
from checkpoint_assets_tests.fault.programs import (
    A,
    Act,
    B,
    Before,
    a_step,
    delete_session,
    meeting,
    nothing,
    read,
    remove,
    write,
)

pytestmark = pytest.mark.fault

ACTS: dict[str, Act] = {
    "write": write(A),
    "write other": write(B),
    "read": read,
    "delete": remove(),
    "delete session": remove(by=delete_session),
}
BEFORE: dict[str, Before] = {"nothing": nothing, "a step": a_step}
PAIRS = list(itertools.combinations_with_replacement(ACTS, 2))


@pytest.mark.parametrize("order", ["given", "reversed"])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("pair", PAIRS, ids=" x ".join)
def test_two_calls_keep_the_guarantees_in_every_schedule_and_at_every_crash(
    pair: tuple[str, str], before: str, order: str
):
    found = explore(meeting(BEFORE[before], *(ACTS[name] for name in pair), delete_order=order))
    assert found.crashes
