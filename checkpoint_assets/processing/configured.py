"""Processors of other packages, named in the settings."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidInput
from checkpoint_assets.processing.contract_names import processor_name

_HINT = "an entry of `processors` is package.module:Name, a class or function to be called"


def load_processors(entries: Iterable[str]) -> list[IProcessor]:
    """A processor for each ``package.module:Name``, in this order.

    ``Name`` is called without arguments, or is a processor by itself. Raises
    ``InvalidConfiguration``, which names the entry and says why it cannot be used.
    """
    return [_load(entry) for entry in entries]


def _load(entry: str) -> IProcessor:
    module_name, _, name = entry.partition(":")
    if not name.isidentifier() or not all(part.isidentifier() for part in module_name.split(".")):
        raise _unusable(entry, "it is not written as package.module:Name")
    try:
        module = import_module(module_name)
    except Exception as err:  # a foreign module runs as it is imported, and may raise anything
        raise _unusable(entry, f"{module_name} cannot be imported: {err!r}") from err
    try:
        made: Any = getattr(module, name)
    except AttributeError as err:
        raise _unusable(entry, f"{module_name} has no {name}") from err
    if not isinstance(made, IProcessor) or isinstance(made, type):
        if not callable(made):
            raise _unusable(entry, f"{name} is a {type(made).__name__}")
        try:
            made = made()
        except Exception as err:  # foreign, too
            raise _unusable(entry, f"{name}() raised {err!r}") from err
    try:
        processor_name(made)
    except InvalidInput as err:
        raise _unusable(entry, str(err)) from err
    return made


def _unusable(entry: str, reason: str) -> InvalidConfiguration:
    return InvalidConfiguration(f"the processor {entry!r} cannot be used: {reason}", hint=_HINT)
