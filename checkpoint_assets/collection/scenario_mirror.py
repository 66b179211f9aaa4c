"""Scenarios that lie in a bucket, as a local folder that is kept the same."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path, PurePosixPath

from checkpoint_assets.collection.scenario_file import SUFFIXES
from checkpoint_assets.collection.strict_yaml import MAX_BYTES
from checkpoint_assets.model.errors import InvalidInput, NotFound
from checkpoint_assets.storage.store import Store

_STATE = ".mirror.json"
# More files than this are no scenarios.
MOST_FILES = 20_000


async def mirror_scenarios(store: Store, folder: Path) -> int:
    """Make the folder hold the scenario files at the top of the store; how many were read.

    A file is read again only if its etag changed, and replaced as a whole. What has gone from the
    store goes from the folder. Raises ``StorageError``, and ``InvalidInput`` for more files than
    20,000.
    """
    known = _known(folder)
    found: dict[str, str] = {}
    async for page in store.list("", recursive=False):
        for info in page.objects:
            name = info.key
            if _is_scenario(name) and info.size <= MAX_BYTES:
                found[name] = info.etag or ""
        if len(found) > MOST_FILES:
            raise InvalidInput(f"{store.url} holds more than {MOST_FILES} scenario files")
    count = 0
    for name, etag in found.items():
        target = folder / name
        if known.get(name) == etag and target.exists():
            continue
        try:
            content = await store.get(name)
        except NotFound:
            continue  # gone since it was listed
        _replace(target, content)
        count += 1
    _remove_others(folder, found)
    _replace(folder / _STATE, json.dumps(found).encode())
    return count


def _is_scenario(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES and name[0] != "." and "/" not in name


def _known(folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return json.loads((folder / _STATE).read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _remove_others(folder: Path, names: Collection[str]) -> None:
    for path in folder.iterdir():
        if _is_scenario(path.name) and path.name not in names:
            path.unlink(missing_ok=True)


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(content)
    temporary.replace(path)
