"""Questions to the catalogue in SQL, by DuckDB: ``pip install checkpoint_assets[duckdb]``."""

from __future__ import annotations

import asyncio
from typing import Any

import pandas as pd

from checkpoint_assets.catalogue.catalogue import Catalogue
from checkpoint_assets.model.errors import InvalidInput, NotSupported

TABLES = ("steps", "sessions")


async def query(catalogue: Catalogue, text: str, **parameters: Any) -> pd.DataFrame:
    """The answer. ``steps`` and ``sessions`` are the tables, ``$name`` is a parameter.

    The query sees the catalogue and nothing else: no file, no network. Times are in UTC. Raises
    ``InvalidInput`` for what DuckDB refuses, ``NotSupported`` without DuckDB.
    """
    try:
        import duckdb
    except ImportError as error:
        raise NotSupported(
            "SQL over the catalogue needs DuckDB", hint="pip install checkpoint_assets[duckdb]"
        ) from error
    tables = {name: await catalogue.read(name) for name in TABLES if name in text.lower()}

    def ask() -> pd.DataFrame:
        with duckdb.connect(":memory:", config={"enable_external_access": "false"}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            for name, table in tables.items():
                connection.register(name, table)
            try:
                answer: Any = connection.sql(text, params=parameters or None)
                # A statement that is no question has no answer.
                return pd.DataFrame() if answer is None else answer.to_arrow_table().to_pandas()
            except duckdb.Error as error:
                raise InvalidInput(f"the query was refused: {error}") from error

    return await asyncio.to_thread(ask)
