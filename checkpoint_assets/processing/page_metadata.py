"""The page's own metadata as columns of its step's row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checkpoint_assets.model.contract_records import ParsedMetadata, Scalar
from checkpoint_assets.model.records import encode_json
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.metadata_parser import (
    METADATA_FORMAT,
    PageMetadataParser,
    read_page,
    read_time,
)
from checkpoint_assets.processing.step_processor import StepProcessor
