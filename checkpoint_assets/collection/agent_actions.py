"""What an agent's framework said it has done, in our words: recognised by shape, never imported.

Known are the results of Stagehand 4 (``act``, ``observe``, ``extract``), of the 3.x REST client
and its replays, of Stagehand 0.5, calls of Playwright, and plain dicts.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from checkpoint_assets.collection.redaction import MASK, PRIVATE_FIELD_NAMES

MAX_TEXT = 4000
MAX_ITEMS = 200
MAX_DEPTH = 12
_KIND = re.compile(r"[a-z][a-z0-9_-]{0,38}[a-z0-9]", re.ASCII)
_PRIVATE = re.compile(PRIVATE_FIELD_NAMES, re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class AgentAction:
    """One action of an agent. ``details`` is plain JSON; ``kind`` can be part of a step id."""

    kind: str
    framework: str
    success: bool | None = None
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        """For ``action.json``."""
        return {"framework": self.framework, **self.details}


def read_action(given: Any, *, kind: str | None = None) -> AgentAction:
    """Whatever a framework returned, as an action. Never fails: the unknown is kept as it is.

    ``kind`` is what the caller knows of it: ``act``, ``observe``, ``extract``, ``goto``, ...
    """
    words = plain(given)
    if isinstance(words, list):
        return _observed(cast("list[Any]", words), "stagehand", kind)
    if not isinstance(words, dict):
        return AgentAction(_kind(kind), "plain", None, {"data": words} if words else {})
    found = cast("dict[str, Any]", words)
    if "instruction" in found:
        return _recorded(found, kind)
    if "data" in found and "usage" in _mapping(found.get("metadata")):
        return _version_4(found, kind)
    if "result" in (data := _mapping(found.get("data"))):
        return _version_3(found, data, kind)
    if "success" in found and {"action", "actionDescription", "action_description"} & set(found):
        return _version_05(found, kind)
    if {"selector", "description"} <= set(found):
        return _observed([found], "stagehand", kind)
    if "method" in found and ({"params", "args", "selector"} & set(found)):
        return _call(found, kind)
    said = found.get("kind") or found.get("type") or found.get("action")
    succeeded = found.get("success")
    return AgentAction(
        _kind(kind or said),
        "plain",
        succeeded if isinstance(succeeded, bool) else None,
        {"data": _masked(found)},
    )


def read_replay(given: Any) -> list[AgentAction]:
    """The actions of a whole session, from what Stagehand 3's ``sessions.replay`` returns."""
    words = _mapping(plain(given))
    pages = _mapping(words.get("data", words)).get("pages", [])
    return [
        AgentAction(
            _kind(action.get("method")),
            "stagehand",
            None,
            _kept(
                page_url=page.get("url"),
                method=action.get("method"),
                parameters=_masked(action.get("parameters")),
                result=action.get("result"),
                usage=_pick(action, "token_usage", "tokenUsage"),
                started_at=action.get("timestamp"),
                ended_at=_pick(action, "end_time", "endTime"),
            ),
        )
        for page in map(_mapping, pages)
        for action in map(_mapping, page.get("actions", []))
    ]


def _recorded(found: dict[str, Any], kind: str | None) -> AgentAction:
    """What ``StagehandRecorder`` tells: a call, and its result if there is one."""
    about = {key: each for key, each in found.items() if key not in ("result", "success")}
    about["instruction"] = _resolved(about["instruction"])
    if "result" not in found:
        return AgentAction(_kind(kind), "stagehand", found.get("success") is not False, about)
    result = read_action(found["result"], kind=kind)
    return dataclasses.replace(result, framework="stagehand", details={**about, **result.details})


def _version_4(found: dict[str, Any], kind: str | None) -> AgentAction:
    data, metadata = found["data"], _mapping(found["metadata"])
    more = _kept(
        version=4,
        action_id=_pick(metadata, "action_id", "actionId"),
        cache=metadata.get("cache"),
        usage=metadata["usage"],
    )
    if isinstance(data, list):
        observed = _observed(cast("list[Any]", data), "stagehand", kind)
        return dataclasses.replace(observed, details={**observed.details, **more})
    words = _mapping(data)
    if "success" in words and "actions" in words:
        return _acted(words, kind, more)
    return AgentAction(_kind(kind or "extract"), "stagehand", True, {"data": data, **more})


def _version_3(found: dict[str, Any], data: dict[str, Any], kind: str | None) -> AgentAction:
    result = data["result"]
    more = _kept(version=3, action_id=_pick(data, "action_id", "actionId"))
    if isinstance(result, list):
        observed = _observed(cast("list[Any]", result), "stagehand", kind)
        return dataclasses.replace(observed, details={**observed.details, **more})
    words = _mapping(result)
    if "success" in words and "actions" in words:
        return _acted(words, kind, more)
    succeeded = found.get("success")
    return AgentAction(
        _kind(kind or "extract"),
        "stagehand",
        succeeded if isinstance(succeeded, bool) else None,
        {"data": result, **more},
    )


def _version_05(found: dict[str, Any], kind: str | None) -> AgentAction:
    said = found.get("action") or _pick(found, "action_description", "actionDescription")
    actions = found.get("actions")
    words = {**found, "action_description": said if isinstance(said, str) else None}
    words["actions"] = actions if isinstance(actions, list) else []
    return _acted(words, kind, {})


def _acted(words: dict[str, Any], kind: str | None, more: dict[str, Any]) -> AgentAction:
    details = _kept(
        message=words.get("message"),
        description=_pick(words, "action_description", "actionDescription"),
        actions=[_resolved(each) for each in words["actions"]] or None,
    )
    return AgentAction(
        _kind(kind or "act"), "stagehand", bool(words["success"]), {**details, **more}
    )


def _observed(found: Sequence[Any], framework: str, kind: str | None) -> AgentAction:
    actions = [_resolved(each) for each in found]
    return AgentAction(_kind(kind or "observe"), framework, True, {"actions": actions})


def _resolved(action: Any) -> Any:
    """One thing that was done to one element; what was typed into a private field is masked."""
    if not isinstance(action, dict):
        return action
    words = cast("dict[str, Any]", action)
    where = f"{words.get('selector')} {words.get('description')}"
    if words.get("arguments") and _PRIVATE.search(where):
        words = {**words, "arguments": [MASK for _ in words["arguments"]]}
    return _kept(**words)


def _call(found: dict[str, Any], kind: str | None) -> AgentAction:
    method = str(found["method"]).rpartition(".")[2]
    words = _masked(found)
    parameters = words.get("params", words.get("args"))
    details = _kept(
        method=found["method"],
        selector=found.get("selector") or _mapping(parameters).get("selector"),
        parameters=parameters,
        data={key: each for key, each in words.items() if key not in _CALL} or None,
    )
    return AgentAction(_kind(kind or method), "playwright", None, details)


_GIVEN = {"params", "args"}
_CALL = {"method", "selector", *_GIVEN}
_TYPED = {"value", "text", "arguments", "values", "input"}


def _masked(value: Any, field: str | None = None) -> Any:
    """Without the values of keys that look private, and of what was typed into such a field.

    ``field`` is that which everything here was typed into.
    """
    if isinstance(value, dict):
        words = cast("dict[str, Any]", value)
        own = _private_field(words) or field
        return {
            key: MASK
            if _PRIVATE.search(key) or (own is not None and key in _TYPED)
            else _masked(each, own if key in _GIVEN else field)
            for key, each in words.items()
        }
    if isinstance(value, list):
        return [_masked(each, field) for each in cast("list[Any]", value)]
    return MASK if field is not None and isinstance(value, str) and value != field else value


def _private_field(words: Mapping[str, Any]) -> str | None:
    """The selector or name of what the words are about, if it looks private.

    The first of a call's arguments may be its selector.
    """
    given = words.get("params", words.get("args"))
    items = cast("list[Any]", given) if isinstance(given, list) else []
    selector = words.get("selector") or _mapping(given).get("selector") or (items or [None])[0]
    names = (str(each) for each in (selector, words.get("name")))
    return next((each for each in names if _PRIVATE.search(each)), None)


def plain(value: Any, depth: int = 0) -> Any:
    """The value as JSON can hold it: models and dataclasses as dicts, long texts cut, no bytes."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if depth >= MAX_DEPTH or isinstance(value, bytes | bytearray | memoryview):
        return f"<{type(value).__name__}>"
    if callable(dump := getattr(value, "model_dump", None)):
        return plain(dump(), depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {each.name: plain(getattr(value, each.name), depth + 1) for each in fields}
    if isinstance(value, Mapping):
        pairs = list(cast("Mapping[Any, Any]", value).items())[:MAX_ITEMS]
        return {str(key)[:MAX_TEXT]: plain(each, depth + 1) for key, each in pairs}
    if isinstance(value, Sequence | set | frozenset):
        items = list(cast("Sequence[Any]", value))[:MAX_ITEMS]
        return [plain(each, depth + 1) for each in items]
    return str(value)[:MAX_TEXT]


def _kind(said: object) -> str:
    text = _CAMEL.sub("_", str(said or "action")).lower()
    return text if _KIND.fullmatch(text) else "action"


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _pick(words: Mapping[str, Any], *names: str) -> Any:
    return next((words[name] for name in names if words.get(name) is not None), None)


def _kept(**words: Any) -> dict[str, Any]:
    return {key: value for key, value in words.items() if value is not None}
