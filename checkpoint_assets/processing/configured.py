"""Processors of other packages, named in the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidInput
from checkpoint_assets.processing.contract_names import processor_name
from checkpoint_assets.runtime.plugins import load_named

SETTING = "processors"


def load_processors(entries: Iterable[str]) -> list[IProcessor]:
    """A processor for each ``package.module:Name``, in this order.

    ``Name`` is a class or a function to be called without arguments, or a processor by itself.
    Raises ``InvalidConfiguration``, which names the entry and says why it cannot be used.
    """
    return [_load(entry) for entry in entries]


def _load(entry: str) -> IProcessor:
    made: Any = load_named(SETTING, entry)
    try:
        if callable(made) and (isinstance(made, type) or not isinstance(made, IProcessor)):
            made = made()
        processor_name(made)
    except InvalidInput as err:
        raise unusable(entry, err) from err
    except Exception as err:  # somebody else's code: whatever it raises is the reason
        raise unusable(entry, f"{type(err).__name__}: {err}") from err
    return made


def unusable(entry: str, reason: object) -> InvalidConfiguration:
    """The error that names the entry."""
    return InvalidConfiguration(f"{SETTING}: {entry!r} cannot be used: {reason}")
