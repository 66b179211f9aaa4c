"""The processes that this test process has started, and those that they have."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path


def descendants() -> dict[int, str]:
    """Command lines by pid of everything below this process that still runs."""
    commands: dict[int, str] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # After the name, which is in brackets and may hold anything: state, parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            )
        except OSError:
            continue  # it ended meanwhile
        if state != "Z":
            commands[int(folder.name)] = command
            children.setdefault(int(parent), []).append(int(folder.name))
    found: dict[int, str] = {}
    waiting = [os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found[child] = commands[child]
            waiting.append(child)
    return found


def started_since(before: dict[int, str], *words: str) -> dict[int, str]:
    """Those that run now, did not run before, and have all the words in their command line."""
    return {
        pid: command
        for pid, command in descendants().items()
        if pid not in before and all(word in command for word in words)
    }


async def all_gone(before: dict[int, str], seconds: float = 10) -> dict[int, str]:
    """What was started since and is still there after so long: nothing, as it should be."""
    deadline = time.monotonic() + seconds
    while (left := started_since(before)) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return left


def browser_pid(before: dict[int, str]) -> int:
    """The main process of the one Chromium that was started since."""
    main = [
        pid
        for pid, command in started_since(before, "--remote-debugging-pipe").items()
        # Debian starts it by a script, which waits for it.
        if "--type=" not in command and not command.startswith("/bin/sh")
    ]
    assert len(main) == 1, "\n".join(started_since(before).values())
    return main[0]


def kill_renderers(before: dict[int, str]) -> None:
    """Kill every renderer that was started since."""
    renderers = started_since(before, "--type=renderer")
    assert renderers
    for pid in renderers:
        os.kill(pid, signal.SIGKILL)
