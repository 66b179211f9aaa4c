"""What can be set in the launchpad for one run of the capture."""

from enum import Enum

import dagster as dg
from pydantic import Field

from checkpoint_assets.collection.scenario import Scenario, Viewport
from checkpoint_assets.collection.scenario_changes import change_scenario
from checkpoint_assets.collection.scenario_reader import MAX_PIXELS
from checkpoint_assets.model.enums import Artifact


class CapturedArtifact(Enum):
    """The artifacts that can be left out. Dagster takes an enum's names for its values."""

    html = "html"
    screenshot = "screenshot"


class ViewportConfig(dg.Config):
    """The size of the page."""

    width: int = Field(ge=1, le=MAX_PIXELS, description="CSS pixels")
    height: int = Field(ge=1, le=MAX_PIXELS, description="CSS pixels")
    device_scale_factor: float = Field(
        default=1, ge=0.1, le=10, description="device pixels that make one CSS pixel"
    )


class CaptureConfig(dg.Config):
    """Each stands over what the scenario's file says; what is left out stays as it is there."""

    viewport: ViewportConfig | None = Field(
        default=None, description="The size of the page, also over that of a `device`."
    )
    artifacts: list[CapturedArtifact] | None = Field(
        default=None,
        description="html, screenshot, both or none ([]). Action and metadata are always there. "
        "The selected assets narrow it further.",
    )
    every: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="HTML and screenshots of every so many-th step only, beginning with the first.",
    )
    source: str | None = Field(
        default=None,
        description="Where the browser is: local, browserbase, stagehand, cdp (needs the "
        "scenario's cdp_url), or plugin:NAME of the settings.",
    )
    tags: dict[str, str] = Field(
        default={}, description="Put into the session's manifest, beside the scenario's own tags."
    )

    def applied_to(self, scenario: Scenario) -> Scenario:
        """The scenario as this run captures it. Raises ``InvalidScenario``."""
        size, kept = self.viewport, self.artifacts
        return change_scenario(
            scenario,
            viewport=size and Viewport(size.width, size.height, size.device_scale_factor),
            artifacts=None if kept is None else [Artifact(each.value) for each in kept],
            every=self.every,
            source=self.source,
        )
