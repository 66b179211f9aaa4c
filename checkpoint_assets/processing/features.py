"""Rows of features as a table with fixed columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from checkpoint_assets.model.clock import to_utc
from checkpoint_assets.model.contract_records import Scalar
from checkpoint_assets.processing.standard import STANDARD_COLUMNS

_TIME = "datetime64[us, UTC]"
# Column -> pandas type. What the settings add comes between these and the problems.
FEATURE_COLUMNS = {
    "session_id": "string",
    "step_id": "string",
    **STANDARD_COLUMNS,
    "processing_problems": "string",
}


def features_frame(rows: Iterable[Mapping[str, Scalar]]) -> pd.DataFrame:
    """One row per step; every column of ``FEATURE_COLUMNS``, also where there is no row.

    The other columns have the type of their values; where those are of several, they are text.
    """
    listed = [*rows]
    others = dict.fromkeys(name for row in listed for name in row if name not in FEATURE_COLUMNS)
    *standard, last = FEATURE_COLUMNS
    series: dict[str, pd.Series[Any]] = {}
    for name in [*standard, *others, last]:
        values = [row.get(name) for row in listed]
        kind = FEATURE_COLUMNS.get(name) or _kind_of(values)
        if kind == _TIME:
            values = [to_utc(value) if isinstance(value, datetime) else None for value in values]
        elif kind == "string":
            values = [None if value is None else str(value) for value in values]
        series[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(series)


def _kind_of(values: list[Scalar]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64"
    if kinds and kinds <= {int, float}:
        return "Float64"
    if kinds and all(issubclass(kind, datetime) for kind in kinds):
        return _TIME
    return "string"
