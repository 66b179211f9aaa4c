"""How far long work is: one moving line on the standard error of a terminal, and nothing elsewhere.

It is gone when the work is done, so what a command prints is the same with and without it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

Told = Callable[[int], None]


@contextmanager
def progress(
    what: str, unit: str = "", total: int | None = None, *, as_json: bool = False
) -> Generator[Told, None, None]:
    """Call what this yields with how much is done so far, from any thread.

    A bar where the ``total`` is known, otherwise a number that grows, or without a ``unit`` just
    the time. Nothing is shown with ``--json``, or where nobody looks.
    """
    if as_json or not sys.stderr.isatty():
        yield _untold
        return
    # Imported here: most calls have no use for it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    known = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}"))
    growing = (TextColumn("{task.completed} {task.fields[unit]}"),) if unit else ()
    columns = growing if total is None else (*known, TimeRemainingColumn())
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        *columns,
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        # Lines for a file or a pipe stay out of it.
        redirect_stdout=sys.stdout.isatty(),
    ) as shown:
        task = shown.add_task(what, total=total, unit=unit)
        yield lambda done: shown.update(task, completed=done)


def _untold(_done: int) -> None:
    pass
