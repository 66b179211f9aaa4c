"""Many scenarios by one collector: some at once, and each is told as it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping
from dataclasses import dataclass

from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.runtime.cleanup import to_the_end


@dataclass(frozen=True, slots=True)
class Captured:
    """A scenario and what became of it: the manifest of its session, or why there is none."""

    scenario: Scenario
    manifest: SessionManifest | None = None
    error: CheckpointError | None = None


async def capture_each(
    collector: DataCollector,
    scenarios: Iterable[Scenario],
    *,
    at_once: int,
    artifacts: Collection[Artifact] | None = None,
    tags: Mapping[str, str] | None = None,
) -> AsyncGenerator[Captured, None]:
    """Capture each scenario, at most ``at_once`` at a time; in the order in which they end.

    One that fails hurts no other. Whoever stops listening, or is cancelled, ends what still runs:
    those sessions are closed as aborted before this returns.
    """

    async def capture(scenario: Scenario) -> Captured:
        try:
            manifest = await collector.capture_scenario(scenario, artifacts=artifacts, tags=tags)
        except CheckpointError as err:
            return Captured(scenario, error=err)
        return Captured(scenario, manifest)

    waiting = iter(scenarios)
    running: set[asyncio.Task[Captured]] = set()

    def begin() -> None:
        while len(running) < at_once and (scenario := next(waiting, None)) is not None:
            running.add(asyncio.create_task(capture(scenario)))

    try:
        begin()
        while running:
            ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            running -= ended
            # Before anybody is told: a listener may take its time.
            begin()
            for task in ended:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        if running:
            await to_the_end(asyncio.ensure_future(asyncio.wait(running)))
