"""The one place that builds and parses keys.

Layout ``flat`` (the default), byte for byte::

    {session_id}/{step_id}.html
    {session_id}/{step_id}.webp
    {session_id}/{step_id}.action.json
    {session_id}/{step_id}.metadata.json     commit record
    {session_id}/session.json                manifest
    {session_id}/_derived/{step_id}.{name}.{ext}

Layout ``nested`` puts a step's files in a folder of its own: ``{session_id}/{step_id}/`` with
``observation.html``, ``screenshot.webp``, ``action.json`` and ``metadata.json``. A key tells by
itself which layout it is of, so a reader takes both. Reserved names begin with ``_``, which no id
does. A store adds its own prefix; keys here have none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidId, InvalidInput
from checkpoint_assets.model.ids import SessionId, StepId, parse_session_id, parse_step_id

Layout = Literal["flat", "nested"]
LAYOUTS: tuple[Layout, ...] = ("flat", "nested")

MANIFEST = "session.json"
DERIVED = "_derived"
CATALOG = "_catalog"
RETENTION = "_retention"
TOMBSTONES = "_tombstones"
VIEWS = "_views"
PACKS = "_packs"
PROBE = "_probe"
QUARANTINE = "_quarantine"
RESERVED = (CATALOG, RETENTION, TOMBSTONES, VIEWS, PACKS, PROBE, QUARANTINE)
# S3 takes 1024 bytes; this leaves room for the store's prefix.
LONGEST_KEY = 420
DUE_PREFIX = f"{RETENTION}/expires/due/"
EXPIRES_PREFIX = f"{RETENTION}/expires/of/"
PINS_PREFIX = f"{RETENTION}/pins/"
PLANS_PREFIX = f"{RETENTION}/plans/"
CATALOG_HEAD = f"{CATALOG}/HEAD.json"
FRAGMENTS_PREFIX = f"{CATALOG}/fragments/"

_DERIVED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,94}\.[A-Za-z0-9]{1,16}", re.ASCII)
_RESERVED_KEY = re.compile(r"_[a-z]+(?:/[A-Za-z0-9_][A-Za-z0-9_.=-]*)+", re.ASCII)

_FLAT = {
    Artifact.HTML: ".html",
    Artifact.SCREENSHOT: ".webp",
    Artifact.ACTION: ".action.json",
    Artifact.METADATA: ".metadata.json",
}
_NESTED = {
    Artifact.HTML: "observation.html",
    Artifact.SCREENSHOT: "screenshot.webp",
    Artifact.ACTION: "action.json",
    Artifact.METADATA: "metadata.json",
}
_FLAT_BY_SUFFIX = {suffix: artifact for artifact, suffix in _FLAT.items()}
_NESTED_BY_NAME = {name: artifact for artifact, name in _NESTED.items()}


@dataclass(frozen=True, slots=True)
class StepKey:
    """A parsed key of a step's artifact."""

    session_id: SessionId
    step_id: StepId
    artifact: Artifact
    layout: Layout


def artifact_key(
    session_id: SessionId, step_id: StepId, artifact: Artifact, layout: Layout = "flat"
) -> str:
    """The key of one artifact of a step."""
    if layout == "nested":
        return f"{session_id}/{step_id}/{_NESTED[artifact]}"
    return f"{session_id}/{step_id}{_FLAT[artifact]}"


def artifact_name(step_id: StepId, artifact: Artifact, layout: Layout = "flat") -> str:
    """The artifact's key relative to its session, as the commit record names it."""
    return f"{step_id}/{_NESTED[artifact]}" if layout == "nested" else f"{step_id}{_FLAT[artifact]}"


def session_prefix(session_id: SessionId) -> str:
    """All keys of the session begin with this, and no other session's do."""
    return f"{session_id}/"


def manifest_key(session_id: SessionId) -> str:
    """The key of the session's manifest."""
    return f"{session_id}/{MANIFEST}"


def derived_key(session_id: SessionId, name: str, step_id: StepId | None = None) -> str:
    """The key of a derived file: ``name`` with its extension, of a step or of the session."""
    if not _DERIVED_NAME.fullmatch(name):
        raise InvalidInput(
            f"invalid name {name!r} of a derived file",
            hint="use letters, digits, '_' or '-', and one extension: thumbnail.webp",
        )
    file = f"{step_id}.{name}" if step_id else name
    return f"{session_id}/{DERIVED}/{file}"


def derived_prefix(session_id: SessionId) -> str:
    """All derived files of the session, and of its steps, begin with this."""
    return f"{session_id}/{DERIVED}/"


def parse_derived_key(key: str) -> tuple[SessionId, StepId | None] | None:
    """The session, and the step if it is one's, of a derived file; ``None`` for another key."""
    folder, separator, file = key.partition(f"/{DERIVED}/")
    if not separator:
        return None
    step, _, name = file.partition(".")
    try:
        session_id = parse_session_id(folder)
        if _DERIVED_NAME.fullmatch(file):
            return session_id, None
        return (session_id, parse_step_id(step)) if _DERIVED_NAME.fullmatch(name) else None
    except InvalidId:
        return None


def parse_reserved_key(key: str) -> str:
    """The key, if it is below one of the reserved folders. Raises ``InvalidInput``."""
    area, _, _ = key.partition("/")
    if area not in RESERVED or not _RESERVED_KEY.fullmatch(key) or len(key) > LONGEST_KEY:
        raise InvalidInput(
            f"invalid key {key!r}", hint=f"use a plain path below {', '.join(RESERVED)}"
        )
    return key


def parse_reserved_prefix(prefix: str) -> str:
    """The prefix, if it is a reserved folder or one below. Raises ``InvalidInput``."""
    if not prefix.endswith("/"):
        raise InvalidInput(f"invalid prefix {prefix!r}", hint="end it with '/'")
    parse_reserved_key(prefix + "x")
    return prefix


def pin_key(session_id: SessionId) -> str:
    """The object that pins the session."""
    return f"{PINS_PREFIX}{session_id}.json"


def parse_pin_key(key: str) -> SessionId | None:
    """The session that a pin is of; ``None`` for another key."""
    file = key.removeprefix(PINS_PREFIX)
    try:
        return None if file == key else parse_session_id(file.removesuffix(".json"))
    except InvalidId:
        return None


def expiry_key(session_id: SessionId, step_id: StepId | None = None) -> str:
    """The object that says when the session, or the step, expires."""
    file = f"steps/{step_id}.json" if step_id else "session.json"
    return f"{expiry_prefix(session_id)}{file}"


def expiry_prefix(session_id: SessionId) -> str:
    """All expiries of the session and its steps begin with this."""
    return f"{EXPIRES_PREFIX}{session_id}/"


def parse_expiry_key(key: str) -> tuple[SessionId, StepId | None] | None:
    """The session, and the step if it is one's, of an expiry; ``None`` for another key."""
    session, _, file = key.removeprefix(EXPIRES_PREFIX).partition("/")
    step = file.removeprefix("steps/").removesuffix(".json")
    try:
        if not key.startswith(EXPIRES_PREFIX):
            return None
        if file == "session.json":
            return parse_session_id(session), None
        return (parse_session_id(session), parse_step_id(step)) if "/" in file else None
    except InvalidId:
        return None


def due_key(day: str, session_id: SessionId, step_id: StepId | None = None) -> str:
    """The entry by which an expiry is found on its day (``2026-01-31``)."""
    file = f"{session_id}.{step_id}.json" if step_id else f"{session_id}.json"
    return f"{DUE_PREFIX}{day}/{file}"


def parse_due_key(key: str) -> tuple[str, SessionId, StepId | None] | None:
    """The day, the session, and the step if it is one's; ``None`` for another key."""
    day, _, file = key.removeprefix(DUE_PREFIX).partition("/")
    session, *step = file.removesuffix(".json").split(".")
    try:
        if not key.startswith(DUE_PREFIX) or len(step) > 1:
            return None
        return day, parse_session_id(session), parse_step_id(step[0]) if step else None
    except InvalidId:
        return None


def tombstone_key(session_id: SessionId, step_id: StepId | None = None) -> str:
    """The tombstone of a deleted session, or of a deleted step."""
    file = f"steps/{step_id}.json" if step_id else "session.json"
    return f"{tombstone_prefix(session_id)}{file}"


def tombstone_prefix(session_id: SessionId) -> str:
    """All tombstones of the session and its steps begin with this."""
    return f"{TOMBSTONES}/{session_id}/"


def parse_tombstone_key(key: str) -> tuple[SessionId, StepId | None] | None:
    """The session, and the step if it is one's, of a tombstone; ``None`` for another key."""
    area, _, rest = key.partition("/")
    session, _, file = rest.partition("/")
    try:
        if area != TOMBSTONES:
            return None
        if file == "session.json":
            return parse_session_id(session), None
        step = file.removeprefix("steps/").removesuffix(".json")
        return (parse_session_id(session), parse_step_id(step)) if step != file else None
    except InvalidId:
        return None


def fragment_key(day: str, name: str) -> str:
    """What one run appends to the catalogue on a day (``2026-01-31``)."""
    return f"{FRAGMENTS_PREFIX}date={day}/{name}.parquet"


def catalog_prefix(table: str) -> str:
    """All files of a table of the catalogue begin with this."""
    return f"{CATALOG}/{table}/"


def catalog_key(table: str, name: str) -> str:
    """One file of a table of the catalogue."""
    return f"{catalog_prefix(table)}{name}.parquet"


def plan_key(plan_id: str, part: str = "json") -> str:
    """A retention plan, or with another ``part`` what is kept beside it."""
    return f"{PLANS_PREFIX}{plan_id}.{part}"


def erasure_key(session_id: SessionId, step_id: StepId | None = None) -> str:
    """The mark that a session, or a step, was deleted for good."""
    folder = tombstone_prefix(session_id)
    return f"{folder}erased/{tombstone_key(session_id, step_id).removeprefix(folder)}"


def parse_erasure_key(key: str) -> tuple[SessionId, StepId | None] | None:
    """The session, and the step if it is one's, of such a mark; ``None`` for another key."""
    plain = key.replace("/erased/", "/", 1)
    return parse_tombstone_key(plain) if plain != key else None


def receipt_key(session_id: SessionId) -> str:
    """The receipt of a session that was erased."""
    return f"{RETENTION}/erased/{session_id}.json"


def parse_step_key(key: str) -> StepKey | None:
    """What the key is of, or ``None`` for a key that is no step artifact (manifest, foreign)."""
    session, _, rest = key.partition("/")
    folder, slash, name = rest.partition("/")
    try:
        if slash:
            artifact = _NESTED_BY_NAME.get(name)
            if artifact is None:
                return None
            return StepKey(parse_session_id(session), parse_step_id(folder), artifact, "nested")
        stem, dot, suffix = rest.partition(".")
        artifact = _FLAT_BY_SUFFIX.get(dot + suffix)
        if artifact is None:
            return None
        return StepKey(parse_session_id(session), parse_step_id(stem), artifact, "flat")
    except InvalidId:
        return None


def parse_record_name(name: str) -> tuple[StepId, Layout] | None:
    """The step and the layout of a commit record by its key below the session, else ``None``.

    For listings of one session, where it is cheaper than ``parse_step_key``.
    """
    layout: Layout = "flat"
    stem = name.removesuffix(_FLAT[Artifact.METADATA])
    if stem == name:
        layout = "nested"
        stem = name.removesuffix(f"/{_NESTED[Artifact.METADATA]}")
        if stem == name:
            return None
    try:
        return parse_step_id(stem), layout
    except InvalidId:
        return None


def parse_session_folder(folder: str) -> SessionId | None:
    """The session of a top-level folder (``{session_id}/``); ``None`` if reserved or foreign."""
    try:
        return parse_session_id(folder.removesuffix("/"))
    except InvalidId:
        return None
