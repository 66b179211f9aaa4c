"""The page's own metadata as columns of its step's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from checkpoint_assets.model.contract_records import Scalar
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.metadata_parser import PageMetadataParser, read_time
from checkpoint_assets.processing.step_processor import StepProcessor

PAGE_FILE = "page.json"
_TEXTS = {
    "title": "page_title",
    "language": "page_language",
    "description": "page_description",
    "canonical_url": "canonical_url",
    "robots": "robots",
    "author": "page_author",
}
_TIMES = ("published_at", "modified_at")


class PageMetadata(StepProcessor):
    """What ``PageMetadataParser`` finds, as columns, and whole as ``page.json``.

    ``metadata_problems`` names what is missing or malformed; it is empty for a page in order.
    """

    name = "page_metadata"
    columns: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(_TEXTS.values(), "string"),
        **dict.fromkeys(_TIMES, "datetime64[us, UTC]"),
        "metadata_problems": "string",
    }

    def __init__(self) -> None:
        self._parser = PageMetadataParser()

    def can_use(self, step: CapturedStep) -> bool:
        return step.html is not None

    def derive(self, step: CapturedStep) -> Derived:
        fields, problems = self._parser.read(step.document, (step.metadata or {}).get("url"))
        columns: dict[str, Scalar] = {
            column: fields.get(name) for name, column in _TEXTS.items()
        } | {name: read_time(fields.get(name)) for name in _TIMES}
        columns["metadata_problems"] = "; ".join(problems)
        data = encode_json({"fields": fields, "problems": problems})
        return Derived(columns, {PAGE_FILE: (data, "application/json")})
