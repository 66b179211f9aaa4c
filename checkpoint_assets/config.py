"""Settings: one object, three origins. A file is weaker than the environment, a call is stronger.

1. ``checkpoint.toml`` in the working directory (or ``CHECKPOINT_CONFIG``),
2. environment variables ``CHECKPOINT_...`` (nested fields with ``__``),
3. arguments of the call: ``Settings(headless=False)``.

Where sessions are stored is configured with the ``SM_...`` variables of the ``StorageManager``
or with ``storage_url``.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.errors import InvalidConfiguration

CONFIG_FILE = "checkpoint.toml"


class Timeouts(BaseModel):
    """Deadlines in seconds. Every call into a browser has one."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    launch: float = Field(default=30, gt=0, description="start of a browser")
    navigation: float = Field(default=30, gt=0, description="opening a page")
    action: float = Field(default=10, gt=0, description="finding a target and acting on it")
    settle: float = Field(default=3, gt=0, description="waiting for the page to come to rest")
    capture: float = Field(default=10, gt=0, description="reading one step's page and pixels")
    close: float = Field(default=5, gt=0, description="closing a page, a context or a browser")
    session: float = Field(default=900, gt=0, description="one whole session")


class Capture(BaseModel):
    """What is kept of a page, and how its pictures are stored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    screenshots: Literal["fast", "small", "lossy"] = Field(
        default="fast",
        description="lossless and quick; lossless and small, at six times the work; or lossy",
    )
    quality: int = Field(default=80, ge=1, le=99, description="of lossy pictures")
    lossy_above: float | None = Field(
        default=None,
        gt=1,
        description="a lossless picture more than so many times as large as the lossy one is lossy",
    )
    canvas: bool = Field(default=True, description="keep what is painted on canvas elements")
    max_nodes: int = Field(default=200_000, ge=1, description="a page with more is cut off")
    max_html: int = Field(
        default=16 * 1024 * 1024, ge=1, description="characters; a page with more is cut off"
    )


class Browsers(BaseModel):
    """How many browsers there are at once, what they share, and when one gives way to a new one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: int = Field(default=1, ge=1, le=64, description="browsers that run at the same time")
    sessions: int = Field(default=4, ge=1, le=64, description="sessions at once in one browser")
    recycle_after: int = Field(
        default=50, ge=1, description="sessions after which a browser is ended"
    )
    recycle_above: int = Field(
        default=2048, ge=1, description="MiB of memory above which a browser is ended"
    )


class Browserbase(BaseModel):
    """Sessions in Browserbase that captures are done in. The API key is ``BROWSERBASE_API_KEY``."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    project_id: str | None = Field(default=None, description="else that of the API key")
    region: Literal["us-west-2", "us-east-1", "eu-central-1", "ap-southeast-1"] | None = Field(
        default=None, description="where the browsers run; else Browserbase decides"
    )
    sessions: int = Field(default=3, ge=1, le=1000, description="sessions at once: the plan's")
    wait: float = Field(default=1800, gt=0, description="seconds to wait for a free session")
    context_id: str | None = Field(default=None, description="the context with the log-in state")
    keep_context: bool = Field(default=False, description="save what a session adds to it")
    proxies: bool = Field(default=False, description="go through Browserbase's proxies")
    keep_alive: bool = Field(default=False, description="survive a lost connection")
    record: bool = Field(default=False, description="let Browserbase record a video, too")
    log: bool = Field(default=False, description="let Browserbase keep a log of CDP, too")
    adopt: str | None = Field(
        default=None,
        description="sessions of others to record: user_metadata['key']:'value'; '*' is all",
    )


class RetentionRule(BaseModel):
    """Which sessions may go: see ``Policy`` in ``retention/policy.py``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    keep_for: str | None = Field(default=None, description="so long after it was closed: 90d")
    keep_last: int | None = Field(default=None, ge=0, description="the newest of each scenario")
    most_bytes: int | None = Field(default=None, ge=0, description="the oldest go beyond it")
    hold: bool = Field(default=False, description="nothing removes them")
    states: tuple[SessionState, ...] = Field(default=(), description="only those; none: any")
    tags: dict[str, str] = Field(default={}, description="only those that have all of them")


class Checks(BaseModel):
    """When a check of a captured session does not pass. Shares are from 0 to 1, and may be met."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    sample: float = Field(default=0.25, ge=0, le=1, description="files that are read and hashed")
    blank: float = Field(default=0, ge=0, le=1, description="pictures of one colour")
    unchanged: float = Field(
        default=0.9, ge=0, le=1, description="pictures with the bytes of the one before, of five"
    )
    unsettled: float = Field(
        default=0.2, ge=0, le=1, description="steps that ran out of time to settle"
    )
    inconsistent: float = Field(
        default=0.2, ge=0, le=1, description="steps whose page changed while it was captured"
    )
    drift_pixels: float = Field(
        default=0.05, ge=0, le=1, description="of a step's pixels, since the session before"
    )
    drift_dom: float = Field(
        default=0.2, ge=0, le=1, description="of a step's lines, since the session before"
    )
    canaries: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="regular expressions of what must not be stored; in the environment one per "
        "line",
    )

    @field_validator("canaries", mode="before")
    @classmethod
    def _lines(cls, value: object) -> object:
        return value.splitlines() if isinstance(value, str) else value

    @field_validator("canaries")
    @classmethod
    def _patterns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as err:
                raise ValueError(f"{pattern!r} is no regular expression: {err}") from err
        return value


class Settings(BaseSettings):
    """All settings of the project. Unknown ones in the file or the call are refused."""

    model_config = SettingsConfigDict(
        env_prefix="CHECKPOINT_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    storage_url: str | None = Field(
        default=None,
        description="s3://bucket/prefix, file:///path or memory://name; else SM_... decides",
    )
    scenarios: Path = Field(default=Path("scenarios"), description="folder of scenario files")
    inbox: str | None = Field(
        default=None,
        description="s3://bucket/prefix with scenario files, in place of the scenarios folder",
    )
    retire_removed: bool = Field(
        default=False,
        description="a scenario whose file is removed stops being a partition; its sessions stay",
    )
    retention: tuple[RetentionRule, ...] = Field(
        default=(), description="rules of the retention job; in the environment as JSON"
    )
    checks: Checks = Field(default=Checks(), description="thresholds of the asset checks")
    event_log: Path | None = Field(
        default=None, description="file that events of captures are appended to, as lines of JSON"
    )
    backends: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="package.module:Name of backends that steps are kept in, too, one per line",
    )
    chromium: Path | None = Field(
        default=None, description="the Chromium to use, instead of a search"
    )
    chromium_arguments: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="more arguments for Chromium; in the environment one per line"
    )
    headless: bool = Field(default=True, description="run browsers without a window")
    browsers: Browsers = Field(default=Browsers(), description="the pool of browsers")
    allow_private: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host:port pairs in private networks that scenarios may name"
    )
    allow_cdp: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="host:port pairs whose browsers scenarios may name (source: cdp)"
    )
    browserbase: Browserbase = Field(
        default=Browserbase(), description="sessions of `source: browserbase`"
    )
    stagehand_model: str | None = Field(
        default=None, description="the model that `act:` asks, such as openai/gpt-5"
    )
    encode_threads: int = Field(default=2, ge=1, le=64, description="threads that make WebP files")
    queued_steps: int = Field(
        default=4, ge=1, le=1000, description="captured steps that may wait for storage"
    )
    processors: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="package.module:Name of processors beside our own; in the environment one "
        "per line",
    )
    sources: Annotated[dict[str, str], NoDecode] = Field(
        default={},
        description="NAME = package.module:Name of sources that scenarios may name "
        "(source: plugin:NAME); in the environment one per line",
    )
    timeouts: Timeouts = Field(default=Timeouts(), description="deadlines in seconds")
    capture: Capture = Field(default=Capture(), description="what is kept of a page, and how")

    @field_validator(
        *("chromium_arguments", "allow_private", "allow_cdp", "backends", "processors"),
        mode="before",
    )
    @classmethod
    def _lines(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(line.strip() for line in value.splitlines() if line.strip())

    @field_validator("sources", mode="before")
    @classmethod
    def _named_lines(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = (line.partition("=") for line in value.splitlines() if line.strip())
        return {name.strip(): reference.strip() for name, _, reference in pairs}

    def __init__(self, **values: object) -> None:
        try:
            super().__init__(**values)  # pyright: ignore[reportArgumentType] (validated by pydantic)
        except ValidationError as err:
            problems = "; ".join(
                f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
                for problem in err.errors()
            )
            raise InvalidConfiguration(
                f"unusable settings: {problems}",
                hint="see Settings in checkpoint_assets/config.py for the names and types",
            ) from err
        except SettingsError as err:
            raise InvalidConfiguration(
                f"unusable settings: {err}", hint=f"{err.__cause__}; give it as JSON"
            ) from err

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        named = os.environ.get("CHECKPOINT_CONFIG")
        path = Path(named or CONFIG_FILE)
        if named and not path.is_file():
            raise InvalidConfiguration(f"CHECKPOINT_CONFIG is {named!r}, which is no file")
        try:
            file = TomlConfigSettingsSource(settings_cls, path)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
            raise InvalidConfiguration(f"{path} cannot be used: {err}") from err
        return init_settings, env_settings, file
