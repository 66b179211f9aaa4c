"""A scenario: what to capture, and how. Made by ``load_scenario`` and ``parse_scenario``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

from checkpoint_assets.collection.durations import format_duration
from checkpoint_assets.collection.redaction import redact_url
from checkpoint_assets.collection.steps import Fill, Step
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.ids import ScenarioName

Source = Literal["local", "cdp", "browserbase", "stagehand"]
Engine = Literal["chromium", "firefox", "webkit"]
SOURCES: tuple[Source, ...] = get_args(Source)
# Before the name of a source that the settings list.
PLUGIN = "plugin:"
ENGINES: tuple[Engine, ...] = get_args(Engine)
BUILT_IN_SITES = ("demo", "miniwob")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """The name of a secret. Its value is found at capture time and is never part of a scenario."""

    name: str

    def to_dict(self) -> dict[str, str]:
        """``{"secret": NAME}``, as in the file."""
        return {"secret": self.name}


@dataclass(frozen=True, slots=True)
class Viewport:
    """The size of the page in CSS pixels, and how many device pixels make one of them."""

    width: int = 1280
    height: int = 800
    device_scale_factor: float = 1


@dataclass(frozen=True, slots=True)
class Collect:
    """What is kept of the steps. Action and metadata always are, of every step.

    HTML and screenshots are kept of every ``every``-th step, beginning with the first, and of the
    steps whose kind is in ``on`` (``navigate`` is ``goto``). With ``on`` alone ``every`` is
    ``None``.
    """

    artifacts: tuple[Artifact, ...] = tuple(Artifact)
    every: int | None = 1
    on: tuple[str, ...] = ()
    full_page: bool = False

    def keeps(self, ordinal: int, kind: str) -> bool:
        """Whether the HTML and the screenshot of the ``ordinal``-th step (from 1) are kept."""
        if kind in self.on or (kind == "goto" and "navigate" in self.on):
            return True
        return self.every is not None and (ordinal - 1) % self.every == 0

    def to_dict(self) -> dict[str, Any]:
        """The same in the words of the file."""
        words: dict[str, Any] = {
            "artifacts": [str(each) for each in self.artifacts],
            "full_page": self.full_page,
        }
        if self.every is not None:
            words["every"] = self.every
        return words | ({"on": list(self.on)} if self.on else {})


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the scenario's sessions are kept; ``None``: nothing removes them."""

    keep_for: timedelta | None = None
    keep_last: int | None = None
    pin: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The same in the words of the file."""
        words: dict[str, Any] = {"pin": self.pin}
        if self.keep_for is not None:
            words["keep_for"] = format_duration(self.keep_for)
        if self.keep_last is not None:
            words["keep_last"] = self.keep_last
        return words


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario file, checked: every field is good to use, variables are filled in.

    ``digest`` is the sha256 of the file's content, whatever its comments and layout. Exactly one
    of ``site`` and ``start_url`` is given; a site that is a folder is relative to the file. With a
    source of another package (``plugin:NAME``) neither has to be, and there may be no ``steps``.
    ``viewport`` stands over that of ``device`` only if the file has one (``own_viewport``).
    ``timeout`` is what a step without its own has, in seconds. ``allow_private`` is a wish:
    Settings must allow it, too.
    """

    name: ScenarioName
    steps: tuple[Step, ...]
    digest: str
    path: Path | None = None
    description: str | None = None
    site: str | None = None
    start_url: str | None = None
    source: Source | str = "local"
    cdp_url: str | SecretRef | None = None
    engine: Engine = "chromium"
    viewport: Viewport = field(default_factory=Viewport)
    own_viewport: bool = False
    device: str | None = None
    locale: str | None = None
    timezone: str | None = None
    extra_headers: Mapping[str, str | SecretRef] = field(default_factory=dict[str, str | SecretRef])
    storage_state: SecretRef | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    collect: Collect = field(default_factory=Collect)
    schedule: str | None = None
    retention: Retention | None = None
    allow_private: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    timeout: float | None = None

    @property
    def plugin(self) -> str | None:
        """The name of the source of another package that it wants, as the settings list it."""
        return self.source.removeprefix(PLUGIN) if self.source.startswith(PLUGIN) else None

    def secret_names(self) -> set[str]:
        """The names of all secrets that a capture needs."""
        names = {step.secret for step in self.steps if isinstance(step, Fill) and step.secret}
        references = (self.cdp_url, self.storage_state, *self.extra_headers.values())
        return names | {each.name for each in references if isinstance(each, SecretRef)}

    def literal_secrets(self) -> set[str]:
        """Texts of the file that look like secrets, to be masked like those that are."""
        fills = (step for step in self.steps if isinstance(step, Fill))
        return {text for step in fills if (text := step.literal_secret)}

    def warnings(self) -> tuple[str, ...]:
        """What works and should be written otherwise, each with its line."""
        where = f"{self.path}:" if self.path else "line "
        return tuple(
            f"{where}{step.line}: a password stands in the file (use 'secret: NAME' for 'text')"
            for step in self.steps
            if isinstance(step, Fill) and step.literal_secret
        )

    def headers(self, secrets: Mapping[str, str]) -> dict[str, str]:
        """The extra headers with the values of their secrets. Raises ``KeyError``."""
        return {
            name: secrets[value.name] if isinstance(value, SecretRef) else value
            for name, value in self.extra_headers.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """The scenario in the words of the file, as plain JSON for the session's manifest.

        Secrets are names only; private query parameters and what looks like a password in the
        file are masked. Left out: what the file does not say, and its variables.
        """
        words: dict[str, Any] = {
            "name": self.name,
            "description": self.description,
            "site": self.site,
            "start_url": self.start_url and redact_url(self.start_url),
            "source": self.source,
            "cdp_url": redact_url(self.cdp_url) if isinstance(self.cdp_url, str) else self.cdp_url,
            "engine": self.engine,
            "viewport": {
                "width": self.viewport.width,
                "height": self.viewport.height,
                "device_scale_factor": self.viewport.device_scale_factor,
            },
            "device": self.device,
            "locale": self.locale,
            "timezone": self.timezone,
            "extra_headers": {name: _plain(each) for name, each in self.extra_headers.items()},
            "storage_state": self.storage_state,
            "tags": dict(self.tags),
            "collect": self.collect.to_dict(),
            "schedule": self.schedule,
            "retention": self.retention and self.retention.to_dict(),
            "allow_private": list(self.allow_private),
            "timeout": self.timeout,
            "steps": [step.to_dict() for step in self.steps],
        }
        if self.device and not self.own_viewport:
            del words["viewport"]
        return {key: _plain(word) for key, word in words.items() if word not in (None, {}, [])}


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, SecretRef) else value
