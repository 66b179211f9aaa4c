"""The steps of a scenario: what to do on the page, one frozen class for each kind.

``selectors`` are Playwright selectors, tried in order; ``frames`` is the way into nested iframes,
outermost first; ``timeout`` is in seconds. A secret is a name here, never a value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, TypedDict, get_args

from checkpoint_assets.collection.redaction import MASK

StepKind = Literal[
    "goto",
    "fill",
    "click",
    "press",
    "select",
    "check",
    "uncheck",
    "hover",
    "scroll",
    "wait_for",
    "upload",
    "expect",
    "act",
]
Button = Literal["left", "right", "middle"]
Modifier = Literal["Alt", "Control", "ControlOrMeta", "Meta", "Shift"]
WaitState = Literal["visible", "hidden", "attached", "detached"]
ExpectCheck = Literal["text", "matches", "value", "count", "visible", "url", "title"]

STEP_KINDS: tuple[StepKind, ...] = get_args(StepKind)
BUTTONS: tuple[Button, ...] = get_args(Button)
MODIFIERS: tuple[Modifier, ...] = get_args(Modifier)
WAIT_STATES: tuple[WaitState, ...] = get_args(WaitState)
EXPECT_CHECKS: tuple[ExpectCheck, ...] = get_args(ExpectCheck)

_SECRET_FIELD = re.compile(
    r"passw|passphrase|pwd|secret|token|\botp\b|\bcv[cv]\b|\bssn\b", re.IGNORECASE
)


class Position(TypedDict):
    """A point in CSS pixels from the top left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBase:
    """What every step has. ``label`` is a short description; ``line`` is the file's."""

    kind: ClassVar[StepKind]

    line: int = field(compare=False)
    selectors: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    timeout: float | None = None
    label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The step in the words of the file, as plain JSON, with secrets as names only."""
        words = {
            "selector": _one_or_all(self.selectors),
            "frame": _one_or_all(self.frames),
            **self._words(),
            "timeout": self.timeout,
        }
        if self.label is not None:
            words["label"] = self.label
        return {self.kind: {key: value for key, value in words.items() if value is not None}}

    def _words(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto(StepBase):
    """Open a URL, or a path on the scenario's site."""

    kind: ClassVar[StepKind] = "goto"
    url: str

    def _words(self) -> dict[str, Any]:
        return {"url": self.url}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(StepBase):
    """Replace a field's value with ``text``, or with the value of the secret named ``secret``."""

    kind: ClassVar[StepKind] = "fill"
    text: str | None = None
    secret: str | None = None

    @property
    def literal_secret(self) -> str | None:
        """Text that goes into a field for passwords and the like, by the look of the selector."""
        return self.text if any(_SECRET_FIELD.search(each) for each in self.selectors) else None

    def _words(self) -> dict[str, Any]:
        return {"text": MASK if self.literal_secret else self.text, "secret": self.secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Click(StepBase):
    """Click the target at ``position``, counted from its top left; ``None`` is its middle."""

    kind: ClassVar[StepKind] = "click"
    button: Button = "left"
    modifiers: tuple[Modifier, ...] = ()
    click_count: int = 1
    position: Position | None = None

    def _words(self) -> dict[str, Any]:
        return {
            "button": None if self.button == "left" else self.button,
            "modifiers": list(self.modifiers) or None,
            "click_count": None if self.click_count == 1 else self.click_count,
            "position": self.position and {**self.position},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Press(StepBase):
    """Press a key (``Enter``, ``Control+A``), on a target or on whatever has the focus."""

    kind: ClassVar[StepKind] = "press"
    key: str

    def _words(self) -> dict[str, Any]:
        return {"key": self.key}


@dataclass(frozen=True, slots=True, kw_only=True)
class Select(StepBase):
    """Choose options of a ``<select>``: by their values, or one by its label.

    In the file, ``label`` is the option's; so a select step has no description of its own.
    """

    kind: ClassVar[StepKind] = "select"
    choices: tuple[str, ...]
    by: Literal["value", "label"] = "value"

    def _words(self) -> dict[str, Any]:
        return {"label": self.choices[0]} if self.by == "label" else {"values": list(self.choices)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(StepBase):
    """Tick a checkbox or radio button."""

    kind: ClassVar[StepKind] = "check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncheck(StepBase):
    """Clear a checkbox."""

    kind: ClassVar[StepKind] = "uncheck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hover(StepBase):
    """Move the mouse over the target."""

    kind: ClassVar[StepKind] = "hover"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scroll(StepBase):
    """Scroll to ``x``, ``y`` CSS pixels: the page, or what is in the target.

    With a target and no place, the target itself is scrolled into view.
    """

    kind: ClassVar[StepKind] = "scroll"
    x: int | None = None
    y: int | None = None

    @property
    def place(self) -> Position | None:
        """Where to scroll to; ``None``: until the target is in view."""
        if self.selectors and self.x is None and self.y is None:
            return None
        return {"x": self.x or 0, "y": self.y or 0}

    def _words(self) -> dict[str, Any]:
        return {"x": self.x, "y": self.y}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(StepBase):
    """Wait for the state of a target, for a text on the page, or for the page's URL."""

    kind: ClassVar[StepKind] = "wait_for"
    state: WaitState = "visible"
    text: str | None = None
    url: str | None = None

    def _words(self) -> dict[str, Any]:
        state = self.state if self.selectors else None
        return {"state": state, "text": self.text, "url": self.url}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload(StepBase):
    """Put files into a file field. ``files`` are absolute; records hold ``names`` only."""

    kind: ClassVar[StepKind] = "upload"
    names: tuple[str, ...]
    files: tuple[Path, ...] = field(compare=False)

    def _words(self) -> dict[str, Any]:
        return {"files": list(self.names)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect(StepBase):
    """Fail unless one thing holds; exactly one of the fields is not ``None``.

    Of a target: its ``text``, a pattern that its text ``matches``, the ``value`` of a field, the
    ``count`` of matches, whether it is ``visible``. Of the page: ``url`` or ``title``.
    """

    kind: ClassVar[StepKind] = "expect"
    text: str | None = None
    matches: str | None = None
    value: str | None = None
    count: int | None = None
    visible: bool | None = None
    url: str | None = None
    title: str | None = None

    @property
    def check(self) -> ExpectCheck:
        """The one field that is not ``None``."""
        return next(name for name in EXPECT_CHECKS if getattr(self, name) is not None)

    @property
    def expected(self) -> str:
        """The expectation for a reader: ``text 'GOOD'``, ``count 3``."""
        return f"{self.check} {getattr(self, self.check)!r}"

    def _words(self) -> dict[str, Any]:
        return {self.check: getattr(self, self.check)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(StepBase):
    """Do what the instruction says, in natural language (Stagehand)."""

    kind: ClassVar[StepKind] = "act"
    instruction: str

    def _words(self) -> dict[str, Any]:
        return {"instruction": self.instruction}


Step = (
    Goto
    | Fill
    | Click
    | Press
    | Select
    | Check
    | Uncheck
    | Hover
    | Scroll
    | WaitFor
    | Upload
    | Expect
    | Act
)


def _one_or_all(selectors: tuple[str, ...]) -> str | list[str] | None:
    if len(selectors) == 1:
        return selectors[0]
    return list(selectors) or None
