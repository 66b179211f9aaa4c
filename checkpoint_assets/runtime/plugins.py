"""Parts that somebody else wrote, named in the configuration as ``package.module:Name``."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeVar

from checkpoint_assets.model.errors import InvalidConfiguration, InvalidInput

T = TypeVar("T")


def load_named(setting: str, reference: str) -> Any:
    """The object that ``reference`` names. Raises ``InvalidConfiguration`` with the reason.

    ``setting`` is the setting it comes from, for the error.
    """
    module_name, colon, name = reference.partition(":")
    if not colon or not module_name or not name:
        raise InvalidConfiguration(
            f"{setting}: {reference!r} names nothing", hint="write package.module:Name"
        )
    try:
        found: Any = import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except (
        Exception
    ) as err:  # importing runs somebody else's code: whatever it raises is the reason
        raise InvalidConfiguration(f"{setting}: {reference!r} cannot be loaded: {err}") from err
    return found


def keeping(contract: type[T], candidate: object, role: str) -> T:
    """The candidate, which has every method of the contract. Raises ``InvalidInput``."""
    if isinstance(candidate, type) or not isinstance(candidate, contract):
        missing = sorted(
            name
            for name, member in vars(contract).items()
            if callable(member) and name[0] != "_" and not callable(getattr(candidate, name, None))
        )
        what = candidate.__name__ if isinstance(candidate, type) else type(candidate).__name__
        reason = f"it lacks {', '.join(missing)}" if missing else "it is a class: give an object"
        raise InvalidInput(f"{what} is no {role}: {reason}", hint=f"see {contract.__name__}")
    return candidate
