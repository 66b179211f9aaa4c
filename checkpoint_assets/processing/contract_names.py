"""The name that a processor or pipeline goes by, if it keeps its contract."""

from __future__ import annotations

from checkpoint_assets.interfaces import IPipeline, IProcessor
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.runtime.plugins import keeping


def processor_name(given: object) -> str:
    """Raises ``InvalidInput`` for an object that is no ``IProcessor``."""
    return _checked(keeping(IProcessor, given, "processor").get_processor_name())


def pipeline_name(given: object) -> str:
    """Raises ``InvalidInput`` for an object that is no ``IPipeline``."""
    return _checked(keeping(IPipeline, given, "pipeline").get_pipeline_name())


def _checked(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"{name!r} is no name", hint="it is a text that is not empty")
    return name
