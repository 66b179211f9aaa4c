"""Processors that the settings name."""

from __future__ import annotations

import pytest

from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.processing.standard import STANDARD_PROCESSORS, default_processing

HERE = "checkpoint_assets_tests.processing.foreign"


@pytest.mark.parametrize("name", ["Shouting", "shouting", "make_shouting"])
def test_a_class_an_object_and_a_function_are_taken(name: str) -> None:
    manager = default_processing(Settings(processors=(f"{HERE}:{name}",)))

    assert list(manager.list_processors()) == [
        *(made.name for made in STANDARD_PROCESSORS),
        "shouting",
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("nothing", "package.module:Name"),
        (f"{HERE}:", "package.module:Name"),
        ("no.such.module:Name", "No module named 'no'"),
        (f"{HERE}:Shoutin", "Shoutin"),
        (f"{HERE}:NUMBER", "is no processor"),
        (f"{HERE}:Unable", "no key configured"),
        (f"{HERE}:Same", "readable_text"),
        ("builtins:dict", "is no processor"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_with_the_reason(entry: str, reason: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        default_processing(Settings(processors=(entry,)))

    assert repr(entry) in str(caught.value)
    assert reason in str(caught.value)


def test_the_environment_names_one_in_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKPOINT_PROCESSORS", f"{HERE}:Shouting\n{HERE}:Late\n")

    assert Settings().processors == (f"{HERE}:Shouting", f"{HERE}:Late")
