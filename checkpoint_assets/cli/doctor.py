"""What a capture needs of this machine and of the store, looked at one by one."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checkpoint_assets.collection.browser.chromium import FIX, find_chromium
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError, Conflict
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.keys import PROBE
from checkpoint_assets.storage.media import JSON

# Less free space than this will not last for many sessions.
LITTLE_SPACE = 2_000_000_000
MOST_SKEW = 300.0
# What each of these is for, if the store does not do it. The first three are tried at every call.
_TRIED = {
    "create-only": "a key is written once only where the server honours If-None-Match",
    "list after put": "what was written must be listed at once: use another server",
    "delete": "deleted objects must go: use another server, or credentials that may delete",
}
_NEEDED = {
    "if_match": "restoring, sweeping and compaction need it: use another server, or no versioning",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    ok: bool
    found: str
    fix: str | None = None


def examine(store: str | None) -> list[Finding]:
    """Everything, in the order a capture needs it; what cannot be found out is not well."""
    try:
        settings = Settings()
    except CheckpointError as err:
        return [Finding("settings", ok=False, found=err.message, fix=err.hint)]
    return [*_chromium(settings), _fonts(), *_store(store or settings.storage_url)]


def _chromium(settings: Settings) -> Iterator[Finding]:
    try:
        path = find_chromium(settings.chromium)
    except CheckpointError as err:
        yield Finding("Chromium", ok=False, found=err.message, fix=err.hint or FIX)
        return
    try:
        told = subprocess.run(  # noqa: S603 (the browser that was found)
            [path, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as err:
        yield Finding("Chromium", ok=False, found=f"{path}: {err}", fix=FIX)
        return
    version = told.stdout.strip() or told.stderr.strip().splitlines()[-1:]
    yield Finding("Chromium", ok=told.returncode == 0, found=f"{path}, {version}", fix=FIX)


def _fonts() -> Finding:
    listing = shutil.which("fc-list")
    fix = "pages look different without fonts; Debian and Ubuntu: apt-get install fonts-liberation"
    if listing is None:
        return Finding("fonts", ok=False, found="fontconfig is not installed", fix=fix)
    told = subprocess.run([listing, ":", "family"], capture_output=True, text=True, check=False)  # noqa: S603
    families = {line for line in told.stdout.splitlines() if line}
    return Finding("fonts", bool(families), f"{len(families)} families", fix)


def _store(url: str | None) -> Iterator[Finding]:
    try:
        with SyncStorageManager(url) as manager:
            info = manager.get_storage_info()
            manager.connect()
            capabilities = manager.get_capabilities()
            yield Finding("store", ok=True, found=manager.asynchronous.url)
            for name, does in _tried(manager).items():
                found = "honoured" if does else "not honoured"
                yield Finding(name, does, found, _TRIED[name])
            for name, fix in _NEEDED.items():
                honoured = getattr(capabilities, name)
                found = {True: "honoured", False: "not honoured"}.get(honoured, "cannot be told")
                yield Finding(
                    name.replace("_", "-"), ok=honoured is not False, found=found, fix=fix
                )
            if capabilities.checksums is False:
                unseen = "not compared by the server when it is given bytes; every read is verified"
                yield Finding("checksums", ok=True, found=unseen)
            skew = capabilities.clock_skew or 0.0
            yield Finding(
                "clock",
                abs(skew) < MOST_SKEW,
                f"the store's is {skew:+.1f} s from this machine's",
                "nothing is deleted while they are so far apart: set the clock (NTP)",
            )
            if spool := info["spool"]:
                yield _spool(spool)
    except CheckpointError as err:
        yield Finding("store", ok=False, found=err.message, fix=err.hint)
        return
    yield _disk(Path(os.environ.get("SM_LOCAL_BASE_PATH") or "."))


def _spool(spool: Mapping[str, Any]) -> Finding:
    found = (
        f"{spool['files']} files waiting, {spool['bytes'] / 1e6:.1f} MB; {spool['dead']} set aside"
    )
    fix = "`checkpoint drain` says why, `checkpoint drain --retry-dead` tries them again"
    return Finding("spool", not spool["dead"], found, fix)


def _tried(manager: SyncStorageManager) -> dict[str, bool]:
    """What the store does with an object of our own, which is gone in the end."""
    folder = f"{PROBE}/{secrets.token_hex(8)}/"
    key = f"{folder}doctor.json"
    manager.write_object(key, b"1", JSON)
    try:
        manager.write_object(key, b"2", JSON)
        create_only = False
    except Conflict:
        create_only = True
    listed = [each.key for each in manager.iter_objects(folder)]
    manager.delete_objects([key])
    left = list(manager.iter_objects(folder))
    return dict(zip(_TRIED, (create_only, listed == [key], not left), strict=True))


def _disk(path: Path) -> Finding:
    while not path.exists() and path != path.parent:
        path = path.parent
    free = shutil.disk_usage(path).free
    return Finding(
        "disk",
        free > LITTLE_SPACE,
        f"{free / 1e9:.1f} GB free at {path.resolve()}",
        "free some space, or store elsewhere (SM_LOCAL_BASE_PATH, SM_S3_BUCKET_NAME)",
    )
