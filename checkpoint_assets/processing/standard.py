"""The processors there are without any configuration, and those that the settings add."""

from __future__ import annotations

from checkpoint_assets.config import Settings
from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.enums import ErrorPolicy
from checkpoint_assets.model.errors import InvalidInput
from checkpoint_assets.processing.configured import load_processors, unusable
from checkpoint_assets.processing.dom_difference import DomDifference
from checkpoint_assets.processing.dom_statistics import DomStatistics
from checkpoint_assets.processing.outline import AccessibilityOutline
from checkpoint_assets.processing.page_metadata import PageMetadata
from checkpoint_assets.processing.perceptual_hash import PerceptualHash
from checkpoint_assets.processing.pipeline import Pipeline
from checkpoint_assets.processing.processing_manager import ProcessingManager
from checkpoint_assets.processing.readable_text import ReadableText
from checkpoint_assets.processing.step_processor import StepProcessor
from checkpoint_assets.processing.thumbnail import Thumbnail
from checkpoint_assets.processing.visual_difference import VisualDifference

STEP_FEATURES = "step_features"
STEP_TEXT = ReadableText.name
STANDARD_PROCESSORS: tuple[type[StepProcessor], ...] = (
    PageMetadata,
    ReadableText,
    DomStatistics,
    AccessibilityOutline,
    DomDifference,
    Thumbnail,
    PerceptualHash,
    VisualDifference,
)
# Column of the features -> pandas type, in the order of the table.
STANDARD_COLUMNS = {
    name: kind for processor in STANDARD_PROCESSORS for name, kind in processor.columns.items()
}


def default_processing(settings: Settings | None = None) -> ProcessingManager:
    """Every processor by its name, and the pipeline ``step_features`` of all of them.

    What ``Settings.processors`` names comes after ours, and is given the same ``CapturedStep``.
    Raises ``InvalidConfiguration`` for what cannot be used.
    """
    manager = ProcessingManager()
    pipeline = Pipeline(STEP_FEATURES, mode="merge", on_error=ErrorPolicy.SKIP)
    for processor in [made() for made in STANDARD_PROCESSORS]:
        _add(manager, pipeline, processor)
    entries = settings.processors if settings else ()
    for entry, processor in zip(entries, load_processors(entries), strict=True):
        try:
            _add(manager, pipeline, processor)
        except InvalidInput as err:
            raise unusable(entry, err) from err
    manager.register_pipeline(pipeline)
    return manager


def _add(manager: ProcessingManager, pipeline: Pipeline, processor: IProcessor) -> None:
    manager.register_processor(processor)
    pipeline.add_processor(processor)
