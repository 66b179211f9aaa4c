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

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, combinations
from typing import Any, NamedTuple, TypeVar, cast

from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)
from checkpoint_assets.testing.explored_store import Call, DeleteOrder, ExploredStore
from checkpoint_assets.testing.stepping_loop import SteppingLoop, at_once

__all__ = ["Exploration", "Stage", "Violation", "explore"]

T = TypeVar("T")
Check = Callable[[], Awaitable[None]]
Program = Callable[[], Coroutine[Any, Any, None]]


class Violation(AssertionError):
    """Something that must hold does not. ``trace`` is the schedule that leads there."""

    def __init__(self, what: str, trace: Sequence[str]) -> None:
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(trace, start=1))
        super().__init__(f"{what}\nafter\n{steps or '  nothing'}")
        self.what = what
        self.trace = tuple(trace)


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
    most_states: int = 100_000,
) -> Exploration:
    """Every schedule of the world that ``build`` sets up keeps what must hold.

    In each schedule at most ``kills`` programs are killed, ``lost`` operations are done without
    their program being told (it gets ``StoreUnavailable``), and ``refused`` ones are not done.
    Raises ``Violation`` for the first schedule that breaks something.
    """
    return _Search(build, _Budget(kills, lost, refused), most_states).run()


class _Budget(NamedTuple):
    kills: int
    lost: int
    refused: int


class _Choice(NamedTuple):
    """What happens next: to which program, and to which of its waiting operations."""

    kind: str
    program: int
    operations: tuple[int, ...] = ()


@dataclass(slots=True)
class _Waiting:
    call: Call
    work: Callable[[], Awaitable[Any]]
    answer: Any  # the future that the program waits on


@dataclass(slots=True)
class _Actor:
    """A program as it runs: what it waits for, and what it has been told so far."""

    name: str
    stage: Stage
    start: Program
    task: Any = None
    waiting: list[_Waiting] = field(default_factory=list["_Waiting"])
    history: int = 0
    killed: bool = False

    async def pass_through(self, call: Call, work: Callable[[], Awaitable[T]]) -> T:
        answer = self.stage.loop.create_future()
        if not self.killed:
            self.waiting.append(_Waiting(call, work, answer))
        return await answer

    def changed(self, call: Call, what: str) -> None:
        self.stage.changed(call, what)

    def told(self, call: Call, *names: str | None) -> None:
        self.stage.told(call, *names)

    def state(self, blind: bool, killing: _Choice | None) -> Hashable:
        """What the program was told; of a dead one, what may still happen in its name."""
        if not self.killed and not killing:
            return self.history
        left = [self.waiting[at] for at in killing.operations] if killing else self.waiting
        on_its_way = frozenset(
            (waiting.call, self.stage.write_of(waiting.call, waiting.call.name)) for waiting in left
        )
        return self.history if blind else 0, on_its_way

    def learn(self, call: Call, answer: Hashable) -> None:
        self.history = self.stage.intern((self.history, call, answer))


class Stage:
    """Where a world is set up. ``build`` gets a new one for every run."""

    def __init__(self, intern: Callable[[Hashable], int]) -> None:
        self.loop = SteppingLoop()
        self.intern = intern
        self.actors: list[_Actor] = []
        self.trace: list[str] = []
        self.used = _Budget(0, 0, 0)
        self.checks: list[Check] = []
        self.last_checks: list[Check] = []
        self._sights: list[Callable[[], Hashable]] = []
        self._objects: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, str, str | None], int] = {}

    def program(self, name: str, run: Program) -> None:
        """One of the programs that run at the same time. It handles the errors it may meet."""
        actor = self._actor(name)
        actor.start = run

    def store(
        self,
        program: str,
        inner: Store,
        *,
        place: str = "",
        page: int | None = None,
        delete_order: DeleteOrder = "given",
    ) -> Store:
        """The store as the program sees it. Programs share ``inner``, which must not wait.

        ``place`` tells the stores of one world apart (``"spool:"``); the rest is said at
        ``ExploredStore``.
        """
        actor = self._actor(program)
        return ExploredStore(inner, actor, place=place, page=page, delete_order=delete_order)

    def _actor(self, name: str) -> _Actor:
        for actor in self.actors:
            if actor.name == name:
                return actor
        self.actors.append(_Actor(name, self, _nothing))
        return self.actors[-1]

    def always(self, check: Check, *, sees: Callable[[], Hashable] | None = None) -> None:
        """``check`` must not raise, whatever state the stores are in. It changes nothing.

        ``sees`` tells all that it looks at besides the stores (a ledger of what the programs were
        promised). States that differ only in what a killed program had done are one state then.
        """
        self.checks.append(check)
        if sees is not None:
            self._sights.append(sees)

    def at_the_end(self, check: Check) -> None:
        """``check`` must not raise once every program has ended or was killed. It may repair."""
        self.last_checks.append(check)

    def now(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of ``work``, done before anything else: it sets the world up."""
        return self.loop.complete(work)

    def changed(self, call: Call, what: str) -> None:
        """Note what became of an object."""
        place = (call.place, call.key)
        self._objects[place] = self.intern((self._objects.get(place, 0), what))

    def told(self, call: Call, *names: str | None) -> None:
        """Note which write an etag or a version is of."""
        for name in names:
            self._names[call.place, call.key, name] = self._objects[call.place, call.key]

    def write_of(self, call: Call, name: str | None) -> int | None:
        """The write that an etag or a version is of: names differ from run to run, writes don't."""
        return self._names.get((call.place, call.key, name))

    def start(self) -> None:
        for actor in self.actors:
            actor.task = self.loop.create_task(actor.start(), name=actor.name)
        self.settle()

    def settle(self) -> None:
        """Run until each program has ended or waits for a store."""
        self.loop.run_until_idle()
        while not self._anybody_waits() and self._unfinished():
            if not self.loop.advance():
                names = ", ".join(actor.name for actor in self._unfinished())
                raise Violation(f"{names} waits for ever", self.trace)
        for actor in self.actors:
            # What became of a killed program is no longer looked at.
            if actor.killed or not actor.task.done():
                continue
            error = actor.task.exception()
            if error is not None:
                what = f"{actor.name} raised {type(error).__name__}: {error}"
                raise Violation(what, self.trace) from error

    def _anybody_waits(self) -> bool:
        return any(actor.waiting for actor in self.actors)

    def _unfinished(self) -> list[_Actor]:
        return [actor for actor in self.actors if not actor.killed and not actor.task.done()]

    def state(self, killing: _Choice | None = None) -> Hashable:
        """Equal for two runs that go on in the same way. ``killing`` is taken as done."""
        # Without knowing what the checks see, all that a dead program did may count.
        blind = len(self._sights) < len(self.checks)
        programs = tuple(
            actor.state(blind, killing if killing and killing.program == number else None)
            for number, actor in enumerate(self.actors)
        )
        seen = tuple(see() for see in self._sights)
        kills = self.used.kills + (killing is not None)
        used = self.used._replace(kills=kills)
        return self.intern((programs, frozenset(self._objects.items()), used, seen))

    def foresee(self, choice: _Choice) -> Hashable | None:
        """The state that the choice leads to, if that can be told without trying."""
        actor = self.actors[choice.program]
        others = [other for other in self.actors if other is not actor]
        idle = any(not other.waiting and other in self._unfinished() for other in others)
        return self.state(choice) if choice.kind == "kill" and not idle else None

    def choices(self, budget: _Budget) -> list[_Choice]:
        """All that may happen next."""
        found: list[_Choice] = []
        for number, actor in enumerate(self.actors):
            one = [_Choice("go", number, (at,)) for at in range(len(actor.waiting))]
            found += one
            if actor.killed or not actor.waiting:
                continue
            if self.used.lost < budget.lost:
                found += [choice._replace(kind="lose") for choice in one]
            if self.used.refused < budget.refused:
                found += [choice._replace(kind="refuse") for choice in one]
            if self.used.kills < budget.kills:
                changing = [at for at, waiting in enumerate(actor.waiting) if waiting.call.changes]
                found += [_Choice("kill", number, late) for late in _subsets(changing)]
        return found

    def take(self, choice: _Choice) -> None:
        """Let it happen, and run on until every program has ended or waits again."""
        actor = self.actors[choice.program]
        if choice.kind == "kill":
            self._kill(actor, choice.operations)
        else:
            self._do(actor, actor.waiting.pop(choice.operations[0]), choice.kind)
        self.settle()

    def _kill(self, actor: _Actor, late: Sequence[int]) -> None:
        actor.waiting = [actor.waiting[at] for at in late]
        actor.killed = True
        self.used = self.used._replace(kills=self.used.kills + 1)
        on_its_way = ", ".join(str(waiting.call) for waiting in actor.waiting)
        self.trace.append(
            f"{actor.name} is killed" + (f"; on its way: {on_its_way}" if on_its_way else "")
        )

    def _do(self, actor: _Actor, waiting: _Waiting, kind: str) -> None:
        suffix = {"go": "", "lose": ", and its answer is lost", "refuse": " is refused"}[kind]
        late = " arrives late" if actor.killed else ""
        self.trace.append(f"{actor.name}: {waiting.call}{late}{suffix}")
        answer: Any = None
        error: BaseException | None = None
        if kind != "refuse":
            try:
                answer = at_once(waiting.work())
            except Exception as raised:  # noqa: BLE001 - it is the program's to handle
                error = raised
        if actor.killed or waiting.answer.done():
            return
        if kind != "go":
            self.used = self.used._replace(
                lost=self.used.lost + (kind == "lose"), refused=self.used.refused + (kind != "lose")
            )
            error = StoreUnavailable(f"{waiting.call}: no answer", key=waiting.call.key)
        if error is not None:
            actor.learn(waiting.call, (type(error).__name__, kind))
            waiting.answer.set_exception(error)
        else:
            actor.learn(waiting.call, self._meaning(waiting.call, answer))
            waiting.answer.set_result(answer)

    def _meaning(self, call: Call, answer: object) -> Hashable:
        """What a program can learn from the answer, the same in every run."""
        match answer:
            case ObjectInfo():
                write = self.write_of(replace(call, key=answer.key), answer.etag)
                return answer.key, answer.size, write
            case ObjectVersion():
                write = self.write_of(replace(call, key=answer.key), answer.version)
                return answer.key, answer.size, answer.latest, answer.deleted, write
            case list():
                return tuple(self._meaning(call, item) for item in cast("list[object]", answer))
            case StoredObject():
                return self._meaning(call, answer.info)
            case Page():
                return tuple(self._meaning(call, info) for info in answer.objects), tuple(
                    answer.folders
                )
            case DeleteReport():
                return tuple(answer.deleted), tuple(answer.failed)
            case bytes() | str() | None:
                return answer
            case _:
                raise TypeError(f"cannot tell what {answer!r} means")

    def end(self) -> None:
        """Let go of all that still runs."""
        for actor in self.actors:
            actor.waiting.clear()
        self.loop.cancel_all()


async def _nothing() -> None:
    return None


async def _awaited(work: Awaitable[T]) -> T:
    return await work


def _subsets(items: Sequence[int]) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(items, size) for size in range(len(items) + 1)))


class _Ahead(NamedTuple):
    """A choice that has not been tried: how to get to it, from which state, and to which."""

    path: tuple[_Choice, ...]
    before: Hashable
    after: Hashable | None


class _Search:
    """Runs the world up to each of its states, depth first."""

    def __init__(self, build: Callable[[Stage], None], budget: _Budget, most_states: int) -> None:
        self._build = build
        self._budget = budget
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

    def _follow(self, path: tuple[_Choice, ...]) -> None:
        stage = Stage(self._intern)
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

    def _go_on(self, stage: Stage, path: tuple[_Choice, ...]) -> None:
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

    def _enter(self, stage: Stage, path: tuple[_Choice, ...]) -> bool:
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
                stage.now(_awaited(check()))
            except Exception as error:  # whatever a check raises, it does not hold
                raise Violation(str(error) or type(error).__name__, stage.trace) from error

    def _schedules(self, first: Hashable) -> int:
        @cache
        def count(state: Hashable) -> int:
            return sum(count(after) for after in self._next[state]) or 1

        return count(first)
