"""The accessible role of an element, by its ``role`` attribute, else by what it is.

After HTML-AAM (https://www.w3.org/TR/html-aam-1.0/), without what depends on style sheets.
"""

from __future__ import annotations

import re

from checkpoint_assets.processing.dom import Node

_BY_TAG = {
    "a": "link", "article": "article", "aside": "complementary", "blockquote": "blockquote",
    "button": "button", "datalist": "listbox", "details": "group",
    "dialog": "dialog", "fieldset": "group", "figure": "figure", "footer":
    "contentinfo", "form": "form", "h1": "heading", "h2": "heading", "h3": "heading", "h4":
    "heading", "h5": "heading", "h6": "heading", "header": "banner", "hr": "separator", "iframe":
    "iframe", "frame": "iframe", "img": "img", "li": "listitem", "main": "main", "math": "math",
    "menu": "list", "meter": "meter", "nav": "navigation", "ol": "list", "optgroup": "group",
    "option": "option", "output": "status", "progress": "progressbar", "search": "search",
    "section": "region", "summary": "button", "svg": "img", "table": "table", "td": "cell",
    "textarea": "textbox", "th": "columnheader", "tr": "row", "ul": "list",
}  # fmt: skip
_BY_TYPE = {
    "button": "button", "checkbox": "checkbox", "color": "textbox", "email": "textbox", "file":
    "button", "image": "button", "number": "spinbutton", "radio": "radio", "range": "slider",
    "reset": "button", "search": "searchbox", "submit": "button",
}  # fmt: skip
LANDMARKS = frozenset(
    ["banner", "complementary", "contentinfo", "form", "main", "navigation", "region", "search"]
)
CONTROLS = frozenset([
    "button", "checkbox", "combobox", "link", "listbox", "menuitem", "menuitemcheckbox",
    "menuitemradio", "radio", "searchbox", "slider", "spinbutton", "switch", "tab", "textbox",
])  # fmt: skip
# Their name may be the text that is in them.
NAMED_BY_CONTENT = frozenset([
    "button", "cell", "checkbox", "columnheader", "gridcell", "heading", "link", "menuitem",
    "menuitemcheckbox", "menuitemradio", "option", "radio", "rowheader", "switch", "tab",
    "tooltip", "treeitem",
])  # fmt: skip
# Shown as what they are only if somebody gave them a name.
_ONLY_NAMED = frozenset(["form", "section"])
_ONLY_OUTSIDE = frozenset(["header", "footer"])
SECTIONS = frozenset(["article", "aside", "main", "nav", "section"])
_NONE = frozenset(["none", "presentation", "generic"])
_ROLE = re.compile(r"[a-z][a-z-]{1,39}")


def role_of(node: Node, *, named: bool, in_section: bool) -> str | None:
    """The role; ``None`` for what has none of its own.

    ``named`` says whether the author gave a name, ``in_section`` whether it is below one.
    """
    given, *_ = (*node.get("role").lower().split(), "")
    if _ROLE.fullmatch(given):
        return None if given in _NONE else given
    tag = node.tag
    if tag == "input":
        return _role_of_input(node)
    if tag == "select":
        return "listbox" if node.has("multiple") or _rows(node) > 1 else "combobox"
    without_role = (
        (tag in _ONLY_NAMED and not named)
        or (tag in _ONLY_OUTSIDE and in_section)
        or (tag == "a" and not node.has("href"))
        or (tag == "img" and node.has("alt") and not node.get("alt") and not named)
        or (tag == "svg" and not named)
    )
    return None if without_role else _BY_TAG.get(tag)


def level_of(node: Node) -> int | None:
    """The level of a heading, as it is said or as its tag has it."""
    said = node.get("aria-level")
    if said.isascii() and said.isdigit() and len(said) < 4:
        return int(said)
    return int(node.tag[1]) if node.tag in {"h1", "h2", "h3", "h4", "h5", "h6"} else None


def _role_of_input(node: Node) -> str | None:
    kind = node.get("type").lower()
    if kind == "hidden":
        return None
    role = _BY_TYPE.get(kind, "textbox")
    return "combobox" if role in {"textbox", "searchbox"} and node.has("list") else role


def _rows(node: Node) -> int:
    size = node.get("size")
    return int(size) if size.isascii() and size.isdigit() and len(size) < 4 else 1
