"""Capturing, side by side with what Playwright offers: CPU, time on the path, and bytes of a step.

    python bench/capture.py                      # everything, some minutes
    python bench/capture.py --steps 6 --rounds 1 # a first look

Each way does the same steps on the same pages, and waits for the page to come to rest as we do.
CPU is that of this process and all below it: Playwright's driver and the browser. Blocking is how
much longer a step takes than the bare one: work that goes on while the next step is done is not
in it. Bytes are those of the files, and of a Playwright trace its zip file.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from capture_pages import BenchSite, Scene, scenes
from measuring import Row, print_rows
from playwright.async_api import BrowserContext, Page

from checkpoint_assets.collection.browser.isolated_world import IsolatedWorld
from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.page_capture import Observation, PageCapture
from checkpoint_assets.collection.browser.screenshot import ScreenshotEncoder
from checkpoint_assets.collection.browser.settling import Settling
from checkpoint_assets.collection.data_collector import DataCollector
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Capture, Settings
from checkpoint_assets.testing.miniwob_site import MiniWobSite
from checkpoint_assets.testing.sites import open_site

WARM_UP = 2
VIEWPORT = {"width": 1280, "height": 800}
TICK = os.sysconf("SC_CLK_TCK")
FROM_HERE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"


@dataclass
class Cost:
    """Of one step of one run: milliseconds, and bytes."""

    cpu: float
    wall: float
    size: float


Way = Callable[[BrowserContext, Page, Path], AsyncIterator[Callable[[int], Awaitable[None]]]]


def tree_cpu() -> float:
    """Milliseconds of CPU that this process and all below it have used."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(entry.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15])) * 1000 / TICK
    total = 0.0
    for pid, milliseconds in used.items():
        at = pid
        while at not in (os.getpid(), 0):
            at = parents.get(at, 0)
        total += milliseconds if at else 0
    return total


@asynccontextmanager
async def bare(context: BrowserContext, page: Page, folder: Path):
    async def step(number: int) -> None:
        pass

    yield step


@asynccontextmanager
async def naive(context: BrowserContext, page: Page, folder: Path):
    async def step(number: int) -> None:
        html = await page.content()
        png = await page.screenshot()
        (folder / f"{number}.html").write_text(html)
        (folder / f"{number}.png").write_bytes(png)

    yield step


def trace(**options: bool):
    @asynccontextmanager
    async def way(context: BrowserContext, page: Page, folder: Path):
        async def step(number: int) -> None:
            pass

        await context.tracing.start(**options)
        yield step
        await context.tracing.stop(path=folder / "trace.zip")

    return way


def ours(settings: Capture):
    @asynccontextmanager
    async def way(context: BrowserContext, page: Page, folder: Path):
        cdp = await context.new_cdp_session(page)
        capture = PageCapture(cdp, IsolatedWorld(cdp), deadline=30, page=page, settings=settings)
        pictures = ScreenshotEncoder(settings)
        redactor = Redactor(["a secret that no page has"])

        def finish(seen: Observation, number: int) -> None:
            html = redactor.text(seen.html).encode()
            webp = pictures.encode(seen.png, seen.masks, scale=seen.scale).webp
            (folder / f"{number}.html").write_bytes(html)
            (folder / f"{number}.webp").write_bytes(webp)

        with ThreadPoolExecutor(2) as encoders:

            async def step(number: int) -> None:
                encoders.submit(finish, await capture.capture(), number)

            yield step

    return way


WAYS = {
    "bare actions": bare,
    "content() + screenshot()": naive,
    "trace: snapshots": trace(snapshots=True),
    "trace: snapshots, screens, aria": trace(
        snapshots=True, screen_snapshots=True, aria_snapshots=True
    ),
    "ours, fast": ours(Capture()),
    "ours, small": ours(Capture(screenshots="small")),
}
BARE, NAIVE, FAST, SMALL = "bare actions", "content() + screenshot()", "ours, fast", "ours, small"
PICTURES = "trace: snapshots, screens, aria"


async def run(browser: LocalChromium, scene: Scene, way: str, steps: int) -> Cost:
    """Does the scene's steps that way. The median of a step's time, the mean of the rest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = await browser.new_context(viewport=VIEWPORT)
        try:
            page = await context.new_page()
            await page.goto(scene.url)
            cdp = await context.new_cdp_session(page)
            settling = Settling(page, IsolatedWorld(cdp))
            walls: list[float] = []
            begun = size = 0.0
            async with WAYS[way](context, page, folder) as capture:
                for number in range(WARM_UP + steps):
                    if number == WARM_UP:
                        begun, size = tree_cpu(), _size(folder)
                    started = time.perf_counter()
                    settling.begin()
                    await scene.act(page, number)
                    await settling.settle(3)
                    await capture(number)
                    walls.append((time.perf_counter() - started) * 1000)
            cpu = (tree_cpu() - begun) / steps
            share = steps if size or way in (FAST, SMALL, NAIVE) else steps + WARM_UP
            return Cost(cpu, statistics.median(walls[WARM_UP:]), (_size(folder) - size) / share)
        finally:
            await context.close()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


@dataclass
class Costs:
    """What the ways cost on one page, round by round."""

    rounds: dict[str, list[Cost]] = field(default_factory=dict)

    def add(self, way: str, cost: Cost) -> None:
        self.rounds.setdefault(way, []).append(cost)

    def _median(self, way: str, name: str) -> float:
        return statistics.median(getattr(cost, name) for cost in self.rounds[way])

    def cpu(self, way: str) -> float:
        """Milliseconds of CPU beyond the bare step's."""
        pairs = zip(self.rounds[way], self.rounds[BARE], strict=True)
        return statistics.median(cost.cpu - base.cpu for cost, base in pairs)

    def blocking(self, way: str) -> float:
        pairs = zip(self.rounds[way], self.rounds[BARE], strict=True)
        return statistics.median(cost.wall - base.wall for cost, base in pairs)

    def size(self, way: str) -> float:
        return self._median(way, "size")


async def compare(browser: LocalChromium, scene: Scene, steps: int, rounds: int) -> Costs:
    costs = Costs()
    for _ in range(rounds):
        for way in WAYS:
            costs.add(way, await run(browser, scene, way, steps))
    return costs


def print_costs(scene: Scene, costs: Costs) -> None:
    base = statistics.median(cost.cpu for cost in costs.rounds[BARE])
    print(f"\n{scene.name} (a bare step: {base:.0f} CPU ms)\n")
    print("| a step | added CPU ms | blocking ms | kB |\n| --- | ---: | ---: | ---: |")
    for way in list(WAYS)[1:]:
        size = costs.size(way) / 1000
        print(f"| {way} | {costs.cpu(way):.0f} | {costs.blocking(way):.0f} | {size:.0f} |")


def verdicts(scene: Scene, costs: Costs) -> list[Row]:
    def row(what: str, value: float, most: float, unit: str) -> Row:
        return Row(f"{scene.name}: {what}", f"{value:.0f} {unit}", f"<= {most:.0f}", value <= most)

    rows = [
        row("added CPU, beside naive", costs.cpu(FAST), costs.cpu(NAIVE), "ms"),
        row("blocking, beside naive", costs.blocking(FAST), costs.blocking(NAIVE), "ms"),
        # The other trace has no pictures.
        row("bytes, beside a trace", costs.size(FAST) / 1000, costs.size(PICTURES) / 1000, "kB"),
    ]
    if scene.name == "small app":
        rows.insert(0, row("added CPU", costs.cpu(FAST), 75, "ms"))
    return rows


async def four_contexts(url: str, settings: Settings, steps: int) -> float:
    """CPU ms a step of four whole sessions at once: actions, capture, redaction, storage."""
    actions = "\n".join(
        f"  - fill: {{selector: '#new', text: 'thing {n} to do'}}\n  - press: Enter"
        for n in range(steps // 2)
    )
    with tempfile.TemporaryDirectory() as folder:
        storage = {"type": "local", "path": folder}
        async with DataCollector(storage, settings=settings, open_site=open_site) as collector:
            scenarios = [
                parse_scenario(
                    f"name: bench{n}\nstart_url: {url}\nallow_private: [{urlsplit(url).netloc}]\n"
                    f"steps:\n  - goto: {url}\n{actions}\n"
                )
                for n in range(4)
            ]
            await collector.capture_scenario(scenarios[0])
            begun = tree_cpu()
            manifests = await asyncio.gather(*map(collector.capture_scenario, scenarios))
            return (tree_cpu() - begun) / sum(len(manifest.steps) for manifest in manifests)


async def measure_all(options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    settings = Settings(chromium=options.chromium, chromium_arguments=(FROM_HERE,))
    with BenchSite() as site, MiniWobSite() as tasks:
        async with LocalChromium(settings) as browser:
            for scene in scenes(site, tasks):
                if options.only and options.only not in scene.name:
                    continue
                costs = await compare(browser, scene, options.steps, options.rounds)
                print_costs(scene, costs)
                rows += verdicts(scene, costs)
        address = urlsplit(site.url).netloc
        settings = settings.model_copy(update={"allow_private": (address,)})
        whole = await four_contexts(site.url + "/todo", settings, 20)
        rows.append(Row("4 sessions at once, all in", f"{whole:.0f} ms", "<= 160", whole <= 160))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="the scenes whose names contain this")
    parser.add_argument("--chromium", type=Path)
    options = parser.parse_args()
    today = datetime.datetime.now(datetime.UTC).date()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{today}, {platform.machine()}, {os.cpu_count()} cores, load {load}")
    rows = asyncio.run(measure_all(options))
    print()
    print_rows(rows)


if __name__ == "__main__":
    main()
