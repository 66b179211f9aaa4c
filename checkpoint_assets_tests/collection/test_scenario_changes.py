"""What stands over a scenario's file for one capture."""

from __future__ import annotations

from typing import Any

import pytest

from checkpoint_assets.collection.scenario import Viewport
from checkpoint_assets.collection.scenario_changes import change_scenario
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidScenario

SHOP = parse_scenario("name: shop\nsite: demo\ndevice: iPhone 13\nsteps:\n- goto: /\n")
ELSEWHERE = parse_scenario("name: shop\nsource: plugin:mine\n")


def test_nothing_given_changes_nothing() -> None:
    assert change_scenario(SHOP) == SHOP


def test_a_viewport_stands_over_that_of_the_device() -> None:
    changed = change_scenario(SHOP, viewport=Viewport(800, 600))

    assert changed.own_viewport
    assert changed.to_dict()["viewport"]["width"] == 800


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([Artifact.HTML], {Artifact.HTML, Artifact.ACTION, Artifact.METADATA}),
        ([], {Artifact.ACTION, Artifact.METADATA}),
    ],
)
def test_action_and_metadata_are_always_kept(given: list[Artifact], kept: set[Artifact]) -> None:
    assert set(change_scenario(SHOP, artifacts=given).collect.artifacts) == kept


def test_every_thins_out() -> None:
    collect = change_scenario(SHOP, every=3).collect

    assert [collect.keeps(n, "click") for n in (1, 2, 3, 4)] == [True, False, False, True]


@pytest.mark.parametrize("source", ["browserbase", "stagehand", "plugin:mine"])
def test_a_source_can_be_another_one(source: str) -> None:
    assert change_scenario(SHOP, source=source).source == source


@pytest.mark.parametrize(
    ("scenario", "source", "said"),
    [
        (SHOP, "locl", r"there is no source 'locl' \(did you mean 'local'\?\)"),
        (SHOP, "cdp", "needs cdp_url"),
        (ELSEWHERE, "local", "needs a site or a start_url, and steps"),
    ],
)
def test_a_source_that_cannot_be_used_is_refused(scenario: Any, source: str, said: str) -> None:
    with pytest.raises(InvalidScenario, match=said):
        change_scenario(scenario, source=source)


def test_the_digest_stays_that_of_the_file() -> None:
    assert change_scenario(SHOP, every=2).digest == SHOP.digest
