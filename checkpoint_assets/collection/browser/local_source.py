"""A data source over a local Chromium: does a scenario's steps, and yields each one captured."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin, urlsplit

from playwright.async_api import BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.address_gate import Resolve, resolve
from checkpoint_assets.collection.browser.document_gate import DocumentGate
from checkpoint_assets.collection.browser.forward_proxy import Dial, ForwardProxy, dial
from checkpoint_assets.collection.browser.session_browser import SessionBrowser
from checkpoint_assets.collection.browser.step_runner import CapturedStep, StepRunner
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.steps import Goto, Step
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import Clock, system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import DataCollectionError, InvalidScenario
from checkpoint_assets.runtime.cleanup import to_the_end

# Captured whatever else is left out: a step without them would say nothing.
ALWAYS = frozenset({Artifact.ACTION, Artifact.METADATA})
# Shorter values of cookies are words such as "accepted", which pages are full of.
SHORTEST_TOKEN = 12
# Chromium's word for "not even loopback": its proxy settings leave that out by default.
NO_BYPASS = "<-loopback>"


class LocalBrowserSource:
    """Runs one scenario in a context of its own. Keeps the contract of ``IDataSource``.

    The browser goes on while pictures are encoded and the consumer stores: at most
    ``settings.queued_steps`` captured steps wait, then the browser does.
    """

    def __init__(
        self,
        scenario: Scenario,
        browser: SessionBrowser,
        settings: Settings,
        *,
        site_url: str | None = None,
        secrets: Mapping[str, str] | None = None,
        redactor: Redactor | None = None,
        artifacts: Collection[Artifact] = tuple(Artifact),
        clock: Clock = system_clock,
        resolver: Resolve = resolve,
        dial: Dial = dial,
    ) -> None:
        self._scenario = scenario
        self._browser = browser
        self._settings = settings
        self._site_url = site_url
        self._secrets = dict(secrets or {})
        self._redactor = redactor or Redactor(self._secrets.values())
        self._artifacts = frozenset(artifacts)
        self._clock = clock
        self._resolver = resolver
        self._dial = dial
        self._proxy: ForwardProxy | None = None
        self._context: BrowserContext | None = None
        self._runner: StepRunner | None = None
        self._encoders: ThreadPoolExecutor | None = None
        self._stream: AsyncGenerator[CollectedData, None] | None = None

    def get_source_id(self) -> str:
        return f"local:{self._scenario.name}"

    async def connect(self) -> None:
        if self._runner is not None:
            return
        try:
            await self._connect()
        except BaseException:
            await to_the_end(asyncio.ensure_future(self.disconnect()))
            raise

    async def _connect(self) -> None:
        await self._browser.start()
        options = self._context_options()
        if self._browser.contained:
            self._proxy = ForwardProxy(self._allowed(), resolver=self._resolver, dial=self._dial)
            try:
                await self._proxy.start()
            except OSError as err:
                raise DataCollectionError(f"the session's proxy cannot listen: {err}") from err
            options["proxy"] = {"server": self._proxy.url, "bypass": NO_BYPASS}
        self._context = await self._browser.new_context(**options)
        self._encoders = ThreadPoolExecutor(
            self._settings.encode_threads, thread_name_prefix="checkpoint-encode"
        )
        try:
            self._runner = await self._open(self._context, self._encoders)
        except PlaywrightError as err:
            raise DataCollectionError(f"the page could not be opened: {err.message}") from err

    async def _open(
        self,
        context: BrowserContext,
        encoders: ThreadPoolExecutor,
        page: Page | None = None,
        **before: Any,
    ) -> StepRunner:
        return await StepRunner.open(
            context,
            self._settings,
            base_url=self._base_url(),
            allowed=self._allowed(),
            secrets=self._secrets,
            redactor=self._redactor,
            encoders=encoders,
            clock=self._clock,
            timeout=self._scenario.timeout,
            proxy=self._proxy or DocumentGate(self._allowed(), resolver=self._resolver),
            resolver=self._resolver,
            actor=getattr(self._browser, "act", None),
            page=page,
            **before,
        )

    async def _again(self, runner: StepRunner) -> StepRunner | None:
        """A runner on the same page over a new connection, if the old one was lost and it is there.

        Only browsers elsewhere can be reconnected to. What cannot be done again stays an error of
        whoever finds the connection gone.
        """
        reconnect = getattr(self._browser, "reconnect", None)
        if reconnect is None or self._encoders is None:
            return None
        try:
            page: Page | None = await reconnect()
            if page is None:
                return None
            self._context = page.context
            # What a mobile page makes of its metrics is its own affair.
            viewport = None if self._context_options().get("is_mobile") else runner.viewport
            return await self._open(
                page.context, self._encoders, page, scale=runner.scale, viewport=viewport
            )
        except (DataCollectionError, PlaywrightError):
            return None

    async def disconnect(self) -> None:
        stream, self._stream = self._stream, None
        context, self._context, self._runner = self._context, None, None
        encoders, self._encoders = self._encoders, None
        proxy, self._proxy = self._proxy, None
        try:
            if stream is not None:
                await stream.aclose()
            if context is not None:
                # A browser that is gone has closed its contexts already.
                with contextlib.suppress(PlaywrightError, TimeoutError):
                    async with asyncio.timeout(self._settings.timeouts.close):
                        await self._browser.leave(context)
        finally:
            if encoders is not None:
                # What is being encoded is soon done; what waits to be is not begun.
                await asyncio.to_thread(encoders.shutdown, cancel_futures=True)
            if proxy is not None:
                await proxy.close()

    async def collect(self) -> CollectedData:
        if self._stream is None:
            self._stream = self.collect_stream()
        return await anext(self._stream)

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        if self._runner is None:
            raise DataCollectionError("the source is not connected", hint="call connect() first")
        queue: asyncio.Queue[asyncio.Future[CapturedStep] | None] = asyncio.Queue(
            self._settings.queued_steps
        )
        producer = asyncio.ensure_future(self._produce(self._runner, queue))
        try:
            while (captured := await queue.get()) is not None:
                yield self._collected(await captured)
            await producer  # raises what ended the scenario early
        finally:
            producer.cancel()
            with contextlib.suppress(asyncio.CancelledError, DataCollectionError):
                await to_the_end(producer)

    async def _produce(
        self, runner: StepRunner, queue: asyncio.Queue[asyncio.Future[CapturedStep] | None]
    ) -> None:
        try:
            for ordinal, step in enumerate(self._steps(), start=1):
                kept = self._scenario.collect.keeps(ordinal, step.kind)
                again = await self._again(runner)
                runner = again or runner
                run = await runner.run(
                    step,
                    ordinal,
                    artifacts=self._artifacts if kept else self._artifacts & ALWAYS,
                    full_page=self._scenario.collect.full_page,
                    reconnected=again is not None,
                )
                if run.unseen is not None and (again := await self._again(runner)):
                    runner, run = again, await again.see(run.unseen)
                await queue.put(run.captured)
                if run.error is not None:
                    raise run.error
        except asyncio.CancelledError:
            raise  # by the consumer, who takes nothing out of a full queue any more
        except BaseException:
            await queue.put(None)
            raise
        await queue.put(None)

    def _steps(self) -> list[Step]:
        """The scenario's steps; its start page is opened first if they do not begin with a page."""
        steps = list(self._scenario.steps)
        if isinstance(steps[0], Goto):
            return steps
        return [Goto(url=self._base_url(), line=steps[0].line), *steps]

    def _base_url(self) -> str:
        start = self._scenario.start_url or "/"
        return urljoin(self._site_url, start) if self._site_url else start

    def _allowed(self) -> frozenset[str]:
        """The private ``host:port`` pairs that this session may open."""
        both = set(self._scenario.allow_private) & set(self._settings.allow_private)
        return frozenset(both | ({urlsplit(self._site_url).netloc} if self._site_url else set()))

    def _context_options(self) -> dict[str, Any]:
        scenario = self._scenario
        viewport = scenario.viewport
        size: dict[str, Any] = {
            "viewport": {"width": viewport.width, "height": viewport.height},
            "device_scale_factor": viewport.device_scale_factor,
        }
        device = self._browser.device(scenario.device) if scenario.device else {}
        options: dict[str, Any] = {
            **(size | device if not scenario.own_viewport else device | size),
            "storage_state": self._storage_state(),
            "locale": scenario.locale,
            "timezone_id": scenario.timezone,
            "extra_http_headers": scenario.headers(self._secrets) or None,
        }
        return {name: value for name, value in options.items() if value is not None}

    def _storage_state(self) -> Any:
        """The log-in state that the scenario's secret holds, as Playwright writes it."""
        if self._scenario.storage_state is None:
            return None
        name = self._scenario.storage_state.name
        try:
            state = json.loads(self._secrets[name])
            self._redactor.add(_tokens(state))
        except (ValueError, TypeError, AttributeError, KeyError) as err:
            raise InvalidScenario(
                f"the secret {name} is no storage state",
                hint="give it the JSON that Playwright's storage_state() returns",
            ) from err
        return state

    def _collected(self, step: CapturedStep) -> CollectedData:
        return CollectedData(
            source_id=self.get_source_id(),
            timestamp=step.timestamp,
            data_format="checkpoint/step",
            collection_method=step.page.get("capture", "cdp"),
            raw_data=step.artifacts.get(Artifact.HTML, b""),
            metadata={"step_id": step.step_id, "action": step.action, "page": step.page},
            artifacts=step.artifacts,
        )


def _tokens(state: dict[str, Any]) -> list[str]:
    """Values of a log-in state that are long enough to be what a log-in consists of."""
    stored = [
        entry for origin in state.get("origins", []) for entry in origin.get("localStorage", [])
    ]
    values: list[str] = [entry["value"] for entry in (*state.get("cookies", []), *stored)]
    return [value for value in values if len(value) >= SHORTEST_TOKEN]
