"""A scenario with something else in place of what its file says, for one capture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from checkpoint_assets.collection.readers import suggest
from checkpoint_assets.collection.scenario import PLUGIN, SOURCES, Scenario, Viewport
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import InvalidScenario


def change_scenario(
    scenario: Scenario,
    *,
    viewport: Viewport | None = None,
    artifacts: Collection[Artifact] | None = None,
    every: int | None = None,
    source: str | None = None,
) -> Scenario:
    """The scenario with these in place of its own; its digest stays that of its file.

    Action and metadata are always captured. Raises ``InvalidScenario`` for a source that there is
    not, and for one that the scenario does not say enough for.
    """
    if viewport is not None:
        # A viewport that is asked for stands over that of the device.
        scenario = replace(scenario, viewport=viewport, own_viewport=True)
    if artifacts is not None:
        wanted = {Artifact.ACTION, Artifact.METADATA, *artifacts}
        kept = tuple(each for each in Artifact if each in wanted)
        scenario = replace(scenario, collect=replace(scenario.collect, artifacts=kept))
    if every is not None:
        scenario = replace(scenario, collect=replace(scenario.collect, every=every))
    if source is not None and source != scenario.source:
        scenario = replace(scenario, source=_source(scenario, source))
    return scenario


def _source(scenario: Scenario, source: str) -> str:
    path = str(scenario.path) if scenario.path else None
    if source.startswith(PLUGIN):
        return source
    if source not in SOURCES:
        hint = suggest(source, [*SOURCES, f"{PLUGIN}NAME"])
        raise InvalidScenario(f"there is no source {source[:100]!r}", path=path, hint=hint)
    if not scenario.steps or not (scenario.site or scenario.start_url):
        raise InvalidScenario(
            f"'source: {source}' needs a site or a start_url, and steps", path=path
        )
    if source == "cdp" and scenario.cdp_url is None:
        raise InvalidScenario("'source: cdp' needs cdp_url", path=path, hint="put it into the file")
    if source != "local" and scenario.engine != "chromium":
        raise InvalidScenario(f"engine {scenario.engine} needs 'source: local'", path=path)
    return source
