"""Time, CPU and memory of a call, and the table that they go into."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Seconds on the clock, and of this process's CPU time with that of its children."""

    seconds: float
    cpu: float


@dataclass(frozen=True)
class Row:
    """A promise, what was measured, and whether it was kept."""

    what: str
    measured: str
    target: str
    kept: bool


def measure(call: Callable[[], Any]) -> Measured:
    def cpu() -> float:
        both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, both))

    cpu_before, before = cpu(), time.perf_counter()
    call()
    return Measured(time.perf_counter() - before, cpu() - cpu_before)


def peak_memory() -> float:
    """The most that this process ever had, in MB. Linux only."""
    # Not getrusage: what that tells of a new process includes its parent at the time.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM:"))


def median_ratio(base: Sequence[Measured], own: Sequence[Measured]) -> float:
    """How much of the base's rate is reached: the median over the rounds, each by itself."""
    return statistics.median(b.seconds / o.seconds for b, o in zip(base, own, strict=True))


def median_seconds(runs: Sequence[Measured]) -> float:
    return statistics.median(run.seconds for run in runs)


def least_cpu(runs: Sequence[Measured]) -> float:
    """The CPU time that the work needs: others on the same cores can only add to it."""
    return min(run.cpu for run in runs)


def at_least(what: str, ratio: float, target: float) -> Row:
    return Row(what, f"{ratio:.2f}x", f">= {target:g}x", ratio >= target)


def at_most(what: str, value: float, target: float, unit: str) -> Row:
    return Row(what, f"{value:.3g} {unit}", f"<= {target:g} {unit}", value <= target)


def print_rows(rows: Sequence[Row]) -> None:
    width = max(len(row.what) for row in rows)
    print(f"\n| {'what':{width}} | measured | target | kept |")
    print(f"|-{'-' * width}-|---|---|---|")
    for row in rows:
        kept = "yes" if row.kept else "NO"
        print(f"| {row.what:{width}} | {row.measured} | {row.target} | {kept} |")
