"""Processors as a user writes them, outside the package."""

from __future__ import annotations

from typing import Any

from checkpoint_assets.model.contract_records import ProcessingResult
from checkpoint_assets.processing.captured_step import Derived


class Shouting:
    """How many exclamation marks there are in a page, and where the last one is."""

    def get_processor_name(self) -> str:
        return "shouting"

    def validate_input(self, data: Any) -> bool:
        return bool(getattr(data, "html", None))

    async def process(self, data: Any) -> ProcessingResult:
        marks = data.html.count("!")
        report = f"{marks} at {data.html.rfind('!')}".encode()
        return ProcessingResult(
            True, Derived({"marks": marks}, {"shouting.txt": (report, "text/plain")})
        )


class Late(Shouting):
    """Fails for every step."""

    def get_processor_name(self) -> str:
        return "late"

    async def process(self, data: Any) -> ProcessingResult:
        raise RuntimeError(f"nothing to be done about {data.step_id}")


class Same(Shouting):
    """Calls itself as one of ours does."""

    def get_processor_name(self) -> str:
        return "readable_text"


class Unable:
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("no key configured")


shouting = Shouting()


def make_shouting() -> Shouting:
    return Shouting()


NUMBER = 3
