"""Tries every schedule and every crash point of small concurrent programs over a store.

A world is a few programs (a writer and a sweeper, say) and what must hold of the stores they share.
Every store operation is a point where any other program may go first, and where a program may
stop for good: before the operation, or after it with its answer lost. An operation that is on its
way when its program stops may still be done later, or never. There are no threads and nothing is
random: each world is built anew, and run up to each of its states::

    def build(stage: Stage) -> None:
        shelf = MemoryStore()

        async def write() -> None:
            manager = StorageManager(store=stage.store("writer", shelf))
            await manager.store_step_data("s", "1", "<p>")

        async def delete() -> None:
            manager = StorageManager(store=stage.store("deleter", shelf))
            await manager.delete_step("s", "1")

        async def no_torn_step() -> None:
            ...                                        # look at the shelf, assert

        stage.program("writer", write)
        stage.program("deleter", delete)
        stage.always(no_torn_step)

    print(explore(build))

Two schedules that lead to the same state go on in the same way, so only one of them is followed. A
state is what each program was told so far, and what became of each object; programs must depend on
nothing else (pass them a clock that stands still). A program that raises, or waits for ever, is a
violation as well.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from checkpoint_assets.testing.exploring.locks import LockTable
from checkpoint_assets.testing.exploring.stage import (
    Budget,
    Check,
    Choice,
    Stage,
    Violation,
    awaited,
)

__all__ = ["Exploration", "LockTable", "Stage", "Violation", "explore"]


@dataclass(frozen=True, slots=True)
class Exploration:
    """What was explored without a violation."""

    states: int
    schedules: int
    crashes: int
    longest: int


def explore(
    build: Callable[[Stage], None],
    *,
    kills: int = 1,
    lost: int = 0,
    refused: int = 0,
    late: bool = True,
    by_task: bool = False,
    most_states: int = 100_000,
) -> Exploration:
    """Every schedule of the world that ``build`` sets up keeps what must hold.

    In each schedule at most ``kills`` programs are killed, ``lost`` operations are done without
    their program being told (it gets ``StoreUnavailable``), and ``refused`` ones are not done.
    Without ``late``, what is on its way when its program is killed is never done. Raises
    ``Violation`` for the first schedule that breaks something.

    ``by_task`` takes it that the tasks of one program share nothing but their results, so that the
    order in which they were answered is forgotten: many fewer states, and as many ends.
    """
    budget = Budget(kills, lost, refused, late)
    return _Search(build, budget, by_task, most_states).run()


class _Ahead(NamedTuple):
    """A choice that has not been tried: how to get to it, from which state, and to which."""

    path: tuple[Choice, ...]
    before: Hashable
    after: Hashable | None


class _Search:
    """Runs the world up to each of its states, depth first."""

    def __init__(
        self, build: Callable[[Stage], None], budget: Budget, by_task: bool, most_states: int
    ) -> None:
        self._build = build
        self._budget = budget
        self._by_task = by_task
        self._most_states = most_states
        self._interned: dict[Hashable, int] = {}
        self._next: dict[Hashable, list[Hashable]] = {}
        self._crashes = 0
        self._ahead: list[_Ahead] = [_Ahead((), None, None)]
        self._longest = 0

    def _intern(self, value: Hashable) -> int:
        return self._interned.setdefault(value, len(self._interned) + 1)

    def run(self) -> Exploration:
        while self._ahead:
            ahead = self._ahead.pop()
            if ahead.after in self._next:
                self._next[ahead.before].append(ahead.after)
            else:
                self._follow(ahead.path)
        first = next(iter(self._next))
        schedules = self._schedules(first)
        return Exploration(len(self._next), schedules, self._crashes, self._longest)

    def _follow(self, path: tuple[Choice, ...]) -> None:
        stage = Stage(self._intern, by_task=self._by_task)
        with stage.loop.running():
            try:
                self._build(stage)
                stage.start()
                for choice in path[:-1]:
                    stage.take(choice)
                if path:
                    self._go_on(stage, path)
                else:
                    self._enter(stage, path)
            finally:
                stage.end()

    def _go_on(self, stage: Stage, path: tuple[Choice, ...]) -> None:
        """Take the last choice of the path, then the first of each new state's."""
        while True:
            before = stage.state()
            if before not in self._next:
                raise RuntimeError(f"the world depends on time or chance: {stage.trace}")
            stage.take(path[-1])
            after = stage.state()
            self._next[before].append(after)
            if after in self._next or not self._enter(stage, path):
                return
            path = self._ahead.pop().path

    def _enter(self, stage: Stage, path: tuple[Choice, ...]) -> bool:
        """Check a state that is new. False if it is a last one."""
        state = stage.state()
        self._next[state] = []
        if len(self._next) > self._most_states:
            raise RuntimeError(f"more than {self._most_states} states; make the world smaller")
        self._longest = max(self._longest, len(path))
        self._check(stage, stage.checks)
        choices = stage.choices(self._budget)
        if not choices:
            self._check(stage, stage.last_checks)
        self._crashes += sum(choice.kind == "kill" for choice in choices)
        self._ahead.extend(
            _Ahead((*path, choice), state, stage.foresee(choice)) for choice in reversed(choices)
        )
        return bool(choices)

    def _check(self, stage: Stage, checks: Sequence[Check]) -> None:
        for check in checks:
            try:
                stage.now(awaited(check()))
            except Exception as error:  # whatever a check raises, it does not hold
                raise Violation(str(error) or type(error).__name__, stage.trace) from error

    def _schedules(self, first: Hashable) -> int:
        @cache
        def count(state: Hashable) -> int:
            return sum(count(after) for after in self._next[state]) or 1

        return count(first)
