"""What a collector has to know of a site that is served for the time of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServedSite:
    """A site that is being served: its base URL, and the made-up secrets that its pages take."""

    url: str
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])


# Serves the named site (``demo``, ``miniwob`` or a folder) for as long as the context is open. The
# path is that of the scenario file, which a folder is relative to.
OpenSite = Callable[[str, Path | None], AbstractContextManager[ServedSite]]
