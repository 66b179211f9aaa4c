"""Fills the HTML files below ``templates/``.

Every value is escaped unless it is :class:`Html`, which the functions here make.
"""

from __future__ import annotations

import functools
import html
from collections.abc import Iterable
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent / "templates"


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING = Html()


@functools.cache
def _template(name: str) -> Template:
    return Template((TEMPLATES / f"{name}.html").read_text(encoding="utf-8"))


def _fill(template: Template, values: dict[str, object]) -> Html:
    return Html(
        template.substitute(
            {
                name: value if isinstance(value, Html) else html.escape(str(value))
                for name, value in values.items()
            }
        )
    )


def render(template: str, /, **values: object) -> Html:
    """The template of that name with its values. Raises ``KeyError`` if one is missing."""
    return _fill(_template(template), values)


def snippet(template: str, /, **values: object) -> Html:
    """The same for a template that is too short for a file."""
    return _fill(Template(template), values)


def join(parts: Iterable[Html]) -> Html:
    """The parts below each other."""
    return Html("\n".join(parts))
