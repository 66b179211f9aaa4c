"""Scenarios become partitions."""

from __future__ import annotations

import dagster as dg

from checkpoint_assets.defs.capture_runs import register_scenarios


def test_registering_adds_only_what_is_new(instance: dg.DagsterInstance) -> None:
    register_scenarios(instance, ["shop-search", "shop-phone"])
    register_scenarios(instance, ["shop-phone", "miniwob-use-slider"])

    known = instance.get_dynamic_partitions("scenarios")
    assert sorted(known) == ["miniwob-use-slider", "shop-phone", "shop-search"]


def test_registering_nothing_new_leaves_the_partitions_as_they_are(
    instance: dg.DagsterInstance,
) -> None:
    register_scenarios(instance, ["shop-search"])
    register_scenarios(instance, ["shop-search"])
    register_scenarios(instance, [])

    assert list(instance.get_dynamic_partitions("scenarios")) == ["shop-search"]


def test_a_scenario_whose_file_is_gone_stays_a_partition_with_its_history(
    instance: dg.DagsterInstance,
) -> None:
    register_scenarios(instance, ["shop-search", "shop-phone"])
    register_scenarios(instance, ["shop-phone"])

    assert instance.has_dynamic_partition("scenarios", "shop-search")
