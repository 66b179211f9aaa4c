"""The query language of ``sessions.list(q=...)``: ``user_metadata['path']['to']:'value'``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

_QUERY = re.compile(r"user_metadata((?:\['[^']*'\])+):'([^']*)'")
_KEY = re.compile(r"\['([^']*)'\]")


class InvalidQuery(ValueError):
    """The text is no query."""


def matches(query: str, metadata: Mapping[str, Any] | None) -> bool:
    """Whether the metadata has the text value that the query names. Raises ``InvalidQuery``."""
    found = _QUERY.fullmatch(query.strip())
    if found is None:
        raise InvalidQuery("q must be user_metadata['path']['to']['field']:'value'")
    value: Any = metadata
    for key in _KEY.findall(found[1]):
        value = cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None
    return isinstance(value, str) and value == found[2]
