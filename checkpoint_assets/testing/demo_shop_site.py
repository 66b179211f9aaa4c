"""A small web shop of our own, to try a capture on: ``with DemoShop() as shop: shop.url``.

======================  =========================================================================
``/``                   front page: lazy images, quick-look dialog, newsletter form, animation
``/search``             results for ``q``, ``kind``, ``most``, ``in_stock``, ``sort``
``/product/{id}``       stock level that arrives late, price chart on a canvas, reviews in a frame,
                        dialog, popover, details, an open shadow root (``brew-calculator``)
``/cart``               quantities, a voucher, a dialog that asks before it empties the cart
``/checkout``           address and card fields, a private field, a closed shadow root
                        (``gift-note``)
``/sign-in``            e-mail and password
``/account, /orders``   for signed-in visitors
``/workshop``           a clock that ticks, a map in a frame, every kind of form control
======================  =========================================================================

All content is fixed, but for the clock. A visitor's cart, orders and sign-in belong to a session
cookie and are gone when the site stops.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from checkpoint_assets.testing.demo_shop import pages
from checkpoint_assets.testing.demo_shop.goods import SORTS, Goods, Product, euro
from checkpoint_assets.testing.demo_shop.visits import COOKIE, Line, Visit, Visits, describe
from checkpoint_assets.testing.web_server import HTML, LocalSite, Request, Response

DEMO_EMAIL = "ann@example.com"
# Made up and public: a scenario names them, the shop's own run provides them. The old password is
# one that is refused.
DEMO_SECRETS = {
    "SHOP_PASSWORD": "correct-horse-7",
    "SHOP_OLD_PASSWORD": "tired-horse-6",
    "SHOP_CARD_NUMBER": "4242424242424242",
    "SHOP_CARD_CODE": "737",
    "SHOP_DOOR_CODE": "4711#",
    "SHOP_PHONE": "+49 30 5550199",
}
HIGHEST_PRICE = 80


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request, who it comes from, and the name that its path ends with."""

    request: Request
    visit: Visit
    name: str = ""


_Handler = Callable[[Any, _Ask], Response]
_routes: list[tuple[str, re.Pattern[str], _Handler]] = []


def _route(method: str, path: str) -> Callable[[_Handler], _Handler]:
    """Answer such requests with the handler; a group in ``path`` becomes the ask's ``name``."""

    def register(handler: _Handler) -> _Handler:
        _routes.append((method, re.compile(path), handler))
        return handler

    return register


class DemoShop(LocalSite):
    """The shop; ``stock_seconds`` is how long the stock room takes to answer."""

    def __init__(self, *, port: int = 0, stock_seconds: float = 0.6) -> None:
        super().__init__(Path(__file__).parent / "demo_shop" / "public", name="demo", port=port)
        self.goods = Goods()
        self._stock_seconds = stock_seconds
        self._visits = Visits()

    def demo_secrets(self) -> dict[str, str]:
        return dict(DEMO_SECRETS)

    def respond(self, request: Request) -> Response | None:
        method = "GET" if request.method == "HEAD" else request.method
        for route_method, pattern, handler in _routes:
            match = pattern.fullmatch(request.path)
            if match and method == route_method:
                return self._with_visit(request, handler, "".join(match.groups()))
        return None

    def not_found(self, request: Request) -> Response:
        return self._with_visit(request, DemoShop._missing)

    def _with_visit(self, request: Request, handler: _Handler, name: str = "") -> Response:
        visit = self._visits.find(request.cookies().get(COOKIE, ""))
        if visit is not None:
            return handler(self, _Ask(request, visit, name))
        token, visit = self._visits.begin()
        response = handler(self, _Ask(request, visit, name))
        cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax"
        headers = {**response.headers, "Set-Cookie": cookie}
        return Response(response.status, response.body, response.media_type, headers)

    def _missing(self, ask: _Ask) -> Response:
        return Response(HTTPStatus.NOT_FOUND, pages.not_found(ask.visit))

    @_route("GET", "/")
    def _home(self, ask: _Ask) -> Response:
        return Response(body=pages.home(ask.visit, self.goods))

    @_route("GET", "/search")
    def _search(self, ask: _Ask) -> Response:
        query = ask.request.query
        words, kind = query.get("q", "").strip()[:100], query.get("kind", "")
        most = min(max(_whole(query.get("most", ""), HIGHEST_PRICE), 0), HIGHEST_PRICE)
        in_stock = query.get("in_stock") == "yes"
        sort = query["sort"] if query.get("sort") in SORTS else "favourites"
        found = self.goods.search(
            words,
            kind=kind,
            most=most * 100 if most < HIGHEST_PRICE else None,
            in_stock=in_stock,
            sort=sort,
        )
        body = pages.search(
            ask.visit, found, words=words, kind=kind, most=most, in_stock=in_stock, sort=sort
        )
        return Response(body=body)

    @_route("GET", "/api/suggest")
    def _suggest(self, ask: _Ask) -> Response:
        words = ask.request.query.get("q", "").strip()
        found = self.goods.search(words)[:5] if words else []
        return _json(
            [{"id": item.id, "name": item.name, "price": euro(item.cents)} for item in found]
        )

    @_route("GET", "/product/([a-z-]+)")
    def _product(self, ask: _Ask) -> Response:
        item = self.goods.products.get(ask.name)
        if item is None:
            return self._missing(ask)
        return Response(body=pages.product(ask.visit, self.goods, item))

    @_route("GET", "/api/product/([a-z-]+)")
    def _product_facts(self, ask: _Ask) -> Response:
        item = self.goods.products.get(ask.name)
        if item is None:
            return _json({"error": "no such product"}, HTTPStatus.NOT_FOUND)
        return _json(
            {"id": item.id, "name": item.name, "text": item.description, "price": euro(item.cents)}
        )

    @_route("GET", "/api/stock/([a-z-]+)")
    def _stock(self, ask: _Ask) -> Response:
        item = self.goods.products.get(ask.name)
        if item is None:
            return _json({"error": "no such product"}, HTTPStatus.NOT_FOUND)
        self.pause(self._stock_seconds)
        return _json({"level": item.stock, "text": _stock_text(item)})

    @_route("GET", "/reviews/([a-z-]+)")
    def _reviews(self, ask: _Ask) -> Response:
        item = self.goods.products.get(ask.name)
        if item is None:
            return self._missing(ask)
        return Response(body=pages.reviews(self.goods, item))

    @_route("GET", "/cart")
    def _cart(self, ask: _Ask) -> Response:
        return Response(body=pages.cart(ask.visit))

    @_route("POST", "/cart")
    def _add_to_cart(self, ask: _Ask) -> Response:
        form = ask.request.form()
        item = self.goods.products.get(form.get("product", ""))
        option = item.option(form.get("option", "")) if item else None
        if item is None or option is None:
            return self._missing(ask)
        line = Line(item, option, min(max(_whole(form.get("quantity", ""), 1), 1), 9))
        ask.visit.put(line)
        if "application/json" not in ask.request.headers.get("accept", ""):
            return Response.redirect("/cart")
        return _json({"count": ask.visit.count, "added": describe(line)})

    @_route("POST", "/cart/update")
    def _update_cart(self, ask: _Ask) -> Response:
        form = ask.request.form()
        ask.visit.change(form.get("line", ""), _whole(form.get("quantity", ""), 1))
        return Response.redirect("/cart")

    @_route("POST", "/cart/empty")
    def _empty_cart(self, ask: _Ask) -> Response:
        ask.visit.lines.clear()
        return Response.redirect("/cart")

    @_route("POST", "/cart/voucher")
    def _voucher(self, ask: _Ask) -> Response:
        ask.visit.voucher = ask.request.form().get("voucher", "").strip().upper()[:20]
        return Response.redirect("/cart")

    @_route("GET", "/checkout")
    def _checkout(self, ask: _Ask) -> Response:
        if not ask.visit.lines:
            return Response.redirect("/cart")
        return Response(body=pages.checkout(ask.visit))

    @_route("POST", "/checkout")
    def _pay(self, ask: _Ask) -> Response:
        if not ask.visit.lines:
            return Response.redirect("/cart")
        form = ask.request.form()
        card = re.sub(r"\s", "", form.get("cc_number", ""))
        if not _is_card_number(card) or form.get("terms") != "yes":
            problem = "That card number does not look right." if form.get("terms") else "The terms?"
            return Response(HTTPStatus.UNPROCESSABLE_ENTITY, pages.checkout(ask.visit, problem))
        place = f"{form.get('postcode', '')} {form.get('city', '')}"
        address = [form.get("name", ""), form.get("street", ""), place, form.get("country", "")]
        order = ask.visit.order(
            delivery=form.get("delivery", "standard"),
            address=", ".join(address),
            card=card,
            gift_note=form.get("gift_note", "").strip(),
        )
        return Response.redirect(f"/orders/{order.number}?new=yes")

    @_route("GET", "/sign-in")
    def _sign_in(self, ask: _Ask) -> Response:
        return Response(
            body=pages.sign_in(ask.visit, target=_own_page(ask.request.query.get("next", "")))
        )

    @_route("POST", "/sign-in")
    def _check_password(self, ask: _Ask) -> Response:
        form = ask.request.form()
        email, target = form.get("email", "").strip(), _own_page(form.get("next", ""))
        password = form.get("password", "").encode()
        right = hmac.compare_digest(password, DEMO_SECRETS["SHOP_PASSWORD"].encode())
        if email.lower() != DEMO_EMAIL or not right:
            problem = "That e-mail and password do not go together."
            body = pages.sign_in(ask.visit, target=target, email=email, problem=problem)
            return Response(HTTPStatus.FORBIDDEN, body)
        ask.visit.signed_in = True
        return Response.redirect(target)

    @_route("POST", "/sign-out")
    def _sign_out(self, ask: _Ask) -> Response:
        ask.visit.signed_in = False
        return Response.redirect("/")

    @_route("GET", "/account")
    def _account(self, ask: _Ask) -> Response:
        if not ask.visit.signed_in:
            return Response.redirect("/sign-in?next=/account")
        note = "Saved. Thank you, we will remember." if ask.request.query.get("saved") else ""
        return Response(body=pages.account(ask.visit, self.goods, note))

    @_route("POST", "/account")
    def _save_account(self, ask: _Ask) -> Response:
        if not ask.visit.signed_in:
            return Response.redirect("/sign-in?next=/account")
        form = ask.request.form()
        ask.visit.name = form.get("name", "").strip()[:60] or ask.visit.name
        ask.visit.letters = form.get("letters") == "yes"
        if form.get("favourite") in self.goods.products:
            ask.visit.favourite = form["favourite"]
        return Response.redirect("/account?saved=yes")

    @_route("GET", "/orders")
    def _orders(self, ask: _Ask) -> Response:
        if not (ask.visit.signed_in or ask.visit.orders):
            return Response.redirect("/sign-in?next=/orders")
        return Response(body=pages.orders(ask.visit, self.goods))

    @_route("GET", "/orders/(LK-[0-9]{4})")
    def _order(self, ask: _Ask) -> Response:
        known = {order.number: order for order in pages.orders_of(ask.visit, self.goods)}
        if ask.name not in known:
            return self._missing(ask)
        is_new = ask.request.query.get("new") == "yes"
        return Response(body=pages.order(ask.visit, known[ask.name], is_new=is_new))

    @_route("POST", "/letter")
    def _letter(self, ask: _Ask) -> Response:
        return Response.redirect("/#letter")

    @_route("GET", "/workshop")
    def _workshop(self, ask: _Ask) -> Response:
        return Response(body=pages.workshop(ask.visit))

    @_route("GET", "/map")
    def _map(self, ask: _Ask) -> Response:
        return Response(body=pages.render("map").encode(), media_type=HTML)


def _whole(text: str, otherwise: int) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,4}", text) else otherwise


def _own_page(target: str) -> str:
    # Only a path of this site: "//elsewhere" would lead away.
    return target if re.fullmatch(r"/[a-z]+", target) else "/account"


def _is_card_number(digits: str) -> bool:
    """Whether the Luhn check (ISO/IEC 7812-1) holds."""
    if not re.fullmatch(r"[0-9]{13,19}", digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(sum(divmod(number, 10)) for number in doubled) % 10 == 0


def _stock_text(item: Product) -> str:
    if item.stock == 0:
        return "Sold out, back in two weeks"
    return f"Only {item.stock} left" if item.stock < 10 else f"{item.stock} in stock"


def _json(value: Any, status: int = HTTPStatus.OK) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode()
    return Response(status, body, "application/json")
