"""A live Stagehand object whose acts become steps, each with the page as it is right after."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from checkpoint_assets.collection.agent_actions import plain
from checkpoint_assets.model.records import StepData


class _Collect(Protocol):
    def __call__(
        self,
        browserbase_session_id: str,
        *,
        action_data: Any,
        kind: str,
        page_id: str | None,
    ) -> Awaitable[StepData]: ...


class StagehandRecorder:
    """Passes everything on to the Stagehand it wraps; ``act``, ``observe`` and ``extract`` are
    recorded as well, also when they fail.

    Of variables only the names are kept: ``hide`` is given their values, to be masked wherever
    they turn up. ``last`` is the step of the last call.
    """

    def __init__(
        self,
        stagehand: Any,
        session_id: str,
        collect: _Collect,
        hide: Callable[[list[str]], None],
    ) -> None:
        self._stagehand = stagehand
        self._session_id = session_id
        self._collect = collect
        self._hide = hide
        self.last: StepData | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stagehand, name)

    async def act(self, instruction: Any, **options: Any) -> Any:
        """Stagehand's ``act``; its result."""
        return await self._recorded("act", (instruction,), options)

    async def observe(self, instruction: str | None = None, **options: Any) -> Any:
        """Stagehand's ``observe``; its result."""
        return await self._recorded("observe", (instruction,), options)

    async def extract(self, instruction: str, *schema: Any, **options: Any) -> Any:
        """Stagehand's ``extract``; its result."""
        return await self._recorded("extract", (instruction, *schema), options)

    async def _recorded(
        self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        variables: Mapping[str, Any] = options.get("variables") or {}
        self._hide([str(value) for value in variables.values()])
        page_id = await self._page_id(options.get("page"))
        started = time.monotonic()
        words: dict[str, Any] = {"instruction": plain(arguments[0])}
        if variables:
            words["variables"] = sorted(map(str, variables))
        try:
            result = await getattr(self._stagehand, kind)(*arguments, **options)
        except Exception as err:
            # Whatever it was, the step says that the call failed; the caller gets the error.
            words |= {"success": False, "error": type(err).__name__}
            await self._tell(kind, words, started, page_id)
            raise
        words["result"] = result
        await self._tell(kind, words, started, page_id)
        return result

    async def _tell(
        self, kind: str, words: dict[str, Any], started: float, page_id: str | None
    ) -> None:
        words["milliseconds"] = round((time.monotonic() - started) * 1000, 1)
        self.last = await self._collect(
            self._session_id, action_data=words, kind=kind, page_id=page_id
        )

    async def _page_id(self, page: Any) -> str | None:
        """The page that is meant, by its id, which is CDP's target id."""
        if page is None:
            page = await self._stagehand.browser.context.active_page()
        return getattr(page, "page_id", None)
