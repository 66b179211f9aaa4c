"""Rows of the catalogue as lines of JSON or as Parquet, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import click
import pyarrow as pa
import pyarrow.parquet as pq

from checkpoint_assets.catalogue.columns import SESSIONS, STEPS, to_frame

Table = Literal["steps", "sessions"]
Form = Literal["jsonl", "parquet"]
Write = Callable[[pa.RecordBatch], None]


@contextmanager
def exporting(form: Form, table: Table, output: Path | None) -> Generator[Write, None, None]:
    """Call what this yields with each batch. A file is whole, or as it was before.

    A device or a pipe is written to, and never replaced by a file.
    """
    if output is None:
        yield lambda batch: click.echo(_lines(batch), nl=False)
        return
    target = output.resolve()  # a link stays one
    if target.exists() and not target.is_file():
        with _writing(form, table, target) as write:
            yield write
        return
    partial = target.with_name(f".{target.name}.partial")
    try:
        with _writing(form, table, partial) as write:
            yield write
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(form: Form, table: Table, path: Path) -> Generator[Write, None, None]:
    if form == "parquet":
        with pq.ParquetWriter(path, STEPS if table == "steps" else SESSIONS) as rows:
            yield rows.write_batch
    else:
        with path.open("w", encoding="utf-8") as lines:
            yield lambda batch: print(_lines(batch), end="", file=lines)


def _lines(batch: pa.RecordBatch) -> str:
    frame = to_frame(pa.Table.from_batches([batch]))
    return frame.to_json(orient="records", lines=True, date_format="iso")
