from __future__ import annotations

import pytest

from checkpoint_assets.collection import steps
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.errors import InvalidScenario

HEAD = "name: a\nvariables: {user: ann, host: shop.example, both: '${user}'}\n"


def instruction(text: str) -> str:
    scenario = parse_scenario(f"{HEAD}site: demo\nsteps:\n- act: '{text}'\n")
    step = scenario.steps[0]
    assert isinstance(step, steps.Act)
    return step.instruction


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${user}", "ann"),
        ("a${user}b${user}", "aannbann"),
        ("$${user}", "${user}"),
        ("$$${user}", "$${user}"),
        ("$user {user}", "$user {user}"),
        ("${}", "${}"),
    ],
)
def test_reference_becomes_the_value_and_an_escaped_one_stays(text: str, result: str) -> None:
    assert instruction(text) == result


def test_value_is_put_in_as_it_is_and_never_read_again() -> None:
    assert instruction("${both}") == "${user}"


def test_start_url_takes_variables_and_is_checked_after_them() -> None:
    scenario = parse_scenario(HEAD + "start_url: 'https://${host}/'\nsteps: [goto: /]\n")
    assert scenario.start_url == "https://shop.example/"
    with pytest.raises(InvalidScenario, match=r"3: start_url: the scheme 'ann' is not allowed"):
        parse_scenario(HEAD + "start_url: '${user}://x/'\nsteps: [goto: /]\n")


def test_unknown_variable_is_an_error_with_the_line_and_the_nearest_name() -> None:
    with pytest.raises(InvalidScenario) as caught:
        parse_scenario(HEAD + "site: demo\nsteps:\n- click: a\n- click: '${usr}'\n")
    assert caught.value.line == 6
    assert str(caught.value) == "6: unknown variable ${usr} (did you mean 'user'?)"


def test_environment_is_no_source_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_USER", "eve")
    with pytest.raises(InvalidScenario, match=r"unknown variable \$\{SHOP_USER\}"):
        instruction("${SHOP_USER}")


def test_other_keys_are_left_as_they_are() -> None:
    text = HEAD + "site: demo\ndescription: 'for ${user}'\nsteps: [goto: /]\n"
    assert parse_scenario(text).description == "for ${user}"


def test_expansion_has_an_end() -> None:
    head = f"name: a\nsite: demo\nvariables: {{x: {'y' * 100_000}}}\n"
    text = f"{head}steps:\n- act: {'${x}' * 20_000}\n"
    with pytest.raises(InvalidScenario, match=r"5: variables add more than 1000000 characters"):
        parse_scenario(text)
