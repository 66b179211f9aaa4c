from __future__ import annotations

import ast
import json
import re
import shutil
import time
import urllib.parse
from collections.abc import AsyncIterator, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

import checkpoint_assets
from checkpoint_assets.collection.scenario_file import load_scenario
from checkpoint_assets.collection.steps import Goto
from checkpoint_assets.testing.demo_shop.goods import Goods, euro
from checkpoint_assets.testing.demo_shop.rendering import TEMPLATES
from checkpoint_assets.testing.demo_shop.visits import COOKIE, MOST_VISITS, Visits
from checkpoint_assets.testing.demo_shop_site import DEMO_EMAIL, DemoShop
from checkpoint_assets.testing.web_server import Request, Response

SCENARIOS = [
    load_scenario(path)
    for path in sorted((Path(__file__).parents[2] / "scenarios").glob("shop-*.yaml"))
]
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
CHROMIUM_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
PAGES = [
    "/",
    "/search",
    "/search?q=cup&kind=cups&most=40&in_stock=yes&sort=price",
    "/product/assam-gold",
    "/product/teapot-moss",
    "/reviews/assam-gold",
    "/cart",
    "/checkout",
    "/sign-in",
    "/account",
    "/orders",
    "/orders/LK-0981",
    "/workshop",
    "/map",
]


class Browser:
    """A visitor without a window: keeps the cookie, follows redirects."""

    def __init__(self, shop: DemoShop) -> None:
        self._shop = shop
        self._cookie = ""
        self.path = ""

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return self._send("GET", path, b"", headers or {})

    def post(self, path: str, /, **form: str) -> Response:
        return self._send("POST", path, urllib.parse.urlencode(form).encode(), {})

    def _send(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        url = urllib.parse.urlsplit(path)
        query = dict(urllib.parse.parse_qsl(url.query))
        sent = {"cookie": self._cookie, **headers}
        response = self._shop.answer(Request(method, url.path, query, sent, body))
        self.path = path
        if "Set-Cookie" in response.headers:
            self._cookie = response.headers["Set-Cookie"].partition(";")[0]
        if response.status == 303:
            return self.get(response.headers["Location"])
        return response

    def sign_in(self) -> Response:
        password = self._shop.demo_secrets()["SHOP_PASSWORD"]
        return self.post("/sign-in", email=DEMO_EMAIL, password=password)


@pytest.fixture
def shop() -> DemoShop:
    return DemoShop(stock_seconds=0)


@pytest.fixture
def ann(shop: DemoShop) -> Browser:
    browser = Browser(shop)
    browser.sign_in()
    return browser


@pytest.fixture
def guest(shop: DemoShop) -> Browser:
    return Browser(shop)


def fill_cart(browser: Browser) -> None:
    browser.post("/cart", product="assam-gold", option="250g", quantity="2")


def text(response: Response) -> str:
    return response.body.decode()


CARD = {"cc_number": "4242 4242 4242 4242", "terms": "yes"}


# ---- pages


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_whole(ann: Browser, path: str) -> None:
    fill_cart(ann)
    response = ann.get(path)
    assert response.status == 200
    assert ann.path == path
    assert text(response).count("<title>") == 1
    assert text(response).rstrip().endswith("</html>")
    assert not re.search(r"\$[a-z{]", text(response)), "a placeholder was left"


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value and not value.startswith(("#", "data:")):
                self.found.add(value)
            if name == "id" and value:
                self.ids.append(value)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_and_picture_is_there_and_is_our_own(ann: Browser, path: str) -> None:
    fill_cart(ann)
    links = _Links()
    links.feed(text(ann.get(path)))
    assert len(links.ids) == len(set(links.ids))
    for link in links.found:
        assert link.startswith("/")
        assert not link.startswith("//")
        assert ann.get(link.partition("#")[0]).status == 200, link


def test_the_same_page_is_the_same_bytes_every_time() -> None:
    for path in PAGES:
        first, second = Browser(DemoShop()).get(path), Browser(DemoShop()).get(path)
        assert first.body == second.body


def test_an_unknown_page_is_a_page_with_status_404(guest: Browser) -> None:
    for path in ("/nothing", "/product/nothing", "/reviews/nothing", "/orders/LK-9999"):
        response = guest.get(path)
        assert response.status == 404
        assert "Nothing in this drawer" in text(response)


@pytest.mark.parametrize(
    "path",
    ["/../products.json", "/%2e%2e/products.json", "/templates/layout.html", "/../goods.py"],
)
def test_what_lies_beside_the_public_folder_is_not_served(guest: Browser, path: str) -> None:
    assert guest.get(urllib.parse.unquote(path)).status == 404


def test_words_of_a_visitor_are_text_and_never_markup(guest: Browser) -> None:
    page = text(guest.get("/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22"))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&quot;" in page


# ---- search


def test_search_finds_by_name_and_kind() -> None:
    goods = Goods()
    assert {product.kind for product in goods.search("tea", kind="tea")} == {"tea"}
    assert [product.id for product in goods.search("assam")] == ["assam-gold"]
    assert goods.search("no such thing") == []


def test_search_filters_and_sorts() -> None:
    found = Goods().search(most=2000, in_stock=True, sort="price")
    prices = [product.cents for product in found]
    assert prices == sorted(prices)
    assert max(prices) <= 2000
    assert "strainer-fine" not in [product.id for product in found]


# ---- signing in


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (DEMO_EMAIL, "wrong"),
        (DEMO_EMAIL, ""),
        (DEMO_EMAIL, "Correct-Horse-7"),
        (DEMO_EMAIL, "tired-horse-6"),
        ("bob@example.com", "correct-horse-7"),
    ],
)
def test_a_wrong_password_is_refused(guest: Browser, email: str, password: str) -> None:
    response = guest.post("/sign-in", email=email, password=password)
    assert response.status == 403
    assert "do not go together" in text(response)
    guest.get("/account")
    assert guest.path == "/sign-in?next=/account"


def test_the_right_password_opens_the_account(guest: Browser) -> None:
    assert "Hello, Ann" in text(guest.sign_in())
    assert guest.path == "/account"
    guest.post("/sign-out")
    guest.get("/account")
    assert guest.path.startswith("/sign-in")


def test_no_page_ever_shows_a_secret(shop: DemoShop, ann: Browser) -> None:
    fill_cart(ann)
    password = shop.demo_secrets()["SHOP_PASSWORD"]
    pages = [ann.get(path) for path in PAGES] + [
        ann.post("/sign-in", email=DEMO_EMAIL, password=password + "!"),
        ann.post("/checkout", **CARD),
    ]
    for page in pages:
        for secret in (password, "4242424242424242", "4242 4242 4242 4242"):
            assert secret not in text(page)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", "/a/../b"])
def test_signing_in_leads_nowhere_else(shop: DemoShop, guest: Browser, target: str) -> None:
    password = shop.demo_secrets()["SHOP_PASSWORD"]
    guest.post("/sign-in", email=DEMO_EMAIL, password=password, next=target)
    assert guest.path == "/account"


def test_one_visitor_does_not_see_anothers_cart(shop: DemoShop, guest: Browser) -> None:
    fill_cart(guest)
    assert "Assam Gold" in text(guest.get("/cart"))
    assert "Your cart is empty" in text(Browser(shop).get("/cart"))


def test_a_made_up_cookie_opens_nothing(shop: DemoShop) -> None:
    request = Request("GET", "/account", headers={"cookie": f"{COOKIE}=made-up; broken=\x01"})
    assert shop.answer(request).headers["Location"] == "/sign-in?next=/account"


def test_visits_that_nobody_comes_back_for_are_forgotten() -> None:
    visits = Visits()
    first, _ = visits.begin()
    for _ in range(MOST_VISITS):
        visits.begin()
    assert visits.find(first) is None


# ---- cart and checkout


def test_a_cart_is_added_up(guest: Browser) -> None:
    fill_cart(guest)
    assert 'id="total">€76.00<' in text(guest.get("/cart"))
    guest.post("/cart/update", line="assam-gold:250g", quantity="1")
    assert 'id="total">€42.90<' in text(guest.get("/cart"))
    guest.post("/cart/voucher", voucher="slowtea")
    assert 'id="total">€39.10<' in text(guest.get("/cart"))
    guest.post("/cart/update", line="assam-gold:250g", quantity="0")
    assert "Your cart is empty" in text(guest.get("/cart"))


@pytest.mark.parametrize(
    "form",
    [
        {"product": "nothing", "option": "50g"},
        {"product": "assam-gold", "option": "9kg"},
        {},
    ],
)
def test_what_is_not_sold_cannot_be_put_into_a_cart(guest: Browser, form: dict[str, str]) -> None:
    assert guest.post("/cart", **form).status == 404
    assert "Your cart is empty" in text(guest.get("/cart"))


def test_a_quantity_stays_between_one_and_nine(guest: Browser) -> None:
    for quantity in ("0", "-3", "lots", "5000"):
        guest.post("/cart", product="tray-oak", option="large", quantity=quantity)
    assert 'data-count="9"' in text(guest.get("/cart"))


def test_an_order_is_placed_and_can_be_looked_up(guest: Browser) -> None:
    fill_cart(guest)
    page = guest.post(
        "/checkout", name="Jo", city="Berlin", delivery="express", gift_note="Hi <Ann>", **CARD
    )
    assert guest.path == "/orders/LK-1001?new=yes"
    assert "Thank you!" in text(page)
    assert 'id="total">€85.90<' in text(page)
    assert "card ending in 4242" in text(page)
    assert "Hi &lt;Ann&gt;" in text(page)
    assert "LK-1001" in text(guest.get("/orders"))
    assert "Your cart is empty" in text(guest.get("/cart"))


@pytest.mark.parametrize(
    "form", [{**CARD, "cc_number": "4242 4242 4242 4241"}, {**CARD, "cc_number": "1"}, {}]
)
def test_a_card_that_fails_the_check_buys_nothing(guest: Browser, form: dict[str, str]) -> None:
    fill_cart(guest)
    assert guest.post("/checkout", **form).status == 422
    assert "Assam Gold" in text(guest.get("/cart"))


def test_ann_sees_her_old_orders_and_a_guest_does_not(ann: Browser, guest: Browser) -> None:
    assert ann.get("/orders/LK-0981").status == 200
    assert guest.get("/orders/LK-0981").status == 404


def test_prices_are_written_in_euro() -> None:
    assert [euro(cents) for cents in (0, 5, 950, 123456)] == ["€0.00", "€0.05", "€9.50", "€1234.56"]


# ---- the slow stock room


def test_the_stock_level_arrives_late() -> None:
    shop = DemoShop(stock_seconds=0.3)
    before = time.monotonic()
    answer = Browser(shop).get("/api/stock/assam-gold")
    assert time.monotonic() - before >= 0.3
    assert json.loads(answer.body) == {"level": 42, "text": "42 in stock"}


def test_a_slow_answer_does_not_hold_up_the_stop() -> None:
    with DemoShop(stock_seconds=30) as shop:
        before = time.monotonic()
        shop.stop()
        assert time.monotonic() - before < 1


# ---- the package


def test_everything_is_found_beside_the_module_and_not_by_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    package = Path(checkpoint_assets.__file__).parent
    assert DemoShop().root.is_relative_to(package)
    assert TEMPLATES.is_relative_to(package)
    assert Browser(DemoShop()).get("/shop.css").status == 200


def test_a_wheel_leaves_no_file_of_the_shop_out() -> None:
    # Git ignores and hatchling's defaults leave out hidden files and caches, nothing else.
    for path in DemoShop().root.rglob("*"):
        assert not path.name.startswith(".")
        assert path.is_dir() or path.suffix in {".css", ".js", ".svg"}


def test_the_table_of_routes_in_the_docstring_is_true() -> None:
    source = Path(checkpoint_assets.__file__).parent / "testing" / "demo_shop_site.py"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    shop = DemoShop()
    named = re.findall(r"``(/[^`]*)``  ", docstring)
    assert len(named) >= 8
    for row in named:
        for path in row.replace("{id}", "assam-gold").split(", "):
            assert shop.respond(Request("GET", path)) is not None, path


# ---- scenarios


def test_the_scenarios_are_many_and_use_the_shop() -> None:
    assert len(SCENARIOS) >= 6
    assert sum(len(scenario.steps) for scenario in SCENARIOS) >= 40
    assert {scenario.site for scenario in SCENARIOS} == {"demo"}
    assert not [warning for scenario in SCENARIOS for warning in scenario.warnings()]


def test_the_scenarios_use_most_kinds_of_steps() -> None:
    used = {step.kind for scenario in SCENARIOS for step in scenario.steps}
    assert used >= {
        *("goto", "fill", "click", "press", "select", "check", "uncheck", "hover", "scroll"),
        *("wait_for", "expect"),
    }


def test_the_shop_provides_every_secret_that_its_scenarios_name(shop: DemoShop) -> None:
    named = {name for scenario in SCENARIOS for name in scenario.secret_names()}
    assert "SHOP_PASSWORD" in named
    assert named == shop.demo_secrets().keys()


def test_scenarios_open_pages_that_are_there(ann: Browser) -> None:
    fill_cart(ann)
    for scenario in SCENARIOS:
        for step in scenario.steps:
            if isinstance(step, Goto):
                assert ann.get(step.url).status == 200


# ---- in a real browser


@pytest.fixture
def served() -> Iterator[DemoShop]:
    with DemoShop() as running:
        yield running


@pytest.fixture
async def page(served: DemoShop) -> AsyncIterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        context = await browser.new_context(
            base_url=served.url, viewport={"width": 1280, "height": 800}
        )
        yield await context.new_page()
        await browser.close()


@pytest.mark.browser
async def test_pages_have_no_errors_nothing_foreign_and_fit_both_widths(
    page: Page, served: DemoShop
) -> None:
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: said.type == "error" and problems.append(said.text))
    page.on("request", lambda r: r.url.startswith(served.url) or problems.append(r.url))
    for path in PAGES:
        if path.startswith("/orders/"):
            continue  # Ann's alone
        await page.goto(path)
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 800})
            too_wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert too_wide <= 0, (path, width)
    # The frames of pages are pages, too; a data: picture is no request to anyone.
    assert [problem for problem in problems if not problem.startswith("data:")] == []


@pytest.mark.browser
async def test_a_product_page_has_late_stock_a_drawn_chart_and_a_frame(page: Page) -> None:
    await page.goto("/product/assam-gold", wait_until="domcontentloaded")
    await expect(page.locator("#stock")).to_have_attribute("data-state", "waiting")
    await expect(page.locator("#stock")).to_contain_text("42 in stock")
    drawn = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    assert await page.locator("#price-chart").evaluate(drawn)
    await expect(page.frame_locator("#reviews").locator(".review")).to_have_count(3)


@pytest.mark.browser
async def test_one_shadow_root_is_open_and_one_is_closed(page: Page, served: DemoShop) -> None:
    await page.goto("/product/matcha-stone")
    await page.fill("brew-calculator #cups", "5")
    await expect(page.locator("brew-calculator #water")).to_have_text("1250 ml")
    sheets = "element => element.shadowRoot.adoptedStyleSheets.length"
    assert await page.locator("brew-calculator").evaluate(sheets) == 2
    await page.click("#add-to-cart")
    await expect(page.locator(".toast")).to_be_visible()
    await page.goto("/checkout")
    assert await page.locator("gift-note").evaluate("element => element.shadowRoot") is None
    await page.locator("gift-note").focus()
    await page.keyboard.type("For you")
    typed = "new FormData(document.querySelector('#checkout')).get('gift_note')"
    assert await page.evaluate(typed) == "For you"


@pytest.mark.browser
async def test_dialog_popover_and_clock_are_alive(page: Page) -> None:
    await page.goto("/")
    await page.click('[data-quick-look="mug-harbour"]')
    assert await page.locator("#quick-look").evaluate("dialog => dialog.matches(':modal')")
    await page.goto("/product/kyusu-clay")
    await page.click("#delivery-info")
    assert await page.locator("#delivery").evaluate("box => box.matches(':popover-open')")
    await page.goto("/workshop")
    shown = await page.locator("#clock").inner_text()
    await expect(page.locator("#clock")).not_to_have_text(shown)


@pytest.mark.browser
async def test_pictures_below_the_fold_load_when_they_are_reached(page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.goto("/")
    picture = page.locator('img[alt^="A steaming cup"]')
    assert await picture.evaluate("image => [image.loading, image.complete]") == ["lazy", False]
    await picture.scroll_into_view_if_needed()
    await page.wait_for_function("image => image.complete", arg=await picture.element_handle())
