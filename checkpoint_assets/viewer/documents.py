"""The viewer's own documents, from the templates and static files beside this module."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from checkpoint_assets.viewer.json_text import script_json

STATIC = ("viewer.css", "theme.js", "report.js", "gallery.js")


@functools.cache
def static_file(name: str) -> str:
    """A style sheet or script of ours, without the blanks and comment lines it is written with."""
    source = resources.files(__package__ or "").joinpath("static", name).read_text()
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def render(template: str, **values: Any) -> str:
    """The document, with every value escaped."""
    return _templates().get_template(template).render(**values).encode("utf-8", "replace").decode()


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "script_json": _in_script,
        "static_file": _own,
        "size": size,
        "moment": moment,
    }
    return environment


def _own(name: str) -> Markup:
    return Markup(static_file(name))  # noqa: S704 (our own file)


def _in_script(value: object) -> Markup:
    return Markup(script_json(value))  # noqa: S704 (escaped for a script element)


def size(count: int) -> str:
    """``5.4 MB``."""
    amount, units = float(count), ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return (
        f"{amount:.0f} {units[0]}"
        if amount >= 100 or units[0] == "B"
        else f"{amount:.1f} {units[0]}"
    )


def moment(value: str | datetime) -> str:
    """``2026-11-21 05:24:30 UTC``; a text that is no time stays as it is."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    if value.tzinfo is None:
        return value.isoformat(" ", "seconds")
    return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'seconds')} UTC"
