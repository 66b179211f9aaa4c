"""All sessions of the server: created, expired, released, and each one's browser ended."""

from __future__ import annotations

import asyncio
import contextlib
import io
import shutil
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from checkpoint_assets.model.clock import Clock
from checkpoint_assets.testing.local_browserbase.answers import ApiError
from checkpoint_assets.testing.local_browserbase.chromium_process import ChromiumProcess
from checkpoint_assets.testing.local_browserbase.limits import Limits
from checkpoint_assets.testing.local_browserbase.session import (
    RemoteSession,
    SessionWish,
    Status,
)

_EXTENSIONS = (
    "--enable-unsafe-extension-debugging",
    "--disable-features=DisableLoadExtensionCommandLineSwitch",
    "--headless=new",
)


class Sessions:
    """Sessions by id. ``folder`` holds their profiles, uploads and downloads.

    With ``reuse`` a browser that a session leaves behind is wiped and given to the next one.
    """

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        limits: Limits,
        *,
        executable: Path,
        extension_executable: Path | None,
        arguments: Sequence[str],
        reuse: bool,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._limits = limits
        self._executable = executable
        self._extension_executable = extension_executable or executable
        self._arguments = arguments
        self._reuse = reuse
        self._idle: list[ChromiumProcess] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self.all: dict[str, RemoteSession] = {}
        # The most sessions that were ever live at the same time.
        self.most_live = 0

    def get(self, session_id: str) -> RemoteSession:
        """Raises ``ApiError`` 404."""
        if session_id not in self.all:
            raise ApiError(404, f"Session {session_id} not found")
        return self.all[session_id]

    def live(self) -> list[RemoteSession]:
        return [each for each in self.all.values() if each.live]

    async def create(
        self, wish: SessionWish, project_id: str, extensions: Mapping[str, bytes]
    ) -> RemoteSession:
        """A running session. Raises ``ApiError`` 429 beyond a limit, 500 if nothing starts."""
        self._limits.take(len(self.live()))
        name = str(uuid.uuid4())
        session = RemoteSession(wish, project_id, self._folder / name, self._clock.now(), id=name)
        self.all[session.id] = session
        self.most_live = max(self.most_live, len(self.live()))
        try:
            session.browser = await self._browser(session, extensions)
        except (OSError, ConnectionError) as err:
            self._set(session, "ERROR")
            self._limits.give_back()
            raise ApiError(500, f"the browser did not start: {err}") from err
        if not session.live:  # released while it started
            await session.browser.kill()
            return session
        session.started_at = self._clock.now()
        self._set(session, "RUNNING")
        self._tasks[session.id] = asyncio.ensure_future(self._expire(session))
        return session

    async def _browser(
        self, session: RemoteSession, extensions: Mapping[str, bytes]
    ) -> ChromiumProcess:
        wish = session.wish
        plain = wish.context_id is None and wish.extension_id is None
        while self._reuse and plain and self._idle:
            browser = self._idle.pop()
            with contextlib.suppress(ConnectionError):
                await browser.wipe()
                return browser
            await browser.kill()
        profile = session.folder / "profile"
        for each in (session.downloads, session.uploads):
            each.mkdir(parents=True)
        if wish.context_id is not None:
            await self.ended()  # another session may be saving it just now
        if wish.context_id is not None and (saved := self._saved(wish.context_id)).exists():
            await asyncio.to_thread(shutil.copytree, saved, profile)
        width, height = wish.viewport
        size = f"--window-size={width},{height}"
        if wish.extension_id is None:
            return await ChromiumProcess.start(
                self._executable, profile, (*self._arguments, size), folder=session.folder
            )
        browser = await ChromiumProcess.start(
            self._extension_executable,
            profile,
            (*self._arguments, *_EXTENSIONS, size),
            folder=session.folder,
        )
        unpacked = session.folder / "extension"
        await asyncio.to_thread(_unpack, extensions[wish.extension_id], unpacked)
        await browser.command("Extensions.loadUnpacked", path=str(unpacked))
        return browser

    def _saved(self, context_id: str) -> Path:
        return self._folder / "contexts" / context_id

    async def _expire(self, session: RemoteSession) -> None:
        assert session.browser is not None  # noqa: S101 (it runs)
        left = (session.expires_at - self._clock.now()).total_seconds()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(left, 0)):
                await session.browser.ended()
                self.end_soon(session, "ERROR", "browser crashed")
                return
        self.end_soon(session, "TIMED_OUT", "session timed out")

    def client_left(self, session: RemoteSession) -> None:
        """A web socket was closed: the last one ends a session that is not kept alive."""
        if session.browser is not None and not session.browser.running:
            self.end_soon(session, "ERROR", "browser crashed")
        elif not session.clients and not session.wish.keep_alive:
            self.end_soon(session, "COMPLETED", "disconnected")

    def end_soon(self, session: RemoteSession, status: Status, reason: str) -> None:
        """End the session and its clients at once, its browser in the background."""
        if not session.live:
            return
        session.ended_at = self._clock.now()
        self._set(session, status)
        for hang_up in list(session.clients):
            hang_up(reason)
        watch = self._tasks.pop(session.id, None)
        if watch is not None and watch is not asyncio.current_task():
            watch.cancel()
        if session.browser is not None:
            task = asyncio.ensure_future(self._end_browser(session, session.browser))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def ended(self) -> None:
        """Wait until the browsers of ended sessions are gone, and their contexts saved."""
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)

    async def _end_browser(self, session: RemoteSession, browser: ChromiumProcess) -> None:
        wish = session.wish
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(2):
                session.pages = await browser.pages()
        if wish.context_id is not None and wish.persist and session.status != "ERROR":
            await browser.close()
            await asyncio.to_thread(self._save, session.folder / "profile", wish.context_id)
        elif self._reuse and browser.running and wish.extension_id is None:
            self._idle.append(browser)
            return
        else:
            await browser.kill()
        await asyncio.to_thread(shutil.rmtree, session.folder / "profile", ignore_errors=True)

    def _save(self, profile: Path, context_id: str) -> None:
        saved = self._saved(context_id)
        shutil.rmtree(saved, ignore_errors=True)
        shutil.copytree(profile, saved, ignore=shutil.ignore_patterns("Singleton*", "DevTools*"))

    def _set(self, session: RemoteSession, status: Status) -> None:
        session.status = status
        session.updated_at = self._clock.now()

    def processes(self) -> list[int]:
        """Process ids of the browsers of live sessions."""
        browsers = (each.browser for each in self.live())
        return [each.pid for each in browsers if each is not None and each.running]

    async def close(self) -> None:
        """End everything now."""
        for session in self.live():
            self.end_soon(session, "COMPLETED", "server stopped")
        await self.ended()
        await asyncio.gather(*(each.kill() for each in self._idle))
        self._idle.clear()


def _unpack(archive: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        file.extractall(folder)  # names that lead out of the folder are cut off by zipfile
