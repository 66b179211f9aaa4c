from __future__ import annotations

import json
from pathlib import Path

from checkpoint_assets.model.clock import system_clock
from checkpoint_assets.model.contract_records import SystemEvent
from checkpoint_assets.model.enums import EventType
from checkpoint_assets.runtime.event_log import logged_events
from checkpoint_assets.runtime.events import EventEmitter


async def test_events_become_lines_as_long_as_the_block_runs(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    emitter = EventEmitter()

    async def emit(kind: EventType, **data: object) -> None:
        await emitter.emit(SystemEvent(kind, system_clock.now(), "here", dict(data)))

    await emit(EventType.COLLECTION_START, number=0)
    async with logged_events(emitter, path):
        await emit(EventType.COLLECTION_START, number=1)
        await emit(EventType.STEP_STORED, title="broken \ud800 and\nlong")
    await emit(EventType.COLLECTION_COMPLETE, number=3)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["event_type"] for line in lines] == ["collection_start", "step_stored"]
    assert lines[1]["data"] == {"title": "broken \ud800 and\nlong"}
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_second_log_goes_on_where_the_first_ended(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        emitter = EventEmitter()
        async with logged_events(emitter, path):
            event = SystemEvent(EventType.STEP_STORED, system_clock.now(), "here", {})
            await emitter.emit(event)
    assert len(path.read_text().splitlines()) == 2
