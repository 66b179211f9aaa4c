"""A folder of scenarios that is looked at again and again, and what has changed in it."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.scenario_file import (
    ScenarioFolder,
    load_scenario,
    load_scenarios,
)
from checkpoint_assets.model.errors import InvalidScenario

# As much of a digest as tells one content from another.
_DIGITS = 16


class ScenarioWatch:
    """Reads folders; a file that has the size and times it had is not read again.

    May be used from many threads.
    """

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, ...], Scenario | InvalidScenario]] = {}
        self._lock = threading.Lock()

    def look(self, folder: str | Path) -> ScenarioFolder:
        """What the folder holds now. Raises ``InvalidScenario`` if there is no such folder."""
        with self._lock:
            fresh: dict[Path, tuple[tuple[int, ...], Scenario | InvalidScenario]] = {}

            def load(path: Path) -> Scenario:
                stamp = _stamp(path)
                known = self._read.get(path)
                if known is None or known[0] != stamp:
                    known = (stamp, _load(path))
                fresh[path] = known
                if isinstance(known[1], InvalidScenario):
                    raise known[1]
                return known[1]

            found = load_scenarios(folder, load=load)
            here = Path(folder)
            self._read = {
                **{path: each for path, each in self._read.items() if path.parent != here},
                **fresh,
            }
            return found


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a folder so far: name -> content and file, and problems that were told."""

    scenarios: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    told: dict[str, str] = field(default_factory=dict[str, str])

    def to_cursor(self) -> str:
        """As text, for a sensor's cursor."""
        state = json.dumps([self.scenarios, self.told], separators=(",", ":"), sort_keys=True)
        return base64.b64encode(zlib.compress(state.encode())).decode()

    @classmethod
    def from_cursor(cls, cursor: str | None) -> Seen | None:
        """The inverse; nobody looked before if there is no cursor, or none that can be read."""
        if not cursor:
            return None
        try:
            scenarios, told = json.loads(zlib.decompress(base64.b64decode(cursor)))
        except (ValueError, zlib.error):
            return None
        return cls({name: (each[0], each[1]) for name, each in scenarios.items()}, dict(told))


@dataclass(frozen=True, slots=True)
class FolderChange:
    """What is to be done after a look at a folder, and what is seen when it is done.

    ``captures`` maps a scenario to a key of its content: the same content has the same key.
    """

    captures: dict[str, str]
    removed: list[str]
    problems: list[InvalidScenario]
    seen: Seen

    @property
    def is_nothing(self) -> bool:
        """Whether all is as it was."""
        return not (self.captures or self.removed or self.problems)


def find_changes(
    folder: ScenarioFolder, seen: Seen | None, partitions: Collection[str], *, limit: int
) -> FolderChange:
    """What has changed since, up to ``limit`` scenarios; the others are left to the next look.

    The first look of all captures nothing: it notes the scenarios that are partitions, which were
    there before anybody watched. Later a partition says nothing: a watcher that died may have made
    it and not come to the capture. One whose file is broken now is not removed.
    """
    first, seen = seen is None, seen or Seen()
    scenarios = dict(seen.scenarios)
    captures: dict[str, str] = {}
    for scenario in folder.scenarios:
        if len(captures) == limit:
            break
        content = scenario.digest[:_DIGITS]
        known = scenarios.get(scenario.name)
        if first and scenario.name not in partitions:
            continue
        if not first and (known is None or known[0] != content):
            captures[scenario.name] = f"inbox:{scenario.name}:{content}"
        scenarios[scenario.name] = (content, str(scenario.path))
    removed: list[str] = []
    if len(captures) < limit:
        broken = {problem.path for problem in folder.problems}
        there = {scenario.name for scenario in folder.scenarios}
        removed = [
            name
            for name, (_, path) in scenarios.items()
            if name not in there and path not in broken
        ]
        for name in removed:
            del scenarios[name]
    told = {str(problem.path): str(problem) for problem in folder.problems}
    problems = [each for each in folder.problems if seen.told.get(str(each.path)) != str(each)]
    return FolderChange(captures, removed, problems, Seen(scenarios, told))


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()  # reading it will tell
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _load(path: Path) -> Scenario | InvalidScenario:
    try:
        return load_scenario(path)
    except InvalidScenario as err:
        return err
