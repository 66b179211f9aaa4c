"""Scenario files: one, or a folder of them, strictly checked before anything is done."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from checkpoint_assets.collection.readers import suggest
from checkpoint_assets.collection.recording import from_recording, is_recording
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_reader import read_scenario
from checkpoint_assets.collection.strict_yaml import MAX_BYTES, check_size, read_yaml
from checkpoint_assets.model.errors import InvalidScenario

SUFFIXES = frozenset({".yaml", ".yml", ".json"})


@dataclass(frozen=True, slots=True)
class ScenarioFolder:
    """What a folder holds: the good scenarios by name, and what is wrong with each other file."""

    path: Path
    scenarios: tuple[Scenario, ...]
    problems: tuple[InvalidScenario, ...]

    def named(self, name: str) -> Scenario:
        """The scenario of that name. Raises ``InvalidScenario``."""
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        hint = "the folder has none"
        if self.scenarios:
            hint = suggest(name, [scenario.name for scenario in self.scenarios])
        if self.problems:
            hint += f"; {len(self.problems)} files cannot be used"
        raise InvalidScenario(f"no scenario {name[:100]!r}", path=str(self.path), hint=hint)

    def select(self, names: Iterable[str]) -> tuple[Scenario, ...]:
        """The scenarios of these names, or all if there are none. Raises ``InvalidScenario``."""
        wanted = tuple(names)
        return tuple(self.named(name) for name in wanted) if wanted else self.scenarios


def parse_scenario(text: str, *, path: str | Path | None = None) -> Scenario:
    """The scenario that the text describes. Raises ``InvalidScenario`` with path and line.

    ``path`` is the file it comes from: uploads and site folders are looked for beside it. Without
    one there are none.
    """
    try:
        document = read_yaml(text)
        file = None if path is None else Path(path)
        if is_recording(document):
            document = from_recording(document, file.stem if file else "recording")
        return read_scenario(document, file)
    except InvalidScenario as err:
        err.path = None if path is None else str(path)
        raise


def load_scenario(path: str | Path) -> Scenario:
    """The scenario in the file. Raises ``InvalidScenario`` with path and line."""
    try:
        text = _read(Path(path))
    except InvalidScenario as err:
        err.path = str(path)
        raise
    return parse_scenario(text, path=path)


def load_scenarios(
    folder: str | Path, *, load: Callable[[Path], Scenario] = load_scenario
) -> ScenarioFolder:
    """All ``.yaml``, ``.yml`` and ``.json`` files of the folder; a broken one hurts no other.

    Two files with one name (also if only the case differs) are both broken: neither could be told
    to be the one meant. Raises ``InvalidScenario`` if there is no such folder. ``load`` reads one
    file.
    """
    folder = Path(folder)
    try:
        files = sorted(
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
        )
    except OSError as err:
        message = f"the scenarios folder cannot be read: {err.strerror}"
        hint = "name another with --scenarios or CHECKPOINT_SCENARIOS"
        raise InvalidScenario(message, path=str(folder), hint=hint) from err
    by_name: dict[str, list[Scenario]] = {}
    problems: list[InvalidScenario] = []
    for path in files:
        try:
            scenario = load(path)
        except InvalidScenario as err:
            problems.append(err)
        else:
            by_name.setdefault(scenario.name.lower(), []).append(scenario)
    good: list[Scenario] = []
    for same in by_name.values():
        if len(same) == 1:
            good += same
        else:
            problems += [_same_name(each, same) for each in same]
    good.sort(key=lambda scenario: scenario.name)
    problems.sort(key=lambda problem: problem.path or "")
    return ScenarioFolder(folder, tuple(good), tuple(problems))


def _same_name(scenario: Scenario, same: list[Scenario]) -> InvalidScenario:
    others = " and ".join(str(each.path) for each in same if each is not scenario)
    return InvalidScenario(
        f"the name {scenario.name!r} is also used by {others}",
        path=str(scenario.path),
        hint="give each scenario a name of its own",
    )


def _read(path: Path) -> str:
    """The file's text. A pipe or device is never opened: reading it could last for ever."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InvalidScenario("this is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as err:
        raise InvalidScenario(f"the file cannot be read: {err.strerror}") from err
    check_size(len(content))
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InvalidScenario("the file is UTF-16", hint="save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        raise InvalidScenario("the file is not UTF-8", line=line, hint="save it as UTF-8") from err
