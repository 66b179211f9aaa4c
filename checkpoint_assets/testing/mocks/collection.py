"""Stand-ins of the collection layer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from checkpoint_assets.collection.collection_manager import CollectionManager, Sink
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import CollectedData, ParsedMetadata


class MockDataSource:
    """Yields ``data``: one thing for bytes, one each for a sequence of them.

    ``error`` is raised after the last; ``delay`` in seconds comes before each.
    """

    def __init__(
        self,
        source_id: str = "mock-source",
        data: bytes | Sequence[bytes] = b"",
        *,
        metadata: Mapping[str, Any] | None = None,
        data_format: str = "html",
        error: Exception | None = None,
        delay: float = 0,
        clock: Clock = system_clock,
    ) -> None:
        self.source_id = source_id
        self.items = (data,) if isinstance(data, bytes) else tuple(data)
        self.metadata = dict(metadata or {})
        self.data_format = data_format
        self.error = error
        self.delay = delay
        self.clock = clock
        self.connected = False
        self.calls: list[str] = []
        self._next = 0

    def get_source_id(self) -> str:
        return self.source_id

    async def connect(self) -> None:
        self.calls.append("connect")
        if not self.connected:
            self.connected = True
            self._next = 0

    async def disconnect(self) -> None:
        self.calls.append("disconnect")
        self.connected = False

    async def collect(self) -> CollectedData:
        self.calls.append("collect")
        await asyncio.sleep(self.delay)
        if self._next >= len(self.items):
            if self.error is not None:
                raise self.error
            raise StopAsyncIteration
        number = self._next
        self._next += 1
        return CollectedData(
            source_id=self.source_id,
            timestamp=self.clock.now(),
            data_format=self.data_format,
            collection_method="mock",
            raw_data=self.items[number],
            metadata={"step_id": f"{number + 1:04d}-mock", **self.metadata},
        )

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        while True:
            try:
                collected = await self.collect()
            except StopAsyncIteration:
                return
            yield collected


class MockMetadataParser:
    """Takes metadata as it is; names in ``required`` must be there."""

    def __init__(self, required: Iterable[str] = (), formats: Sequence[str] = ("html",)) -> None:
        self.required = tuple(required)
        self.formats = tuple(formats)

    def parse(self, data: CollectedData) -> ParsedMetadata:
        parsed = ParsedMetadata(data.source_id, data.timestamp, "mock", dict(data.metadata))
        return replace(parsed, problems=self.validate(parsed))

    def validate(self, metadata: ParsedMetadata) -> Sequence[str]:
        return [f"{name} is missing" for name in self.required if name not in metadata.fields]

    def get_supported_formats(self) -> Sequence[str]:
        return self.formats


class MockCollectionManager(CollectionManager):
    """The real one, which keeps what it was given in ``collected`` where no sink takes it."""

    def __init__(self, sink: Sink | None = None, **options: Any) -> None:
        self.collected: list[CollectedData] = []
        super().__init__(sink or self._keep, **options)

    async def _keep(self, source_id: str, data: CollectedData) -> None:
        self.collected.append(data)
