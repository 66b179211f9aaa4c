"""One Chromium of a session. It ends with this process, however that ends: the pipe breaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Chromium reads commands from descriptor 3 and answers on 4; the shell puts the pipes there.
_LAUNCH = 'in=$1 out=$2; shift 2; exec "$@" 3</dev/fd/$in 4>/dev/fd/$out'
_LARGEST = 64 * 1024 * 1024
_GRACE = 5.0


class ChromiumProcess:
    """A Chromium with its own profile. ``socket_path`` is its CDP end point on ``port``."""

    def __init__(self, process: asyncio.subprocess.Process, commands: int) -> None:
        self._process = process
        self._commands = commands
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._numbers = itertools.count(1)
        self._reading: asyncio.Task[None] | None = None
        self._answers_pipe: asyncio.ReadTransport | None = None
        self.port = 0
        self.socket_path = ""

    @classmethod
    async def start(
        cls,
        executable: Path,
        profile: Path,
        arguments: Sequence[str],
        *,
        folder: Path,
        deadline: float = 30,
    ) -> ChromiumProcess:
        """Start it in ``folder``, and wait until it listens. Raises ``OSError`` if it does not."""
        port_file = profile / "DevToolsActivePort"
        to_read, commands = os.pipe()
        answers, to_write = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *("/bin/sh", "-c", _LAUNCH, "sh", str(to_read), str(to_write), str(executable)),
                *("--remote-debugging-pipe", "--remote-debugging-port=0"),
                *(f"--user-data-dir={profile}", *arguments, "about:blank"),
                pass_fds=(to_read, to_write),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                cwd=folder,
            )
        except BaseException:
            os.close(commands)
            os.close(answers)
            raise
        finally:
            os.close(to_read)
            os.close(to_write)
        chromium = cls(process, commands)
        try:
            await chromium._listen(answers)
            async with asyncio.timeout(deadline):
                await chromium.command("Target.getTargets")
                while len(words := _words(port_file)) < 2:  # noqa: ASYNC110 (a file)
                    await asyncio.sleep(0.02)
        except BaseException as err:
            await chromium.kill()
            if isinstance(err, TimeoutError | ConnectionError):
                raise OSError(f"{executable} did not start") from err
            raise
        chromium.port, chromium.socket_path = int(words[0]), words[1]
        return chromium

    async def _listen(self, answers: int) -> None:
        reader = asyncio.StreamReader(limit=_LARGEST)
        self._answers_pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(answers, "rb")
        )
        self._reading = asyncio.ensure_future(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                message = json.loads((await reader.readuntil(b"\0"))[:-1])
                waiting = self._answers.pop(message.get("id", 0), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        except (asyncio.IncompleteReadError, OSError):
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError("the browser is gone"))
            self._answers.clear()

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a CDP command to the browser. Raises ``ConnectionError`` if it is gone."""
        if not self.running or (self._reading and self._reading.done()):
            raise ConnectionError("the browser is gone")
        number = next(self._numbers)
        waiting = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        try:
            os.write(self._commands, json.dumps(message).encode() + b"\0")
        except OSError as err:
            self._answers.pop(number, None)
            raise ConnectionError("the browser is gone") from err
        answer = await waiting
        if "error" in answer:
            raise ConnectionError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ended(self) -> None:
        """Wait for its end."""
        await self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def pages(self) -> list[dict[str, str]]:
        """The targets that are pages: ``targetId``, ``title``, ``url``."""
        found = await self.command("Target.getTargets")
        return [each for each in found["targetInfos"] if each["type"] == "page"]

    async def wipe(self) -> None:
        """As new: one empty page, no cookies. Raises ``ConnectionError`` if that cannot be."""
        old = {page["targetId"] for page in await self.pages()}
        await self.command("Target.createTarget", url="about:blank")
        for target in old:
            await self.command("Target.closeTarget", targetId=target)
        await self.command("Storage.clearCookies")
        try:
            async with asyncio.timeout(_GRACE):
                # A page is closed some time after the browser has said so.
                while old & {each["targetId"] for each in await self.pages()}:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError as err:
            raise ConnectionError("a page of the session before does not close") from err

    async def close(self) -> None:
        """End it in order, so that its profile is whole; by force if that takes long."""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_GRACE):
                await self.command("Browser.close")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it and all its processes now."""
        if self._commands >= 0:
            os.close(self._commands)
            self._commands = -1
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if self._answers_pipe is not None:
            self._answers_pipe.close()


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
