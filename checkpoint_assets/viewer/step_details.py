"""Everything a report shows of one step, as plain JSON. Captured strings are never markup."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.viewer.captured_page import CapturedPage
from checkpoint_assets.viewer.captured_values import (
    LONG,
    items,
    mapping,
    number,
    pretty_json,
    text,
)
from checkpoint_assets.viewer.dom_difference import compare_lines
from checkpoint_assets.viewer.pictures import Picture, compare_pictures
from checkpoint_assets.viewer.session_view import StepRow, redacted
from checkpoint_assets.viewer.target_box import target_boxes


@dataclass(frozen=True, slots=True)
class LoadedStep:
    """A step with its files read and made fit to be shown.

    ``problems`` say why a file that the step should have cannot be shown.
    """

    row: StepRow
    record: CommitRecord | None = None
    action: Mapping[str, Any] = field(default_factory=dict[str, Any])
    picture: Picture | None = None
    picture_bytes: bytes = b""
    page: CapturedPage | None = None
    problems: tuple[str, ...] = ()

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What the writer said of the page."""
        return mapping(self.record.metadata) if self.record else {}


def step_details(step: LoadedStep, before: LoadedStep | None) -> dict[str, Any]:
    """The step, and how it differs from the one before it."""
    page = step.metadata
    return {
        "facts": [[name, value] for name, value in _facts(step) if value],
        "timings": _timings(step),
        "notes": [[level, said] for level, said in _notes(step)],
        "log": [[kind, said, more] for kind, said, more in _log(page)],
        "picture": _picture(step, before),
        "page": step.page is not None,
        "viewport": _viewport(page),
        "dom": _dom(step, before),
        "json": [
            ["action", pretty_json(step.action)],
            ["commit record", pretty_json(step.record.model_dump(mode="json"))]
            if step.record
            else ["commit record", "it cannot be read"],
        ],
    }


def _facts(step: LoadedStep) -> Iterator[tuple[str, str]]:
    action, page = step.action, step.metadata
    target, error = mapping(action.get("target")), mapping(action.get("error"))
    attributes = mapping(target.get("attributes"))
    yield "selector", text(action.get("selector"), LONG)
    tried = [text(each) for each in items(action.get("selectors"))]
    yield "also tried", ", ".join(each for each in tried if each != action.get("selector"))
    if target:
        named = " ".join(f'{text(name)}="{text(value)}"' for name, value in attributes.items())
        yield "target", text(f"<{text(target.get('tag'))} {named}".rstrip() + ">", LONG)
        yield "its text", text(target.get("text"), LONG)
    value = action.get("value")
    yield "value", text(value if isinstance(value, str) else _shown(value), LONG)
    yield "secret", text(action.get("secret"))
    yield "options", _shown(action.get("options"))
    yield (
        "error",
        text(f"{text(error.get('type'))} {text(error.get('message'), LONG)}".strip(), LONG),
    )
    yield "title", text(page.get("title"), LONG)
    before, after = text(action.get("url_before"), LONG), text(action.get("url_after"), LONG)
    after = after or text(page.get("url"), LONG)
    yield "address", after
    yield "came from", before if before != after else ""
    status = number(page.get("status"))
    yield "status", f"{status:g}" if status is not None else ""
    yield "began", text(action.get("started_at"))
    yield "committed", text(step.record.committed_at) if step.record else ""
    viewport = mapping(page.get("viewport"))
    yield "viewport", _size(viewport)
    scroll = mapping(page.get("scroll"))
    x, y = number(scroll.get("x")), number(scroll.get("y"))
    yield "scrolled to", f"{x:g}, {y:g}" if x or y else ""
    nodes = number(mapping(page.get("counts")).get("nodes"))
    yield "nodes", f"{nodes:g}" if nodes is not None else ""
    sizes = step.record.artifacts if step.record else {}
    yield "files", ", ".join(f"{text(name)} {file.size:,} bytes" for name, file in sizes.items())


def _timings(step: LoadedStep) -> list[list[Any]]:
    phases = list(mapping(step.action.get("milliseconds")).items())[:12]
    shown = ((text(name, 24), number(value)) for name, value in phases)
    return [[name, value] for name, value in shown if value is not None and value >= 0]


def _notes(step: LoadedStep) -> Iterator[tuple[str, str]]:
    page = step.metadata
    for problem in step.problems:
        yield "bad", problem
    for name in ("incomplete", "truncated", "no_screenshot"):
        if said := text(page.get(name)):
            yield "bad", said if name == "incomplete" else f"{name.replace('_', ' ')}: {said}"
    if page.get("clipped") is True:
        yield "warn", "the picture shows a part of the page: the whole is too high for one"
    consistency = mapping(page.get("consistency"))
    mutations = number(consistency.get("mutations"))
    if mutations:
        yield "warn", f"the page changed {mutations:g} times while it was captured"
    elif page.get("consistency") is not None and mutations is None:
        yield "warn", "the page gave way to another one while it was captured"
    settle = mapping(page.get("settle"))
    if text(settle.get("reason")) not in ("", "quiet"):
        waited = number(settle.get("ms")) or 0
        yield "warn", f"the page had not come to rest after {waited:g} ms"
    if masked := redacted(page):
        rules = sorted({text(mapping(each).get("rule"), 40) for each in items(page["redactions"])})
        yield "mask", f"{masked} masked before anything was written: {', '.join(rules)}"
    opaque = number(mapping(page.get("counts")).get("opaque_frames"))
    if opaque:
        yield "info", f"{opaque:g} frames could not be read"


def _log(page: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for kind, name in (("error", "console_errors"), ("exception", "page_errors")):
        for each in items(page.get(name)):
            yield kind, text(mapping(each).get("text"), LONG), ""
    for each in map(mapping, items(page.get("failed_requests"))):
        status = number(each.get("status"))
        why = f"status {status:g}" if status is not None else text(each.get("error"))
        yield "request", text(each.get("url"), LONG), why
    for each in map(mapping, items(page.get("blocked_requests"))):
        yield "blocked", text(each.get("url") or each.get("host"), LONG), text(each.get("reason"))
    for each in map(mapping, items(page.get("dialogs"))):
        yield "dialog", text(each.get("message"), LONG), text(each.get("type"))
    for each in map(mapping, items(page.get("downloads"))):
        yield "download", text(each.get("url"), LONG), text(each.get("name"))
    for each in map(mapping, items(page.get("popups"))):
        yield "popup", text(each.get("url"), LONG), "closed" if each.get("closed") is True else ""
    if dropped := number(page.get("dropped")):
        yield "more", f"{dropped:g} more were not kept", ""


def _picture(step: LoadedStep, before: LoadedStep | None) -> dict[str, Any] | None:
    picture = step.picture
    if picture is None:
        return None
    shown: dict[str, Any] = {"width": picture.width, "height": picture.height}
    earlier = before.picture if before else None
    boxes = target_boxes(
        step.action,
        step.metadata,
        before.metadata if before else {},
        (picture.width, picture.height),
        (earlier.width, earlier.height) if earlier else None,
    )
    shown |= {name: box for name, box in boxes.items() if box}
    if before is not None and earlier is not None:
        shown["previous"] = before.row.ordinal
        if before.row.picture == step.row.picture:
            shown["changed"] = 0
        elif difference := compare_pictures(earlier, picture):
            shown["changed"] = round(difference.share, 6)
            if difference.box:
                left, top, right, bottom = difference.box
                shown["area"] = [
                    round(100 * left / picture.width, 2),
                    round(100 * top / picture.height, 2),
                    round(100 * (right - left) / picture.width, 2),
                    round(100 * (bottom - top) / picture.height, 2),
                ]
    return shown


def _viewport(page: Mapping[str, Any]) -> list[float]:
    """How large the page was drawn, in CSS pixels."""
    viewport = mapping(page.get("viewport"))
    sides = [(viewport.get("width"), 1280), (viewport.get("height"), 800)]
    return [min(max(number(side) or usual, 100), 4000) for side, usual in sides]


def _dom(step: LoadedStep, before: LoadedStep | None) -> dict[str, Any] | None:
    if step.page is None or before is None or before.page is None:
        return None
    if before.row.page == step.row.page:
        return {"added": 0, "removed": 0, "rows": [], "exact": True, "whole": True}
    found = compare_lines(before.page.lines, step.page.lines)
    return {
        "added": found.added,
        "removed": found.removed,
        "rows": [[sign, line] for sign, line in found.rows],
        "exact": found.exact,
        "whole": found.whole,
    }


def _shown(value: object) -> str:
    return "" if value in (None, "", [], {}) else text(pretty_json(value), LONG)


def _size(box: Mapping[str, Any]) -> str:
    width, height = number(box.get("width")), number(box.get("height"))
    ratio = number(box.get("device_pixel_ratio"))
    if width is None or height is None:
        return ""
    return f"{width:g} x {height:g}" + (f" at {ratio:g}" if ratio not in (None, 1) else "")
