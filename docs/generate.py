"""Writes the parts of the pages that are made from the code: settings, commands, public names.

``python docs/generate.py`` after a change; a test says when it was forgotten.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints, is_typeddict

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import checkpoint_assets
from checkpoint_assets.cli import main
from checkpoint_assets.config import Settings

DOCS = Path(__file__).parent
BEGIN = "<!-- from here on made by docs/generate.py -->"
END = "<!-- made until here -->"


def pages() -> dict[Path, str]:
    """Each page with a part that is made, as it should be."""
    made = {"configuration.md": settings_table, "cli.md": commands, "api.md": public_names}
    found: dict[Path, str] = {}
    for name, make in made.items():
        before, _, rest = (DOCS / name).read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        text = "\n".join(make()).strip()
        found[DOCS / name] = f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"
    return found


def settings_table() -> Iterator[str]:
    """A row for each setting; those of a group follow it."""
    yield "| setting | environment | default | meaning |"
    yield "|---|---|---|---|"
    yield from _settings(Settings, "", "CHECKPOINT_")


def _settings(model: type[BaseModel], prefix: str, variable: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        here = f"`{prefix}{name}`"
        upper = f"{variable}{name.upper()}"
        nested = field.annotation
        if nested is not None and _is_a(nested, BaseModel):
            yield f"| {here} | | | {_meaning(field)} |"
            yield from _settings(nested, f"{prefix}{name}.", f"{upper}__")
        else:
            yield f"| {here} | `{upper}` | {_default(field.default)} | {_meaning(field)} |"


def _meaning(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    named = f" (`{'`, `'.join(map(str, choices))}`)" if choices else ""
    return _cell((field.description or "") + named)


def _default(value: Any) -> str:
    return "" if value is None or value in ((), {}) else f"`{value}`"


def commands() -> Iterator[str]:
    """Each command with its arguments and options."""
    for path, command in _commands(main, ("checkpoint",)):
        context = click.Context(command, info_name=" ".join(path))
        usage = " ".join(command.collect_usage_pieces(context))
        yield f"## `{' '.join(path)} {usage}`"
        yield ""
        yield inspect.cleandoc(command.help or "")
        yield ""
        options = [each for each in command.params if isinstance(each, click.Option)]
        if options:
            yield "| option | meaning | default |"
            yield "|---|---|---|"
        for option in options:
            names = ", ".join([*option.opts, *option.secondary_opts])
            value = option.make_metavar(context) if not option.is_flag else ""
            shown = f"`{names}{' ' + _cell(value) if value else ''}`"
            default = "" if option.is_flag else _default(_given(option.default))
            yield f"| {shown} | {_cell(option.help or '')} | {default} |"
        yield ""


def _commands(
    group: click.Group, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _given(default: Any) -> Any:
    """The default, if there is one: click says ``UNSET`` for none."""
    return None if isinstance(default, Enum) else default


def public_names() -> Iterator[str]:
    """Each public name with its signature and docstring; a class with its methods or fields."""
    errors: list[type[Exception]] = []
    for name in checkpoint_assets.__all__:
        value = getattr(checkpoint_assets, name)
        if _is_a(value, Exception):
            errors.append(value)
            continue
        yield f"## `{name}`"
        yield ""
        yield f"`from checkpoint_assets import {name}` · defined in `{value.__module__}`"
        yield ""
        if not is_typeddict(value):
            yield from _code(f"{name}{_signature(value)}")
        yield _doc(value)
        yield ""
        if is_typeddict(value) or (_is_a(value, BaseModel) and value is not Settings):
            yield from _fields(value)
        if name.startswith("Sync"):
            yield from _blocking(value, name.removeprefix("Sync"))
        elif inspect.isclass(value) and not is_typeddict(value):
            yield from _methods(value)
    yield "## Errors"
    yield ""
    yield "| error | is also | meaning |"
    yield "|---|---|---|"
    for error in errors:
        bases = ", ".join(f"`{base.__name__}`" for base in error.__bases__)
        yield f"| `{error.__name__}` | {bases} | {_cell(_doc(error).partition(chr(10))[0])} |"


def _is_a(value: Any, base: type) -> bool:
    return inspect.isclass(value) and issubclass(value, base)


def _methods(cls: type) -> Iterator[str]:
    for name, member in inspect.getmembers(cls):
        home = next((base for base in cls.__mro__ if name in vars(base)), object)
        ours = home.__module__.startswith("checkpoint_assets.")
        if name.startswith("_") or not ours or not (callable(member) or _is_property(member)):
            continue
        wait = "await " if inspect.iscoroutinefunction(member) else ""
        many = "async for ... in " if inspect.isasyncgenfunction(member) else ""
        signature = "" if _is_property(member) else _signature(member)
        yield f"### `{cls.__name__}.{name}`"
        yield ""
        yield from _code(f"{wait}{many}{name}{signature}")
        yield _doc(member)
        yield ""


def _blocking(cls: type, asynchronous: str) -> Iterator[str]:
    theirs = getattr(checkpoint_assets, asynchronous)
    names = [name for name in dir(cls) if not name.startswith("_")]
    same = [f"`{name}`" for name in names if hasattr(theirs, name)]
    yield f"As in `{asynchronous}`, and blocking: {', '.join(same)}."
    yield ""
    own = [f"`{name}`: {_doc(getattr(cls, name))}" for name in names if not hasattr(theirs, name)]
    yield from (f"- {_cell(line)}" for line in own)
    yield ""


def _is_property(member: Any) -> bool:
    return isinstance(member, property)


def _fields(cls: Any) -> Iterator[str]:
    yield "| field | type |"
    yield "|---|---|"
    for name, kind in get_type_hints(cls).items():
        if not name.startswith("_") and name != "model_config":
            shown = kind.__name__ if inspect.isclass(kind) else str(kind)
            yield f"| `{name}` | `{_cell(_short(shown))}` |"
    yield ""


def _code(text: str) -> Iterator[str]:
    yield from ("```text", text, "```", "")


def _signature(value: Any) -> str:
    found = inspect.signature(value)
    kept = [
        each.replace(annotation=_Written(each.annotation))
        for name, each in found.parameters.items()
        if name not in {"self", "cls"}
    ]
    given_back = _Written(found.return_annotation)
    return _short(str(found.replace(parameters=kept, return_annotation=given_back)))


class _Written:
    """An annotation as it was written, without the quotes of text."""

    def __new__(cls, annotation: Any) -> Any:
        return super().__new__(cls) if isinstance(annotation, str) else annotation

    def __init__(self, annotation: str) -> None:
        self._text = annotation

    def __repr__(self) -> str:
        return self._text


def _short(text: str) -> str:
    """Without modules, and without what differs from run to run or is no part of the contract."""
    text = re.sub(r"<(?:[\w.]*\.)?(\w+)(?: object)? at 0x[0-9a-f]+>", r"\1()", text)
    text = re.sub(r"<(?:function|class) '?(?:[\w.]*\.)?(\w+)'?(?: at 0x[0-9a-f]+)?>", r"\1", text)
    text = re.sub(r"<(\w+)\.(\w+): [^>]+>", r"\1.\2", text)
    text = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Z])", "", text)
    return text.replace("'", '"')


def _doc(value: Any) -> str:
    return inspect.getdoc(value) or ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _write() -> None:
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write()
