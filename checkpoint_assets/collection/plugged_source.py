"""Sources of other packages, which the settings list and a scenario names: ``source: plugin:NAME``.

What such a source yields becomes steps as those of a browser do: numbered, redacted, their pictures
stored as WebP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.collection.browser.screenshot import stored_picture
from checkpoint_assets.collection.readers import suggest
from checkpoint_assets.collection.redaction import Redactor
from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IDataSource
from checkpoint_assets.model.clock import Clock, isoformat, system_clock
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import (
    CheckpointError,
    DataCollectionError,
    InvalidConfiguration,
    InvalidInput,
    InvalidScenario,
    InvalidScreenshot,
)
from checkpoint_assets.model.ids import step_id
from checkpoint_assets.runtime.cleanup import to_the_end
from checkpoint_assets.runtime.plugins import keeping, load_named
from checkpoint_assets.storage.content import plain_object
from checkpoint_assets.storage.step_backend import contents, page_of

SETTING = "sources"
# What a source did, where it does not say so.
KIND = "collect"
_FILES = (Artifact.HTML, Artifact.SCREENSHOT)


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """What a plugged-in source is made from, once for each session.

    ``site_url`` is that of the scenario's ``site``; ``secrets`` are the values of those that the
    scenario names: what they are is masked in everything that the source yields.
    """

    scenario: Scenario
    site_url: str | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


class PluggedSource:
    """A source that the settings name, as the collector needs it. Keeps ``IDataSource``.

    Each thing that it yields is one step, and gets the next number; its kind is that of its own
    ``metadata["action"]``. Whatever the source raises is a ``DataCollectionError`` here, and
    connecting and disconnecting have deadlines.

    Raises ``InvalidScenario`` for a source that the settings do not list, ``InvalidConfiguration``
    for one that cannot be made.
    """

    def __init__(
        self,
        request: SourceRequest,
        settings: Settings,
        *,
        redactor: Redactor | None = None,
        artifacts: Collection[str] = tuple(Artifact),
        clock: Clock = system_clock,
    ) -> None:
        self._name = request.scenario.plugin or ""
        self._source = made_source(request, settings)
        self._scenario = request.scenario
        self._settings = settings
        self._redactor = redactor or Redactor(request.secrets.values())
        self._artifacts = frozenset(artifacts)
        self._clock = clock
        self._stream: AsyncGenerator[CollectedData, None] | None = None

    def get_source_id(self) -> str:
        return f"{self._scenario.source}:{self._scenario.name}"

    async def connect(self) -> None:
        try:
            with self._failing("connect"):
                async with asyncio.timeout(self._settings.timeouts.launch):
                    await self._source.connect()
        except BaseException:
            await to_the_end(asyncio.ensure_future(self.disconnect()))
            raise

    async def disconnect(self) -> None:
        stream, self._stream = self._stream, None
        with self._failing("disconnect"):
            async with asyncio.timeout(self._settings.timeouts.close):
                if stream is not None:
                    await stream.aclose()
                await self._source.disconnect()

    async def collect(self) -> CollectedData:
        if self._stream is None:
            self._stream = self.collect_stream()
        return await anext(self._stream)

    async def collect_stream(self) -> AsyncGenerator[CollectedData, None]:
        ordinal = 0
        with self._failing("collect"):
            async with contextlib.aclosing(self._source.collect_stream()) as stream:
                while True:
                    since = self._clock.monotonic()
                    try:
                        data = await anext(stream)
                    except StopAsyncIteration:
                        return
                    ordinal += 1
                    yield await self._step(data, ordinal, self._clock.monotonic() - since)

    async def _step(self, data: CollectedData, ordinal: int, seconds: float) -> CollectedData:
        """What was collected, as the step of that number."""
        if not isinstance(data, CollectedData):  # pyright: ignore[reportUnnecessaryIsInstance] (somebody else's)
            raise InvalidInput(f"a {type(data).__name__} is no CollectedData")
        given = contents(data)
        if unknown := sorted(set(given) - set(_FILES)):
            raise InvalidInput(
                f"{', '.join(unknown)} is no artifact of a step", hint=f"use {', '.join(_FILES)}"
            )
        action = self._action(data, ordinal, seconds)
        kept = self._artifacts
        if not self._scenario.collect.keeps(ordinal, action["kind"]):
            kept = kept - set(_FILES)
        page: dict[str, Any] = {**self._redactor.json(page_of(data)), "capture": "plugin"}
        page["artifacts"] = sorted(kept & {*given, Artifact.ACTION, Artifact.METADATA})
        page["action"] = {key: action[key] for key in ("kind", "selector") if key in action}
        artifacts: dict[str, bytes] = {}
        if Artifact.HTML in given and Artifact.HTML in kept:
            artifacts[Artifact.HTML] = self._redacted(given[Artifact.HTML])
        if Artifact.SCREENSHOT in given and Artifact.SCREENSHOT in kept:
            picture = given[Artifact.SCREENSHOT]
            try:
                shot = await asyncio.to_thread(stored_picture, picture, self._settings.capture)
            except InvalidScreenshot as err:
                # The page is kept; the step says that its picture is not there, and why.
                page["incomplete"] = f"no screenshot: {err.message}"
            else:
                artifacts[Artifact.SCREENSHOT] = shot.webp
                page["screenshot"] = {"width": shot.width, "height": shot.height}
                if not shot.lossless:
                    page["screenshot"]["lossless"] = False
        return replace(
            data,
            source_id=self.get_source_id(),
            raw_data=artifacts.get(Artifact.HTML, b""),
            metadata={
                "step_id": step_id(ordinal, action["kind"]),
                "action": plain_object(action, "its action"),
                "page": plain_object(page, "its metadata"),
            },
            artifacts=artifacts,
        )

    def _action(self, data: CollectedData, ordinal: int, seconds: float) -> dict[str, Any]:
        own = data.metadata.get("action") or {}
        if (
            not isinstance(own, dict)
            or not isinstance(own.get("target") or {}, dict)
            or not isinstance(own.get("selector") or "", str)
        ):
            raise InvalidInput("its action is no action record")
        kind = own.get("kind") or KIND
        record = ActionRecord(str(kind), ordinal, isoformat(data.timestamp))
        record.milliseconds = {"collect": round(seconds * 1000, 1)}
        said = {key: value for key, value in own.items() if value is not None}
        return {"outcome": "ok", **self._redactor.json(said), **_without_outcome(record)}

    def _redacted(self, html: bytes) -> bytes:
        # As it came where nothing is secret in it, whatever its encoding.
        text = html.decode("utf-8", "surrogateescape")
        return self._redactor.text(text).encode("utf-8", "surrogateescape")

    @contextlib.contextmanager
    def _failing(self, doing: str) -> Generator[None, None, None]:
        """What the source raises, with its name."""
        try:
            yield
        except DataCollectionError:
            raise
        except TimeoutError as err:
            raise self._failed(doing, str(err) or "it took too long") from err
        except CheckpointError as err:
            raise self._failed(doing, str(err)) from err
        except Exception as err:  # somebody else's code: whatever it raises is the reason
            raise self._failed(doing, f"{type(err).__name__}: {err}") from err

    def _failed(self, doing: str, reason: str) -> DataCollectionError:
        return DataCollectionError(
            f"the source {self._name!r} failed to {doing}: {self._redactor.text(reason)}"
        )


def made_source(request: SourceRequest, settings: Settings) -> IDataSource:
    """The source that the scenario names, from the class or function that the settings list.

    Raises ``InvalidScenario`` and ``InvalidConfiguration``.
    """
    name, known = request.scenario.plugin or "", settings.sources
    if name not in known:
        path = request.scenario.path
        raise InvalidScenario(
            f"the settings list no source {name!r}",
            path=str(path) if path else None,
            hint=suggest(name, known) if known else "sources = {NAME: package.module:Name}",
        )
    make: Any = load_named(SETTING, known[name])
    try:
        return keeping(IDataSource, make(request), "data source")
    except InvalidInput as err:
        raise _unusable(name, known[name], err) from err
    except Exception as err:  # somebody else's code: whatever it raises is the reason
        raise _unusable(name, known[name], f"{type(err).__name__}: {err}") from err


def _unusable(name: str, reference: str, reason: object) -> InvalidConfiguration:
    return InvalidConfiguration(f"{SETTING}: {name} ({reference!r}) cannot be used: {reason}")


def _without_outcome(record: ActionRecord) -> dict[str, Any]:
    """What the source has no say in."""
    return {key: value for key, value in record.to_dict().items() if key != "outcome"}
