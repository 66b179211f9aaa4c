"""A data source over a stored session: its steps again, in their order."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from checkpoint_assets.model.clock import parse_isoformat
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import DataCollectionError, NotFound
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.storage.storage_manager import StorageManager


class ReplaySource:
    """Yields each step of a stored session as it was collected. Keeps ``IDataSource``.

    Timestamps are those of the commits. A step that is deleted meanwhile is left out. Raises
    ``DataCollectionError`` for a session without steps.
    """

    def __init__(self, storage: StorageManager, session_id: str) -> None:
        self._storage = storage
        self._session_id = parse_session_id(session_id)
        self._stream: AsyncGenerator[CollectedData, None] | None = None

    def get_source_id(self) -> str:
        return f"replay:{self._session_id}"

    async def connect(self) -> None:
        await self._storage.connect()
        if not await self._storage.list_steps_for_session(self._session_id, limit=1):
            raise DataCollectionError(
                f"session {self._session_id} has no steps to replay", session_id=self._session_id
            )

    async def disconnect(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()

    async def collect(self) -> CollectedData:
        if self._stream is None:
            self._stream = self.collect_stream()
        return await anext(self._stream)

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        async for step_id in self._storage.iter_steps(self._session_id):
            try:
                record = await self._storage.get_commit_record(self._session_id, step_id)
                contents = await self._storage.retrieve_step_data(self._session_id, step_id)
            except NotFound:
                continue
            html, screenshot, action, page = contents
            artifacts: dict[str, bytes] = {}
            if html is not None:
                artifacts[Artifact.HTML] = html if isinstance(html, bytes) else html.encode()
            if screenshot is not None:
                artifacts[Artifact.SCREENSHOT] = screenshot
            yield CollectedData(
                source_id=self.get_source_id(),
                timestamp=parse_isoformat(record.committed_at),
                data_format="html",
                collection_method="replay",
                raw_data=artifacts.get(Artifact.HTML, b""),
                metadata={"step_id": step_id, "action": action, "page": page or {}},
                artifacts=artifacts,
            )
