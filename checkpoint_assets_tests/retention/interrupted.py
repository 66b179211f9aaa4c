"""A store that fails, or whose user is killed, at a chosen write or delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from checkpoint_assets.model.errors import StoreUnavailable
from checkpoint_assets.storage.store import DeleteReport, ObjectInfo
from checkpoint_assets.storage.wrapper import WrappedStore


class Killed(BaseException):
    """The process is no more; nothing of it runs any further."""


class InterruptedStore(WrappedStore):
    """``interrupt(n, error)``: before the n-th write or delete from now (or after it) it is raised.

    A killed user stays dead until ``revive``.
    """

    left: int | None = None
    error: BaseException = Killed()
    after = False
    dead = False

    def interrupt(self, at: int, error: BaseException, *, after: bool) -> None:
        self.left, self.error, self.after = at, error, after

    def revive(self) -> None:
        self.left, self.dead = None, False

    def _due(self) -> bool:
        if self.dead:
            raise Killed
        if self.left is None:
            return False
        self.left -= 1
        return self.left == 0

    def _strike(self) -> None:
        self.left = None
        self.dead = isinstance(self.error, Killed)
        raise self.error

    async def put(self, key: str, data: bytes, **options: Any) -> ObjectInfo:
        due = self._due()
        if due and not self.after:
            self._strike()
        info = await self.inner.put(key, data, **options)
        if due:
            self._strike()
        return info

    async def delete(self, keys: Sequence[str]) -> DeleteReport:
        due = self._due()
        if due and not self.after and len(keys) > 1 and isinstance(self.error, StoreUnavailable):
            # As S3 does: some keys are gone, the others have an error each.
            self.left = None
            report = await self.inner.delete(keys[::2])
            return DeleteReport(report.deleted, dict.fromkeys(keys[1::2], self.error))
        if due and not self.after:
            self._strike()
        report = await self.inner.delete(keys)
        if due:
            self._strike()
        return report
