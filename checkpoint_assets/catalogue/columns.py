"""The columns of the catalogue, in the order of the tables. Plain Parquet types that all can read.

Times are UTC in microseconds. ``tags`` is a JSON object as text. ``expires_at`` of a step is its
own expiry or its session's, whichever comes first.
"""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
import pyarrow as pa
from pandas.api.extensions import ExtensionDtype

TIME = pa.timestamp("us", tz="UTC")

STEPS = pa.schema(
    [
        ("session_id", pa.string()),
        ("step_id", pa.string()),
        ("ordinal", pa.int64()),
        ("scenario", pa.string()),
        ("state", pa.string()),
        ("tags", pa.string()),
        ("committed_at", TIME),
        ("url", pa.string()),
        ("site", pa.string()),
        ("title", pa.string()),
        ("action", pa.string()),
        ("selector", pa.string()),
        ("settle", pa.string()),
        ("settle_ms", pa.float64()),
        ("mutations", pa.int64()),
        ("redactions", pa.int64()),
        ("html_bytes", pa.int64()),
        ("html_sha256", pa.string()),
        ("screenshot_bytes", pa.int64()),
        ("screenshot_sha256", pa.string()),
        ("screenshot_phash", pa.string()),
        ("action_bytes", pa.int64()),
        ("action_sha256", pa.string()),
        ("expires_at", TIME),
        ("pinned", pa.bool_()),
    ]
)
SESSIONS = pa.schema(
    [
        ("session_id", pa.string()),
        ("scenario", pa.string()),
        ("source", pa.string()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("tags", pa.string()),
        ("started_at", TIME),
        ("closed_at", TIME),
        ("committed_at", TIME),
        ("seconds", pa.float64()),
        ("steps", pa.int64()),
        ("bytes", pa.int64()),
        ("expires_at", TIME),
        ("pinned", pa.bool_()),
        ("pin_reason", pa.string()),
    ]
)
# When the store was looked at for the row, and for its expiry and pin: of two, the later counts.
RECORDED_AT = pa.field("recorded_at", TIME)
STORED_SESSIONS = pa.schema([*SESSIONS, RECORDED_AT, pa.field("marked_at", TIME)])
GONE = pa.schema([SESSIONS.field("session_id"), RECORDED_AT])

_PANDAS: dict[pa.DataType, ExtensionDtype] = {
    pa.string(): pd.StringDtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def _pandas_types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: str(_PANDAS.get(field.type, "datetime64[us, UTC]")) for field in schema}


# Column -> pandas type, as the frames have them.
STEP_COLUMNS = _pandas_types(STEPS)
SESSION_COLUMNS = _pandas_types(SESSIONS)


def to_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """The rows as a table; what a row does not have is null."""
    return pa.Table.from_pylist(rows, schema=schema)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The table as a frame of types that know what is missing, also where there is no row."""
    frame = table.to_pandas(types_mapper=lambda kind: _PANDAS.get(kind))
    # An empty chunk list loses the unit.
    times = {f.name: "datetime64[us, UTC]" for f in table.schema if pa.types.is_timestamp(f.type)}
    return frame.astype(times)


def texts(table: pa.Table, column: str) -> list[str]:
    """The values of a column of text in which nothing is missing."""
    return cast("list[str]", table[column].to_pylist())
