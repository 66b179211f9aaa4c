"""A program under test: its lines as they come, Ctrl-C as a terminal sends it, what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CHECKPOINT = str(BIN / "checkpoint")
_MARK = "CHECKPOINT_TEST_PROGRAM"


class Program:
    """Runs in the project's folder, with these variables beside those of the tests.

    ``with Program([...]) as program`` ends whatever is left of it.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._mark = uuid.uuid4().hex
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SM_", "CHECKPOINT_", "DAGSTER_", "AWS_"))
        }
        self._lines: list[str] = []
        self._said = threading.Condition()
        self._ended = False
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**inherited, **environment, _MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._said:
                    self._lines.append(line.rstrip("\n"))
                    self._said.notify_all()
        with self._said:
            self._ended = True
            self._said.notify_all()

    @property
    def lines(self) -> list[str]:
        """What it has printed so far, on both streams."""
        with self._said:
            return list(self._lines)

    @property
    def output(self) -> str:
        """The lines as one text, for a message."""
        return "\n".join(self.lines)

    def lines_with(self, *words: str) -> list[str]:
        """The lines in which all of the words are."""
        return [line for line in self.lines if all(word in line for word in words)]

    def wait_for_line(self, *words: str, seconds: float = 100) -> str:
        """The first line in which all of the words are, as soon as it is printed."""

        def there() -> bool:
            return self._ended or any(all(word in line for word in words) for line in self._lines)

        with self._said:
            self._said.wait_for(there, seconds)
        found = self.lines_with(*words)
        assert found, f"no line with {words}:\n{self.output}"
        return found[0]

    def wait(self, seconds: float = 100) -> int:
        """Its exit code, once it has ended and everything is read."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.output}") from None
        # Also the pipe: a child that outlives it would keep it open.
        self._reader.join(10)
        return code

    def interrupt(self) -> None:
        """Ctrl-C: the terminal sends SIGINT to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)

    def remains(self, seconds: float = 10) -> list[str]:
        """The command lines of processes that it started and that still live after so long."""
        deadline = time.monotonic() + seconds
        while (living := self._living()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return list(living.values())

    def _living(self) -> dict[int, str]:
        """By pid. Children inherit the environment, also those with a session of their own."""
        mark = f"{_MARK}={self._mark}".encode()
        found: dict[int, str] = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                # A process that has ended and waits to be reaped has no environment any more.
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(folder.name)] = command.decode(errors="replace").strip()
            except OSError:
                continue  # it ended meanwhile, or is another user's
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._living():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait(10)
        self._reader.join(10)
