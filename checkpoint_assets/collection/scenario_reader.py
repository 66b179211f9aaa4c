"""Reads the top level of a scenario file into a ``Scenario``."""

from __future__ import annotations

import hashlib
import re
import zoneinfo
from collections.abc import Mapping
from pathlib import Path

from checkpoint_assets.collection import readers as read
from checkpoint_assets.collection.contained_path import contained_path
from checkpoint_assets.collection.cron import check_cron
from checkpoint_assets.collection.durations import parse_duration
from checkpoint_assets.collection.fields import Fields
from checkpoint_assets.collection.scenario import (
    BUILT_IN_SITES,
    ENGINES,
    PLUGIN,
    SOURCES,
    Collect,
    Engine,
    Retention,
    Scenario,
    SecretRef,
    Source,
    Viewport,
)
from checkpoint_assets.collection.step_reader import read_steps, seconds
from checkpoint_assets.collection.steps import STEP_KINDS, Step
from checkpoint_assets.collection.strict_yaml import Mapping as MappingNode
from checkpoint_assets.collection.strict_yaml import Node, Scalar, plain
from checkpoint_assets.collection.url_gate import check_host_port, check_url_syntax
from checkpoint_assets.collection.variables import NAME, Variables
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidInput, InvalidScenario
from checkpoint_assets.model.ids import parse_scenario_name
from checkpoint_assets.model.records import encode_json

MAX_PIXELS = 16_383  # the most that WebP can hold on a side
KEYS = (
    *("name", "description", "site", "start_url", "source", "cdp_url", "engine", "viewport"),
    *("device", "locale", "timezone", "extra_headers", "storage_state", "tags", "collect"),
    *("schedule", "retention", "allow_private", "variables", "timeout", "steps"),
)
VIEWPORT_KEYS = ("width", "height", "device_scale_factor")
COLLECT_KEYS = ("artifacts", "every", "on", "full_page")
RETENTION_KEYS = ("keep_for", "keep_last", "pin")
# Where a word belongs that turned up in the wrong place.
_ELSEWHERE = {
    **dict.fromkeys(KEYS, "the scenario itself"),
    **dict.fromkeys(STEP_KINDS, "steps"),
    **dict.fromkeys(VIEWPORT_KEYS, "viewport"),
    **dict.fromkeys(COLLECT_KEYS, "collect"),
    **dict.fromkeys(RETENTION_KEYS, "retention"),
    **dict.fromkeys(map(str, Artifact), "collect.artifacts"),
}
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,4}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
_PLUGIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
_own_source: read.Reader[Source] = read.choice(SOURCES)
_engine: read.Reader[Engine] = read.choice(ENGINES)
_host_ports = read.list_of(read.checked(check_host_port), most=100)


def read_scenario(document: Node, path: Path | None) -> Scenario:
    """The scenario that the document describes. Raises ``InvalidScenario`` without a path."""
    found = Fields(document, "the scenario", KEYS, line=1, elsewhere=_ELSEWHERE)
    variables = _variables(found)
    filling = Variables(variables)
    for key in ("start_url", "steps"):
        if entry := found.entries.get(key):
            found.replace(key, filling.fill_in(entry.value))
    folder = None if path is None else path.parent
    viewport = found.read("viewport", _viewport)
    source = found.get("source", _source, "local")
    plugged = source.startswith(PLUGIN)

    def read_them(node: Node, what: str) -> tuple[Step, ...]:
        return read_steps(node, folder)

    scenario = Scenario(
        name=found.need("name", read.checked(parse_scenario_name)),
        steps=found.get("steps", read_them, ()) if plugged else found.need("steps", read_them),
        digest=hashlib.sha256(encode_json(plain(document))).hexdigest(),
        path=path,
        description=found.read("description", read.text),
        site=found.read("site", _site(folder)),
        start_url=found.read("start_url", read.checked(check_url_syntax)),
        source=source,
        cdp_url=found.read("cdp_url", _cdp_url),
        engine=found.get("engine", _engine, "chromium"),
        viewport=viewport or Viewport(),
        own_viewport=viewport is not None,
        device=found.read("device", read.line_of_text),
        locale=found.read("locale", read.checked(_locale)),
        timezone=found.read("timezone", read.checked(_timezone)),
        extra_headers=found.get("extra_headers", _headers, {}),
        storage_state=found.read("storage_state", _secret),
        tags=found.get("tags", read.mapping_of(read.anything), {}),
        collect=found.get("collect", _collect, Collect()),
        schedule=found.read("schedule", read.checked(check_cron)),
        retention=found.read("retention", _retention),
        allow_private=found.get("allow_private", _host_ports, ()),
        variables=variables,
        timeout=found.read("timeout", seconds),
    )
    if plugged:
        found.at_most_one_of("site", "start_url")
    else:
        found.one_of("site", "start_url")
    _check_source(found, scenario)
    return scenario


def _source(node: Node, what: str) -> str:
    if not (isinstance(node, Scalar) and node.text.startswith(PLUGIN)):
        return _own_source(node, what)
    if not _PLUGIN_NAME.fullmatch(node.text.removeprefix(PLUGIN)):
        message = f"{what} {node.text[:100]!r} names no source"
        raise InvalidScenario(message, line=node.line, hint="plugin:NAME, as the settings list it")
    return node.text


def _check_source(found: Fields, scenario: Scenario) -> None:
    if scenario.source == "cdp":
        found.need("cdp_url", _cdp_url)
    else:
        found.refuse("cdp_url", "needs 'source: cdp' beside it")
    if scenario.source != "local" and scenario.engine != "chromium":
        found.refuse("engine", f"{scenario.engine} needs 'source: local'")


def _variables(found: Fields) -> Mapping[str, str]:
    variables = found.get("variables", read.mapping_of(read.anything), {})
    for name in variables:
        if not NAME.fullmatch(name):
            entry = read.mapping(found.entries["variables"].value, "variables").entries[name]
            message = f"{name[:100]!r} is no name for a variable"
            hint = "letters, digits, '_', '.' and '-', beginning with a letter or '_'"
            raise InvalidScenario(message, line=entry.line, hint=hint)
    return variables


def _site(folder: Path | None) -> read.Reader[str]:
    """A built-in site, or an existing folder below that of the file."""

    def check(name: str) -> str:
        if name in BUILT_IN_SITES:
            return name
        hint = None
        if "/" not in name:
            near = read.nearest(name, BUILT_IN_SITES)
            hint = f"did you mean {near!r}?" if near else "demo, miniwob, or a folder"
        if folder is None:
            raise InvalidInput(f"{name[:200]!r} is no built-in site", hint=hint)
        try:
            found = contained_path(folder, name)
        except InvalidInput as err:
            raise InvalidInput(err.message, hint=hint or err.hint) from err
        if not found.is_dir():
            raise InvalidInput(f"{name[:200]!r} is not a folder", hint=hint)
        return name

    return read.checked(check)


def _secret(node: Node, what: str) -> SecretRef:
    if not isinstance(node, MappingNode):
        message = f"{what} must be a reference to a secret"
        raise InvalidScenario(message, line=node.line, hint="{secret: NAME}")
    return SecretRef(Fields(node, what, ("secret",)).need("secret", read.secret_name))


def _cdp_url(node: Node, what: str) -> str | SecretRef:
    if isinstance(node, MappingNode):
        return _secret(node, what)
    schemes = ("http", "https", "ws", "wss")
    return read.checked(lambda url: check_url_syntax(url, schemes))(node, what)


def _header(node: Node, what: str) -> str | SecretRef:
    if isinstance(node, MappingNode):
        return _secret(node, what)
    value = read.text(node, what)
    if len(value) > 8192 or not value.isascii() or not value.isprintable():
        raise InvalidScenario(f"{what} must be one line of printable ASCII", line=node.line)
    return value


def _headers(node: Node, what: str) -> dict[str, str | SecretRef]:
    headers = read.mapping_of(_header)(node, what)
    seen: dict[str, str] = {}
    for name, entry in read.mapping(node, what).entries.items():
        if not _HEADER.fullmatch(name):
            raise InvalidScenario(f"{name[:100]!r} is no name for a header", line=entry.line)
        if name.lower() in seen:
            message = f"{name!r} is the same header as {seen[name.lower()]!r}"
            raise InvalidScenario(message, line=entry.line)
        seen[name.lower()] = name
    return headers


def _locale(text: str) -> str:
    if not _LOCALE.fullmatch(text):
        raise InvalidInput(f"{text[:50]!r} is no locale", hint="de, en-US, zh-Hant-TW")
    return text


def _timezone(text: str) -> str:
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as err:
        near = read.nearest(text, zoneinfo.available_timezones())
        hint = f"did you mean {near!r}?" if near else "Europe/Berlin, America/New_York, UTC"
        raise InvalidInput(f"{text[:50]!r} is no time zone", hint=hint) from err
    return text


def _viewport(node: Node, what: str) -> Viewport:
    found = Fields(node, what, VIEWPORT_KEYS, elsewhere=_ELSEWHERE)
    pixels = read.integer(1, MAX_PIXELS)
    return Viewport(
        width=found.need("width", pixels),
        height=found.need("height", pixels),
        device_scale_factor=found.get("device_scale_factor", read.number(0.1, 10), 1),
    )


def _collect(node: Node, what: str) -> Collect:
    found = Fields(node, what, COLLECT_KEYS, elsewhere=_ELSEWHERE)
    kinds = (*STEP_KINDS, "navigate")
    artifacts = found.read(
        "artifacts", read.list_of(read.choice(tuple(Artifact)), most=len(Artifact))
    )
    # Action and metadata are there whatever the file says: a step without them would say nothing.
    wanted = {Artifact.ACTION, Artifact.METADATA, *(artifacts or Artifact)}
    on = found.get("on", read.list_of(read.choice(kinds), most=len(kinds), single=True), ())
    return Collect(
        artifacts=tuple(each for each in Artifact if each in wanted),
        every=found.read("every", read.integer(1, 1_000_000)) or (None if on else 1),
        on=on,
        full_page=found.get("full_page", read.flag, False),
    )


def _retention(node: Node, what: str) -> Retention:
    found = Fields(node, what, RETENTION_KEYS, elsewhere=_ELSEWHERE)
    return Retention(
        keep_for=found.read("keep_for", read.checked(parse_duration)),
        keep_last=found.read("keep_last", read.integer(1, 1_000_000)),
        pin=found.get("pin", read.flag, False),
    )
