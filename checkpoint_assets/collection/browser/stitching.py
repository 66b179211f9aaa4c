"""Putting together what several worlds have read: one HTML text, one list of masks, one count."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

# What one world's capture gives: see ``snapshot.js``.
Reading = dict[str, Any]
DATA_URL = "data:text/html;charset=utf-8,"


def stitch(reading: Reading, inner: Mapping[str, Reading | None]) -> Reading:
    """The reading with those of its foreign frames in their places, and so on inside.

    A frame that could not be read is marked, and counted as opaque.
    """
    frames = {key: stitch(found, inner) for key in reading["foreign"] if (found := inner.get(key))}
    counts = dict(reading["counts"])
    redactions = dict(reading["redactions"])
    masks = list(reading["masks"])
    for key, frame in frames.items():
        for name, count in frame["counts"].items():
            counts[name] = max(counts[name], count) if name == "depth" else counts[name] + count
        for rule, count in frame["redactions"].items():
            redactions[rule] = redactions.get(rule, 0) + count
        masks += masks_through(reading["foreign"][key], frame["masks"])
    counts["opaque_frames"] += sum(key not in frames for key in reading["foreign"])
    readings = [reading, *frames.values()]
    return {
        **reading,
        "html": "".join(_text(piece, frames) for piece in reading["pieces"]),
        "counts": counts,
        "redactions": redactions,
        "masks": masks,
        "searchable": reading["searchable"],
        "truncated": next((r["truncated"] for r in readings if r["truncated"]), None),
        "lone_surrogates": any(r["lone_surrogates"] for r in readings),
    }


def _text(piece: str | dict[str, Any], frames: Mapping[str, Reading]) -> str:
    """A piece is text, or the place of a frame: the attribute that shows it."""
    if isinstance(piece, str):
        return piece
    if frame := frames.get(piece["frame"]):
        markup = piece["name"] == "srcdoc"
        value = _escape(frame["html"]) if markup else f"{DATA_URL}{_encode(frame['html'])}"
        text = f' {piece["name"]}="{value}"'
    else:
        text = ' data-checkpoint-opaque=""'
    # The frames around it are values of attributes themselves.
    for kind in piece["quotes"]:
        text = _escape(text) if kind == "markup" else _encode(text)
    return text


def _escape(text: str) -> str:
    return html.escape(text, quote=False).replace('"', "&quot;").replace("\u00a0", "&nbsp;")


def _encode(text: str) -> str:
    return quote(text, safe="!'()*-._~")


def masks_through(place: dict[str, Any], masks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Boxes in a frame as boxes of the page, as ``boxThrough`` in ``secrets.js`` does it."""
    through: list[dict[str, Any]] = []
    for mask in masks:
        left, top, right, bottom = (place[side] for side in ("left", "top", "right", "bottom"))
        if not place["turned"]:
            x, y, scale = place["x"], place["y"], place["scale"]
            left = max(left, x + mask["x"] * scale)
            top = max(top, y + mask["y"] * scale)
            right = min(right, x + (mask["x"] + mask["width"]) * scale)
            bottom = min(bottom, y + (mask["y"] + mask["height"]) * scale)
        if right > left and bottom > top:
            size = {"width": right - left, "height": bottom - top}
            through.append({**mask, "x": left, "y": top, **size})
    return through
