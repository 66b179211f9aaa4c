"""The locks of a spool, as the explorer has them: held by a program until it lets go, or dies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Generator
from contextlib import asynccontextmanager, contextmanager

from checkpoint_assets.storage.spool_locks import SpoolLocks
from checkpoint_assets.testing.exploring.store import Call, Gate

DRAIN = "drain"


class LockTable:
    """Who holds which lock. The programs of one world share it."""

    def __init__(self) -> None:
        self._holders: dict[str, Gate] = {}

    def free(self, names: Collection[str]) -> bool:
        """Whether nobody alive holds one of these."""
        holders = (self._holders.get(name) for name in names)
        return not any(holder.alive for holder in holders if holder is not None)

    def take(self, names: Collection[str], gate: Gate) -> None:
        """The program holds these now."""
        self._holders.update(dict.fromkeys(names, gate))

    def drop(self, names: Collection[str], gate: Gate) -> None:
        """The program holds these no more."""
        for name in names:
            if self._holders.get(name) is gate:
                del self._holders[name]


class ExploredLocks(SpoolLocks):
    """The locks as one program sees them."""

    def __init__(self, table: LockTable, gate: Gate) -> None:
        self._table = table
        self._gate = gate

    @asynccontextmanager
    async def hold(self, names: Collection[str]) -> AsyncGenerator[None]:
        async def take() -> None:
            self._table.take(names, self._gate)

        def free() -> bool:
            return self._table.free(names)

        await self._gate.pass_through(Call("lock", "", ",".join(sorted(names))), take, ready=free)
        try:
            yield
        finally:
            self._table.drop(names, self._gate)

    @contextmanager
    def own(self) -> Generator[bool]:
        owned = self._table.free([DRAIN])
        self._gate.learn(Call("own", "", DRAIN), owned)
        if owned:
            self._table.take([DRAIN], self._gate)
        try:
            yield owned
        finally:
            if owned:
                self._table.drop([DRAIN], self._gate)
