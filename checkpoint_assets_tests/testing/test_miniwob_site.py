from __future__ import annotations

import hashlib
import re
import shutil
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from html.parser import HTMLParser
from importlib.machinery import ModuleSpec
from pathlib import Path
from urllib.parse import urljoin

import pytest
import yaml
from playwright.async_api import Browser, Page, async_playwright

from checkpoint_assets.config import Timeouts
from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.testing.miniwob_site import (
    DEFAULT_EPISODE,
    DEFAULT_SEED,
    MiniWobSite,
    miniwob_pages,
)
from checkpoint_assets.testing.web_server import Request

SCENARIOS = sorted((Path(__file__).parents[2] / "scenarios").glob("miniwob-*.yaml"))
CHROMIUMS = [
    path for name in ("chromium-headless-shell", "chromium") if (path := shutil.which(name))
]
CHROMIUM_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


@pytest.fixture
def site() -> Iterator[MiniWobSite]:
    with MiniWobSite() as running:
        yield running


def first_steps(scenario: Path) -> list[dict[str, str]]:
    return yaml.safe_load(scenario.read_text(encoding="utf-8"))["steps"][:2]


def page_path(scenario: Path) -> str:
    return first_steps(scenario)[0]["goto"]


def get(site: MiniWobSite, path: str) -> str:
    return site.answer(Request("GET", path)).body.decode()


# ---- what is served


def test_every_task_page_seeds_itself_right_after_core() -> None:
    site = MiniWobSite()
    pages = [f"/miniwob/{task}.html" for task in site.tasks()]
    pages += [f"/{page.relative_to(site.root)}" for page in site.root.glob("flight/*/wrapper.html")]
    assert len(pages) == len(site.tasks()) + 4
    for page in pages:
        after_core = get(site, page).split('core/core.js"></script>', 1)[1]
        assert after_core.lstrip().startswith("<script>\n(function () {\n  var seed ="), page


def test_seed_and_episode_are_those_of_the_constructor() -> None:
    site = MiniWobSite(seed="</script>'\"", episode=timedelta(seconds=90))
    page = get(site, "/miniwob/click-test.html")
    assert r"""'seed', "\u003c/script>'\"")""" in page
    assert "EPISODE_MAX_TIME = 90000;" in page


def test_episode_outlasts_the_longest_session() -> None:
    assert timedelta(seconds=Timeouts().session) < DEFAULT_EPISODE


def test_what_is_no_task_page_is_served_as_it_is() -> None:
    site = MiniWobSite()
    for path in ("core/core.js", "flight/Alaska/index.html", "core/core.css"):
        answer = site.answer(Request("GET", f"/{path}"))
        assert answer.body == (site.root / path).read_bytes(), path


def test_front_page_leads_to_every_task() -> None:
    site = MiniWobSite()
    links = re.findall(r'href="([^"]+)"', get(site, "/"))
    assert len(links) == len(site.tasks())
    assert all(site.answer(Request("GET", link)).status == 200 for link in links)


def test_serving_changes_no_file_of_the_package(site: MiniWobSite) -> None:
    before = digest(site.root)
    for scenario in SCENARIOS:
        fetch(site.url + page_path(scenario))
    assert digest(site.root) == before


def digest(folder: Path) -> dict[Path, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)
def test_every_resource_of_a_scenario_page_is_there(site: MiniWobSite, scenario: Path) -> None:
    queue = [site.url + page_path(scenario)]
    seen: set[str] = set()
    while queue:
        url = queue.pop()
        if url in seen:
            continue
        seen.add(url)
        media_type, text = fetch(url)
        if media_type == "text/html":
            queue += [urljoin(url, reference) for reference in html_references(text)]
        if media_type in ("text/html", "text/css"):
            queue += [urljoin(url, reference) for reference in css_references(text)]
    assert len(seen) >= 3


def fetch(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url, timeout=10) as response:  # a 404 raises
        return response.headers.get_content_type(), response.read().decode("latin-1")


def html_references(text: str) -> list[str]:
    found: list[str] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            name = "href" if tag == "link" else "src"
            found.extend(value for key, value in attrs if key == name and value)

    Parser().feed(text)
    return found


def css_references(text: str) -> list[str]:
    without_comments = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    references = re.findall(r"""url\(\s*["']?([^"')]+)["']?\s*\)""", without_comments)
    return [reference for reference in references if not reference.startswith("data:")]


# ---- where the package is missing


def test_missing_package_is_an_invalid_configuration_that_says_what_to_install() -> None:
    with pytest.raises(InvalidConfiguration, match="pip install miniwob"):
        MiniWobSite(find_spec=lambda name: None)


def test_package_is_found_without_being_imported() -> None:
    MiniWobSite()
    assert "miniwob" not in sys.modules


def test_package_without_its_pages_is_an_invalid_configuration(tmp_path: Path) -> None:
    def find_empty_package(name: str) -> ModuleSpec:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(tmp_path)]
        return spec

    with pytest.raises(InvalidConfiguration):
        miniwob_pages(find_empty_package)


# ---- the scenarios that come with it


def test_scenarios_open_a_page_of_the_site_and_press_start() -> None:
    assert len(SCENARIOS) >= 14
    site = MiniWobSite()
    for scenario in SCENARIOS:
        goto, start = first_steps(scenario)
        assert site.answer(Request("GET", goto["goto"].partition("?")[0])).status == 200, scenario
        assert start == {"click": "#sync-task-cover"}, scenario


# ---- what a browser shows


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUMS:
        pytest.skip("no Chromium")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUMS[0], args=CHROMIUM_FLAGS
        )
        yield launched
        await launched.close()


async def start_task(page: Page, url: str) -> str:
    await page.goto(url)
    return await restart_task(page)


async def restart_task(page: Page) -> str:
    await page.click("#sync-task-cover")
    return await page.inner_text("#query") + await page.inner_html("#area")


@pytest.mark.browser
@pytest.mark.parametrize("task", ["book-flight", "click-tab-2", "email-inbox", "social-media"])
async def test_every_start_shows_the_same_problem(
    site: MiniWobSite, browser: Browser, task: str
) -> None:
    url = f"{site.url}/miniwob/{task}.html"
    page, other_page = await browser.new_page(), await browser.new_page()
    problem = await start_task(page, url)
    assert await start_task(other_page, url) == problem
    await page.evaluate("Math.random(); core.endEpisode(1.0, true)")
    assert await restart_task(page) == problem


@pytest.mark.browser
async def test_seed_in_the_url_asks_for_another_problem(
    site: MiniWobSite, browser: Browser
) -> None:
    url = f"{site.url}/miniwob/email-inbox.html"
    page = await browser.new_page()
    problem = await start_task(page, url)
    assert await start_task(page, f"{url}?seed={DEFAULT_SEED}") == problem
    assert await start_task(page, f"{url}?seed=another") != problem


@pytest.mark.browser
async def test_time_limit_of_the_task_itself_does_not_count(
    site: MiniWobSite, browser: Browser
) -> None:
    page = await browser.new_page()
    await start_task(page, f"{site.url}/miniwob/use-colorwheel.html")  # asks for seven seconds
    assert await page.inner_text("#timer-countdown") == "1800 / 1800sec"


@pytest.mark.browser
@pytest.mark.skipif(len(CHROMIUMS) < 2, reason="needs two browsers")
async def test_two_browsers_show_the_same_problem(site: MiniWobSite) -> None:
    problems: set[str] = set()
    async with async_playwright() as playwright:
        for path in CHROMIUMS:
            browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            page = await browser.new_page()
            problems.add(await start_task(page, f"{site.url}/miniwob/search-engine.html"))
            await browser.close()
    assert len(problems) == 1
