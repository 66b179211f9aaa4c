"""What the commands print: lines that command no terminal, tables, JSON, and errors with their fix.

Exit codes: 0 all is well; 1 it could not be done, or something is not well; 2 the call or a
setting is wrong; 130 interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
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
def opened(store: str | None) -> Generator[SyncStorageManager, None, None]:
    """The store that is named or configured; errors end the command in one sentence."""
    try:
        with SyncStorageManager(store or Settings().storage_url) as manager:
            yield manager
    except CheckpointError as err:
        raise refusal(err) from err


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
