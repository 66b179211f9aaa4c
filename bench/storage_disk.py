"""Durable steps on a local disk, against a writer by hand that does the least it can."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from measuring import Row, at_least, measure, median_ratio, median_seconds
from storage_clients import (
    ACTION_JSON,
    HTML,
    THREADS,
    WEBP,
    full_steps,
    step_names,
)

from checkpoint_assets.storage.storage_manager import StorageManager

LOCAL_TARGET = 0.85


class ByHand:
    """Three files, synced and renamed at the same time, the folder, the record, the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = ThreadPoolExecutor(THREADS)
        self.steps = ThreadPoolExecutor(THREADS)

    def _file(self, folder: Path, name: str, data: bytes) -> tuple[str, int, str]:
        temporary = folder / f".tmp-{name}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            assert os.write(descriptor, data) == len(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(folder / name)
        return name, len(data), hashlib.sha256(data).hexdigest()

    def _sync(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def step(self, session: str, step: str, files_at_once: bool = True) -> None:
        folder = self.root / session
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            self._sync(self.root)
        parts = [(".html", HTML), (".webp", WEBP), (".action.json", ACTION_JSON)]
        do = self.files.map if files_at_once else map
        written = list(do(lambda part: self._file(folder, step + part[0], part[1]), parts))
        self._sync(folder)
        record = {"files": written, "metadata": {"note": "x" * 700}}
        self._file(folder, f"{step}.metadata.json", json.dumps(record).encode())
        self._sync(folder)

    def many(self, steps: int) -> None:
        names = list(step_names(steps))
        list(self.steps.map(lambda name: self.step(*name, files_at_once=False), names))

    def one_by_one(self, steps: int) -> None:
        for session, step in step_names(steps):
            self.step(session, step)


class OnDisk:
    """The StorageManager on a folder."""

    def __init__(self, root: Path) -> None:
        self.manager = StorageManager(root.as_uri())
        asyncio.run(self.manager.connect())

    def many(self, steps: int) -> None:
        asyncio.run(self.manager.store_steps(full_steps(steps))).raise_failures()

    def one_by_one(self, steps: int) -> None:
        async def store() -> None:
            for step in full_steps(steps):
                await self.manager.store_step_data(
                    step.session_id,
                    step.step_id,
                    step.html_content,
                    step.screenshot_bytes,
                    step.action_data,
                    step.metadata,
                )

        asyncio.run(store())


def compare_disk(steps: int, rounds: int) -> list[Row]:
    print(f"\n{steps} durable steps on a local disk, medians of {rounds} rounds")
    rows: list[Row] = []
    for way in ("one_by_one", "many"):
        times = {ByHand: [], OnDisk: []}
        for _ in range(rounds):
            for make, runs in times.items():
                with tempfile.TemporaryDirectory() as folder:
                    run: Callable[[int], None] = getattr(make(Path(folder)), way)
                    runs.append(measure(lambda run=run: run(steps)))
        ratio = median_ratio(times[ByHand], times[OnDisk])
        hand, ours = (steps / median_seconds(runs) for runs in times.values())
        words = way.replace("_", " ")
        print(f"{words}: by hand {hand:.0f} steps/s, ours {ours:.0f} steps/s, {ratio:.2f}x")
        rows.append(at_least(f"local steps, {words}, of a writer by hand", ratio, LOCAL_TARGET))
    return rows
