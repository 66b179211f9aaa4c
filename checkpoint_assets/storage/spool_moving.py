"""What a drainer has in its hands, so that a drainer that died with it is noticed.

A write that was on its way when its process died may arrive later, and bring back what was deleted
meanwhile. So what a dead drainer has left is not deleted before it was drained again.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from checkpoint_assets.model.errors import NotFound, StoreUnavailable
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.storage.hashing import sha256_hex
from checkpoint_assets.storage.media import JSON
from checkpoint_assets.storage.store import Store

_KEY = "moving/names.json"


class MovingNote:
    """The top-level folders that are being drained. Only the owner of the drain writes it.

    It names them before the first write to the store, and no more after the last answer. Whoever
    has locked a folder and finds it named knows that its drainer is dead.
    """

    def __init__(self, notes: Store) -> None:
        self._notes = notes

    async def read(self) -> set[str]:
        """The names."""
        try:
            return set(json.loads(await self._notes.get(_KEY)))
        except NotFound:
            return set()

    async def write(self, names: Collection[str]) -> None:
        """From now on these."""
        if not names:
            await self._notes.delete([_KEY])
            return
        data = encode_json(sorted(names))
        await self._notes.put(_KEY, data, media_type=JSON, sha256=sha256_hex(data), create=False)

    async def refuse(self, names: Collection[str]) -> None:
        """Raises ``StoreUnavailable`` if a dead drainer left one of the folders, locked by us."""
        if left := await self.read() & set(names):
            raise StoreUnavailable(
                f"a drain of {', '.join(sorted(left))} was cut short, and its last write may still "
                "be on its way",
                hint="drain the spool first",
            )
