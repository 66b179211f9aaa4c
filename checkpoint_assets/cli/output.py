"""What the commands print: lines that command no terminal, tables, JSON, and errors with their fix.

Exit codes: 0 all is well; 1 it could not be done, or something is not well; 2 the call or a
setting is wrong; 130 interrupted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import isoformat
from checkpoint_assets.model.errors import (
    BrowserUnavailable,
    CheckpointError,
    InvalidInput,
    S3ConfigError,
)
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.spool_events import SpoolListener

store_option = click.option(
    "--store", metavar="URL", help="Where the sessions are; otherwise the settings decide."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Mendable(click.ClickException):
    """The caller, or a setting, has to be changed."""

    exit_code = 2


def refusal(error: CheckpointError) -> click.ClickException:
    """The error in a sentence. What the caller or a setting has to mend is exit code 2."""
    mendable = isinstance(error, InvalidInput | BrowserUnavailable | S3ConfigError)
    return Mendable(plain(str(error))) if mendable else click.ClickException(plain(str(error)))


@contextmanager
def opened(
    store: str | None, *, spool_listener: SpoolListener | None = None
) -> Generator[SyncStorageManager, None, None]:
    """The store that is named or configured; errors end the command in one sentence."""
    try:
        with SyncStorageManager(
            store or Settings().storage_url,
            # Without a bucket it is the folder, and not worth a word at every command.
            prefer_s3=bool(os.environ.get("SM_S3_BUCKET_NAME")),
            spool_listener=spool_listener,
        ) as manager:
            yield manager
    except CheckpointError as err:
        raise refusal(err) from err


def tell_catalogue(
    manager: SyncStorageManager, *, rows: Iterable[str] = (), marks: Iterable[str] = ()
) -> None:
    """The catalogue has what was done to the sessions: to their steps, or to expiry and pin."""
    # Frames and all: not needed by the commands that change nothing.
    from checkpoint_assets.catalogue.blocking import SyncCatalogue

    catalogue = SyncCatalogue(manager)
    catalogue.append_sessions(rows)
    catalogue.append_events(marks)


@contextmanager
def writing(output: Path | None) -> Generator[None, None, None]:
    """What the system says against the place that was named ends the command in one sentence."""
    try:
        yield
    except CheckpointError:
        raise  # some are OSErrors, too
    except OSError as err:
        raise Mendable(
            f"{output} cannot be written: {err.strerror or err}; name another place"
        ) from err


def plain(text: object) -> str:
    """The text; what could command a terminal is shown as an escape, as in code."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in str(text))


def say(text: object = "") -> None:
    """Print one line."""
    click.echo(plain(text))


def count(number: int, noun: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def print_json(value: Any) -> None:
    """Print a value as JSON, indented for people."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, default=_plain_value))


def answer(sentence: str, as_json: bool, **values: Any) -> None:
    """Say what was done: in a sentence, or with ``--json`` the values."""
    if as_json:
        print_json(values)
    else:
        say(sentence)


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print each row as a line of JSON, as it comes."""
    for row in rows:
        click.echo(json.dumps(row, sort_keys=True, default=_plain_value))


def print_table(rows: Iterable[Sequence[object]], head: Sequence[str]) -> None:
    """Print the rows in columns; numbers stand to the right."""
    table = [[plain("-" if cell is None else cell) for cell in row] for row in rows]
    kinds = [_is_number(table, column) for column in range(len(head))]
    widths = [
        max([len(name), *(len(row[column]) for row in table)]) for column, name in enumerate(head)
    ]
    for row in [list(head), *table]:
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, kinds, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def shortened(text: str | None, length: int) -> str:
    """The text in one line of at most so many characters."""
    text = plain(text or "")
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _is_number(table: Sequence[Sequence[str]], column: int) -> bool:
    cells = [row[column] for row in table if row[column] != "-"]
    return bool(cells) and all(cell.replace(".", "", 1).isdigit() for cell in cells)


def _plain_value(value: object) -> object:
    if isinstance(value, datetime):
        return isoformat(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return str(value)
