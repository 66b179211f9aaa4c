"""The explorer finds out each protocol that has a mistake: without this it would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.testing.explorer import Stage, Violation, explore
from checkpoint_assets_tests.fault.beginnings import a_step, nothing
from checkpoint_assets_tests.fault.mutants import (
    Believing,
    Forgetful,
    Overwriting,
    artifacts_deleted_first,
    deleted_at_once,
    record_first,
    sweep_orphans,
)
from checkpoint_assets_tests.fault.programs import Act, meeting, read, remove, write
from checkpoint_assets_tests.fault.world import A, B, World

pytestmark = pytest.mark.fault


def violation(build: Callable[[Stage], None], **budget: Any) -> str:
    with pytest.raises(Violation) as caught:
        explore(build, **budget)
    return caught.value.what


def sweep(grace: timedelta) -> Act:
    async def act(world: World, manager: StorageManager) -> None:
        await sweep_orphans(manager, world.clock, grace)

    return act


def test_record_written_first_is_found_out():
    assert violation(meeting(nothing, write(by=record_first), read)).startswith("I1")


def test_artifacts_deleted_first_are_found_out():
    assert violation(meeting(a_step, remove(by=artifacts_deleted_first, soft=False))).startswith(
        "I1"
    )


def test_delete_that_leaves_no_tombstone_is_found_out():
    assert violation(meeting(nothing, write(), remove(by=deleted_at_once, soft=False))).startswith(
        "I1"
    )


def test_sweep_without_a_grace_period_is_found_out():
    assert violation(meeting(nothing, write(), sweep(timedelta())), kills=0).startswith("I1")


def test_the_same_sweep_with_a_grace_period_is_fine():
    assert explore(meeting(nothing, write(), sweep(timedelta(hours=1)))).crashes


def test_writers_that_overwrite_are_found_out():
    what = violation(meeting(nothing, write(A), write(B), wrap=Overwriting), kills=0)
    assert what.startswith(("I1", "I2", "I4"))


def test_conflict_that_is_taken_for_success_is_found_out():
    what = violation(meeting(nothing, write(A), write(B), wrap=Believing), kills=0)
    assert what.startswith(("I1", "I2", "I4"))


def test_lost_write_that_is_taken_for_done_is_found_out():
    what = violation(meeting(nothing, write(), wrap=Forgetful), kills=0, refused=1)
    assert what.startswith(("I1", "I2"))
