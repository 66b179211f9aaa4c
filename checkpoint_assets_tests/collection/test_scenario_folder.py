from __future__ import annotations

from pathlib import Path

import pytest

from checkpoint_assets.collection.scenario_file import load_scenario, load_scenarios
from checkpoint_assets.model.errors import InvalidScenario

EXAMPLES = Path(__file__).parents[2] / "scenarios"


def write(folder: Path, file: str, name: str, rest: str = "") -> None:
    (folder / file).write_text(f"name: {name}\nsite: demo\nsteps:\n- goto: /\n{rest}")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_example_scenario_loads(path: Path) -> None:
    assert load_scenario(path).name == path.stem


def test_example_scenarios_load_as_a_folder() -> None:
    folder = load_scenarios(EXAMPLES)
    assert folder.problems == ()
    assert len(folder.scenarios) == len(list(EXAMPLES.glob("*.yaml"))) > 0


def test_broken_file_hurts_no_other(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "b")
    write(tmp_path, "a.yml", "a")
    write(tmp_path, "broken.yaml", "broken", "- clikc: a\n")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00")
    (tmp_path / "dangling.yaml").symlink_to("nowhere")
    (tmp_path / "folder.yaml").mkdir()
    folder = load_scenarios(tmp_path)
    assert [scenario.name for scenario in folder.scenarios] == ["a", "b"]
    assert [str(problem).removeprefix(f"{tmp_path}/") for problem in folder.problems] == [
        "binary.yaml:1: the file is not UTF-8 (save it as UTF-8)",
        "broken.yaml:5: unknown step 'clikc' (did you mean 'click'?)",
        "dangling.yaml: the file cannot be read: No such file or directory",
        "folder.yaml: this is not a file",
    ]


def test_other_files_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "a")
    write(tmp_path, ".hidden.yaml", "a")
    write(tmp_path, "a.yaml.bak", "a")
    (tmp_path / "notes.txt").write_text("nothing")
    folder = load_scenarios(tmp_path)
    assert len(folder.scenarios) == 1
    assert folder.problems == ()


@pytest.mark.parametrize("other", ["shop", "Shop"])
def test_name_used_twice_is_an_error_that_names_both_files(tmp_path: Path, other: str) -> None:
    write(tmp_path, "a.yaml", "shop")
    write(tmp_path, "b.yaml", other)
    write(tmp_path, "c.yaml", "c")
    folder = load_scenarios(tmp_path)
    assert [scenario.name for scenario in folder.scenarios] == ["c"]
    assert [str(problem) for problem in folder.problems] == [
        f"{tmp_path}/a.yaml: the name 'shop' is also used by {tmp_path}/b.yaml "
        "(give each scenario a name of its own)",
        f"{tmp_path}/b.yaml: the name {other!r} is also used by {tmp_path}/a.yaml "
        "(give each scenario a name of its own)",
    ]


def test_scenario_is_found_by_its_name_or_the_nearest_is_told(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "checkout")
    write(tmp_path, "b.yaml", "broken", "- x\n")
    folder = load_scenarios(tmp_path)
    assert folder.named("checkout").name == "checkout"
    with pytest.raises(InvalidScenario) as caught:
        folder.named("checkot")
    assert str(caught.value) == (
        f"{tmp_path}: no scenario 'checkot' (did you mean 'checkout'?; 1 files cannot be used)"
    )


def test_selection_is_all_scenarios_or_those_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, f"{name}.yaml", name)
    folder = load_scenarios(tmp_path)
    assert [scenario.name for scenario in folder.select(())] == ["a", "b", "c"]
    assert [scenario.name for scenario in folder.select(["c", "a"])] == ["c", "a"]


def test_empty_folder_has_no_scenarios_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    assert load_scenarios(tmp_path).scenarios == ()
    with pytest.raises(InvalidScenario, match=r"the scenarios folder cannot be read: No such file"):
        load_scenarios(tmp_path / "missing")
