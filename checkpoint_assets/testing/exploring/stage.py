"""A world as it runs: programs that wait for their turn, and what has become of everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, combinations
from typing import Any, NamedTuple, TypeVar, cast

from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.storage.spool_locks import SpoolLocks
from checkpoint_assets.storage.store import (
    DeleteReport,
    ObjectInfo,
    ObjectVersion,
    Page,
    Store,
    StoredObject,
)
from checkpoint_assets.testing.exploring.locks import ExploredLocks, LockTable
from checkpoint_assets.testing.exploring.loop import Lineage, SteppingLoop, at_once
from checkpoint_assets.testing.exploring.store import Call, DeleteOrder, ExploredStore, always

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


class Budget(NamedTuple):
    """How many things may go wrong in a schedule, or have gone wrong in it."""

    kills: int = 0
    lost: int = 0
    refused: int = 0
    late: bool = True


class Choice(NamedTuple):
    """What happens next: to which program, and to which of its waiting operations."""

    kind: str
    program: int
    operations: tuple[int, ...] = ()


@dataclass(slots=True)
class _Waiting:
    call: Call
    work: Callable[[], Awaitable[Any]]
    ready: Callable[[], bool]
    task: Lineage
    answer: Any  # the future that the task waits on


@dataclass(slots=True)
class _Actor:
    """A program as it runs: what it waits for, and what it has been told so far."""

    name: str
    stage: Stage
    start: Program
    task: Any = None
    waiting: list[_Waiting] = field(default_factory=list["_Waiting"])
    histories: dict[Lineage, int] = field(default_factory=dict[Lineage, int])
    killed: bool = False

    @property
    def alive(self) -> bool:
        return not self.killed

    async def pass_through(
        self, call: Call, work: Callable[[], Awaitable[T]], *, ready: Callable[[], bool] = always
    ) -> T:
        answer = self.stage.loop.create_future()
        if not self.killed:
            task = self.stage.loop.lineage()
            self.waiting.append(_Waiting(call, work, ready, task, answer))
        return await answer

    def changed(self, call: Call, what: str) -> None:
        self.stage.changed(call, what)

    def told(self, call: Call, *names: str | None) -> None:
        self.stage.told(call, *names)

    def state(self, blind: bool, killing: Choice | None) -> Hashable:
        """What the program was told; of a dead one, what may still happen in its name."""
        dead = self.killed or killing is not None
        left = [self.waiting[at] for at in killing.operations] if killing else self.waiting
        # What somebody still waits for follows from what he was told before.
        late = [waiting.call for waiting in left if dead or waiting.answer.done()]
        on_its_way = sorted((str(call), self.stage.intern(self._meaning(call))) for call in late)
        past = None if dead and not blind else frozenset(self.histories.items())
        return past, tuple(on_its_way)

    def _meaning(self, call: Call) -> Hashable:
        return call, self.stage.write_of(call, call.name)

    def give_up(self) -> None:
        """Nobody waits any more for what a timeout has ended; only a change may still be done."""
        self.waiting = [
            waiting for waiting in self.waiting if waiting.call.changes or not waiting.answer.done()
        ]

    def learn(self, call: Call, answer: Hashable) -> None:
        self.remember(self.stage.loop.lineage(), call, answer)

    def remember(self, task: Lineage, call: Call, answer: Hashable) -> None:
        """The task was told this."""
        if not self.stage.by_task:
            task = ()
        self.histories[task] = self.stage.intern((self.histories.get(task, 0), call, answer))


class Stage:
    """Where a world is set up. ``build`` gets a new one for every run."""

    def __init__(self, intern: Callable[[Hashable], int], *, by_task: bool) -> None:
        self.loop = SteppingLoop()
        self.intern = intern
        self.by_task = by_task
        self.actors: list[_Actor] = []
        self.trace: list[str] = []
        self.used = Budget()
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
        fails: bool = True,
    ) -> Store:
        """The store as the program sees it. Programs share ``inner``, which must not wait.

        ``place`` tells the stores of one world apart (``"spool:"``); the rest is said at
        ``ExploredStore``.
        """
        return ExploredStore(
            inner,
            self._actor(program),
            place=place,
            page=page,
            delete_order=delete_order,
            fails=fails,
        )

    def locks(self, program: str, table: LockTable) -> SpoolLocks:
        """The locks of a spool as the program sees them. Programs share the table."""
        return ExploredLocks(table, self._actor(program))

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
        while not self._anybody_is_ready() and self._unfinished():
            if not self.loop.advance():
                names = " and ".join(actor.name for actor in self._unfinished())
                raise Violation(f"{names} wait for ever", self.trace)
        for actor in self.actors:
            actor.give_up()
            # What became of a killed program is no longer looked at.
            if actor.killed or not actor.task.done():
                continue
            error = actor.task.exception()
            if error is not None:
                what = f"{actor.name} raised {type(error).__name__}: {error}"
                raise Violation(what, self.trace) from error

    def _anybody_is_ready(self) -> bool:
        return any(waiting.ready() for actor in self.actors for waiting in actor.waiting)

    def _unfinished(self) -> list[_Actor]:
        return [actor for actor in self.actors if not actor.killed and not actor.task.done()]

    def state(self, killing: Choice | None = None) -> Hashable:
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

    def foresee(self, choice: Choice) -> Hashable | None:
        """The state that the choice leads to, if that can be told without trying."""
        actor = self.actors[choice.program]
        # Whoever waits for a timer or a lock may go on by it.
        held_up = any(
            not other.waiting or not all(waiting.ready() for waiting in other.waiting)
            for other in self._unfinished()
            if other is not actor
        )
        return self.state(choice) if choice.kind == "kill" and not held_up else None

    def choices(self, budget: Budget) -> list[Choice]:
        """All that may happen next."""
        found: list[Choice] = []
        for number, actor in enumerate(self.actors):
            ready = [at for at, waiting in enumerate(actor.waiting) if waiting.ready()]
            found += [Choice("go", number, (at,)) for at in ready]
            if actor.killed or not actor.waiting:
                continue
            failing = [at for at in ready if actor.waiting[at].call.fails]
            if self.used.lost < budget.lost:
                found += [Choice("lose", number, (at,)) for at in failing]
            if self.used.refused < budget.refused:
                found += [Choice("refuse", number, (at,)) for at in failing]
            if self.used.kills < budget.kills:
                changing = [at for at, waiting in enumerate(actor.waiting) if waiting.call.changes]
                left = _subsets(changing) if budget.late else [()]
                found += [Choice("kill", number, late) for late in left]
        return found

    def take(self, choice: Choice) -> None:
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
            actor.remember(waiting.task, waiting.call, (type(error).__name__, kind))
            waiting.answer.set_exception(error)
        else:
            meaning = self._meaning(waiting.call, answer)
            actor.remember(waiting.task, waiting.call, meaning)
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
            case bytes() | str() | bool() | None:
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


async def awaited(work: Awaitable[T]) -> T:
    """What is awaited, as a coroutine."""
    return await work


def _subsets(items: Sequence[int]) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(items, size) for size in range(len(items) + 1)))
