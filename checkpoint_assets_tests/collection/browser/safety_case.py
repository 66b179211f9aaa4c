"""Scenarios run in a made-up network, beside a server that they must not reach."""

from __future__ import annotations

import json
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checkpoint_assets.collection.browser.local_chromium import LocalChromium
from checkpoint_assets.collection.browser.local_source import LocalBrowserSource
from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.config import Settings
from checkpoint_assets.model.contract_records import CollectedData
from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import DataCollectionError
from checkpoint_assets.testing.web_server import LocalSite, Request, Response
from checkpoint_assets_tests.collection.browser.made_up_network import MadeUpNetwork


class Inner(LocalSite):
    """A server in the private network: it writes down who came, and tells its secret."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, name="inner")
        self.visits: list[str] = []

    @property
    def host(self) -> str:
        """Its ``host:port``."""
        return self.url.removeprefix("http://")

    def respond(self, request: Request) -> Response | None:
        self.visits.append(request.path)
        return Response(body=b"<p>inner secret</p>", headers={"Access-Control-Allow-Origin": "*"})


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@dataclass
class Captured:
    """What came of a scenario: its steps, and the error that ended it early."""

    steps: list[CollectedData] = field(default_factory=list[CollectedData])
    error: DataCollectionError | None = None

    def page(self, step: int = 0) -> dict[str, Any]:
        return self.steps[step].metadata["page"]

    def action(self, step: int = 0) -> dict[str, Any]:
        return self.steps[step].metadata["action"]

    def html(self, step: int = 0) -> str:
        return self.steps[step].artifacts[Artifact.HTML].decode()

    def blocked(self, step: int = 0) -> set[str]:
        """URLs, or hosts where the browser tells no more, of the requests that were refused."""
        entries = self.page(step).get("blocked_requests", [])
        return {each.get("url") or each["host"] for each in entries}

    def everything(self) -> str:
        """All that would be stored, pictures apart."""
        kept = [
            [each.metadata, each.artifacts.get(Artifact.HTML, b"").decode()] for each in self.steps
        ]
        return json.dumps(kept)


@dataclass
class Runner:
    """Runs scenarios that begin at ``shop.example``."""

    browser: LocalChromium
    network: MadeUpNetwork

    def source(
        self,
        *steps: Any,
        allow: tuple[str, ...] = (),
        settings: Settings | None = None,
        site_url: str | None = None,
        **words: Any,
    ) -> LocalBrowserSource:
        scenario: dict[str, Any] = {
            **words,
            "name": "safety",
            "start_url": "http://shop.example/",
            "steps": list(steps),
        }
        if allow:
            scenario["allow_private"] = list(allow)
        return LocalBrowserSource(
            parse_scenario(json.dumps(scenario)),
            self.browser,
            settings or Settings(allow_private=allow),
            resolver=self.network.resolver,
            dial=self.network.dial,
            site_url=site_url,
        )

    async def __call__(self, *steps: Any, **options: Any) -> Captured:
        source = self.source(*steps, **options)
        captured = Captured()
        try:
            await source.connect()
            async with aclosing(source.collect_stream()) as stream:
                async for step in stream:
                    captured.steps.append(step)
        except DataCollectionError as err:
            captured.error = err
        finally:
            await source.disconnect()
        return captured
