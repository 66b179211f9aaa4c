"""What a capture needs of this machine and of the store, looked at one by one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from checkpoint_assets.collection.browser.chromium import FIX, find_chromium
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.storage.blocking import SyncStorageManager

# Less free space than this will not last for many sessions.
LITTLE_SPACE = 2_000_000_000
MOST_SKEW = 300.0
# What each of these is for, if the store does not do it.
_NEEDED = {
    "create_only": "a key is written once only where the server honours If-None-Match",
    "delete": "deleted objects must go: use another server",
    "checksums": "wrong uploads go unnoticed by the server; reads are verified all the same",
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
            for name, fix in _NEEDED.items():
                honoured = getattr(capabilities, name)
                found = {True: "honoured", False: "not honoured"}.get(honoured, "cannot be told")
                yield Finding(
                    name.replace("_", "-"), ok=honoured is not False, found=found, fix=fix
                )
            skew = capabilities.clock_skew or 0.0
            yield Finding(
                "clock",
                abs(skew) < MOST_SKEW,
                f"the store's is {skew:+.1f} s from this machine's",
                "nothing is deleted while they are so far apart: set the clock (NTP)",
            )
            backlog = info.get("spool")
            if backlog:
                yield Finding("spool", ok=True, found=str(backlog))
    except CheckpointError as err:
        yield Finding("store", ok=False, found=err.message, fix=err.hint)
        return
    yield _disk(Path(os.environ.get("SM_LOCAL_BASE_PATH") or "."))


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
