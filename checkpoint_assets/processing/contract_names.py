"""The name that a processor or pipeline goes by, if it keeps its contract."""

from __future__ import annotations

from checkpoint_assets.interfaces import IPipeline, IProcessor
from checkpoint_assets.model.errors import InvalidInput


def processor_name(given: object) -> str:
    """Raises ``InvalidInput`` for an object that is no ``IProcessor``."""
    return _name(given, IProcessor, "get_processor_name")


def pipeline_name(given: object) -> str:
    """Raises ``InvalidInput`` for an object that is no ``IPipeline``."""
    return _name(given, IPipeline, "get_pipeline_name")


def _name(given: object, contract: type, method: str) -> str:
    # A class has all the methods, and is none of its objects.
    if isinstance(given, type) or not isinstance(given, contract):
        what = given.__name__ if isinstance(given, type) else f"a {type(given).__name__}"
        hint = f"give an object with the methods of {contract.__name__}"
        raise InvalidInput(f"{what} is no {contract.__name__}", hint=hint)
    name = getattr(given, method)()
    if not isinstance(name, str) or not name:
        raise InvalidInput(
            f"a {type(given).__name__} says its name is {name!r}", hint="it is a text, not empty"
        )
    return name
