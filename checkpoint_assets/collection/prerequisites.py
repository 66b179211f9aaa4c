"""What a scenario needs before its session begins: an engine that is there, a site, its secrets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from checkpoint_assets.collection.scenario import Scenario
from checkpoint_assets.collection.sites import OpenSite, ServedSite
from checkpoint_assets.collection.steps import Fill
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidScenario


def check_supported(scenario: Scenario) -> None:
    """Refuse what cannot be done, before anything is started. Raises ``InvalidScenario``."""
    if scenario.engine != "chromium":
        raise InvalidScenario(
            f"engine: {scenario.engine} cannot be captured yet",
            path=_path(scenario),
            hint="use engine: chromium",
        )


def served_site(
    scenario: Scenario, open_site: OpenSite | None
) -> contextlib.AbstractContextManager[ServedSite | None]:
    """The site that the scenario names, served while the context is open.

    Raises ``InvalidConfiguration`` where none can be served.
    """
    if scenario.site is None:
        return contextlib.nullcontext()
    if open_site is None:
        raise InvalidConfiguration(
            f"scenario {scenario.name!r} wants site {scenario.site!r}, and none can be served",
            hint="pass open_site=checkpoint_assets.testing.sites.open_site",
        )
    return open_site(scenario.site, Path(scenario.path) if scenario.path else None)


def secret_values(
    scenario: Scenario, environment: Mapping[str, str], site: ServedSite | None
) -> dict[str, str]:
    """Each secret's value, from ``CHECKPOINT_SECRET_NAME`` or the site, and nowhere else.

    Raises ``InvalidScenario`` for one that is missing.
    """
    found: dict[str, str] = {}
    for name in sorted(scenario.secret_names()):
        value = environment.get(f"CHECKPOINT_SECRET_{name}")
        if value is None and site is not None:
            value = site.secrets.get(name)
        if value is None:
            raise InvalidScenario(
                f"scenario {scenario.name!r} needs the secret {name}",
                path=_path(scenario),
                line=_line_of(scenario, name),
                hint=f"set the environment variable CHECKPOINT_SECRET_{name}",
            )
        found[name] = value
    return found


def _path(scenario: Scenario) -> str | None:
    return str(scenario.path) if scenario.path else None


def _line_of(scenario: Scenario, secret: str) -> int | None:
    steps = (step for step in scenario.steps if isinstance(step, Fill) and step.secret == secret)
    return next((step.line for step in steps), None)
