"""Each setting that is in force, and where its value comes from."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel
from pydantic_settings import EnvSettingsSource, TomlConfigSettingsSource

from checkpoint_assets.config import CONFIG_FILE, Settings

MASK = "***"
# Not settings of ours, and still part of where sessions go.
_STORAGE = ("SM_S3_BUCKET_NAME", "SM_S3_REGION", "SM_S3_ENDPOINT_URL", "SM_LOCAL_BASE_PATH")
_CREDENTIALS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
    *("BROWSERBASE_API_KEY", "CHECKPOINT_STAGEHAND_API_KEY"),
)
_SECRET = re.compile(r"secret|token|password|api_?key|access_?key", re.IGNORECASE)
# To the last @ of the host's part: a password may have one, too.
_USER = re.compile(r"(?<=://)[^/\s]+(?=@)")


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One setting: its dotted name, its value as text, and its origin."""

    name: str
    value: str
    origin: str


def settings_in_force(
    call: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> list[SettingInForce]:
    """All settings, then the variables around them that are set. Raises ``InvalidConfiguration``.

    ``call`` is what a call gives to ``Settings``. Values of secrets and credentials are masked.
    """
    environment = os.environ if environment is None else environment
    settings = Settings(**call)
    file = Path(environment.get("CHECKPOINT_CONFIG") or CONFIG_FILE)
    in_call = _flat(call)
    in_environment = _flat(EnvSettingsSource(Settings)())
    in_file = _flat(TomlConfigSettingsSource(Settings, file)())
    rows: list[SettingInForce] = []
    for name, value in _flat(settings).items():
        if _given(name, in_call):
            origin = "call"
        elif _given(name, in_environment):
            variable = f"CHECKPOINT_{name.replace('.', '__').upper()}"
            origin = variable if variable in environment else variable.partition("__")[0]
        else:
            origin = str(file) if _given(name, in_file) else "default"
        rows.append(SettingInForce(name, masked(name, value), origin))
    secrets = sorted(name for name in environment if name.startswith("CHECKPOINT_SECRET_"))
    around = [*(name for name in (*_STORAGE, *_CREDENTIALS) if environment.get(name)), *secrets]
    rows += [
        SettingInForce(name, masked(name, environment[name]), "environment") for name in around
    ]
    return rows


def masked(name: str, value: object) -> str:
    """The value as text; nothing of a secret, and no user or password of a URL."""
    if value is None:
        return "-"
    if _SECRET.search(name):
        return MASK
    several = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    text = "\n".join(map(str, several)) if value != {} else ""
    return _USER.sub(MASK, text)


def _given(name: str, values: Mapping[str, Any]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in values)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    flat: dict[str, Any] = {}
    for name, each in cast("dict[str, Any]", value).items():
        # An empty table is a value, and somebody may have made it empty.
        if isinstance(each, BaseModel) or (isinstance(each, dict) and each):
            flat |= _flat(each, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = each
    return flat
