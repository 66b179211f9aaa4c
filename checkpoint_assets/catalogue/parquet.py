"""Tables as Parquet files, and back; a file of another version is read as far as it goes."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from checkpoint_assets.model.errors import IntegrityError

PARQUET = "application/vnd.apache.parquet"
REBUILD_HINT = "rebuild the catalogue"
# To read or write so many bytes takes longer than handing them to a thread.
LARGE = 1 << 20
# One session's rows are found by reading one group.
_GROUP = 10_000


def encode(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=_GROUP)
    return buffer.getvalue()


def parse(
    data: bytes,
    key: str,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    where: pc.Expression | None = None,
) -> pa.Table:
    """The rows in a Parquet file, in exactly these columns. Raises ``IntegrityError``.

    In a large file groups of rows of which ``where`` can hold for none are not read. It is about
    columns that are read. A file of an earlier version may lack columns, and one of a later
    version have more.
    """
    wanted = schema.names if columns is None else list(columns)
    try:
        source = pa.BufferReader(data)
        file = pq.ParquetFile(source)
        present = set(file.schema_arrow.names)
        names = [name for name in wanted if name in present]
        if where is None or len(data) < LARGE:
            # No threads, and no scanner to set up: a fragment is read in less than that takes.
            table = file.read(columns=names, use_threads=len(data) >= LARGE)
            table = table if where is None else table.filter(where)
        else:
            table = pq.read_table(source, columns=names, filters=where)
        missing = [schema.field(name) for name in wanted if name not in present]
        for field in missing:
            table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(wanted).cast(pa.schema([schema.field(name) for name in wanted]))
    except (pa.ArrowException, ValueError, OSError) as error:
        raise IntegrityError(
            f"{key} is no Parquet file of the catalogue: {error}", key=key, hint=REBUILD_HINT
        ) from error
