"""Finding a Chromium, and starting it the way captures need it.

The order: ``CHECKPOINT_CHROMIUM``, then ``chromium-headless-shell``, ``chromium`` and
``google-chrome`` on the PATH, then what ``playwright install`` has put in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from checkpoint_assets.model.errors import BrowserUnavailable

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
# No background traffic: a capture talks to the pages it was sent to and to nobody else.
QUIET_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
)
# A page reaches the network through its session's proxy or not at all. Each Chromium knows one of
# the two WebRTC switches. With no names to resolve, nothing is looked up past the proxy either.
CONTAINED_ARGUMENTS = (
    "--disable-quic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-auto-reload",
)
FIX = (
    "install one (Debian and Ubuntu: apt-get install chromium), run "
    "`playwright install --only-shell chromium`, or set CHECKPOINT_CHROMIUM to its path"
)


def find_chromium(
    configured: Path | None = None,
    *,
    which: Callable[[str], str | None] = shutil.which,
    installed: Callable[[], Path | None] | None = None,
) -> Path:
    """The Chromium to start. Raises ``BrowserUnavailable`` where there is none.

    A path that was configured and does not exist is an error, never a reason to look elsewhere.
    """
    if configured is not None:
        found = which(str(configured))
        if found is None:
            raise BrowserUnavailable(
                f"CHECKPOINT_CHROMIUM is {str(configured)!r}, which is no program",
                hint="give the full path of a Chromium, or unset it",
            )
        return Path(found)
    for name in NAMES:
        if found := which(name):
            return Path(found)
    path = (installed or playwright_chromium)()
    if path is None:
        raise BrowserUnavailable("no Chromium was found", hint=FIX)
    return path


def playwright_chromium(environment: dict[str, str] | None = None) -> Path | None:
    """The newest Chromium that ``playwright install`` left on this machine, if any."""
    environment = dict(os.environ) if environment is None else environment
    root = Path(
        environment.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright"
    ).expanduser()
    patterns = (
        "chromium_headless_shell-*/*/headless_shell",
        "chromium_headless_shell-*/*/chrome-headless-shell",
        "chromium-*/*/chrome",
    )
    for pattern in patterns:
        programs = [path for path in root.glob(pattern) if os.access(path, os.X_OK)]
        if programs:
            return max(programs, key=lambda path: path.stat().st_mtime)
    return None


def launch_arguments(extra: Sequence[str], *, root: bool | None = None) -> list[str]:
    """Chromium's command line. As root its sandbox cannot start; otherwise it is always on."""
    root = os.geteuid() == 0 if root is None else root
    sandbox = ["--no-sandbox"] if root else []
    return [*QUIET_ARGUMENTS, *CONTAINED_ARGUMENTS, *sandbox, *extra]
