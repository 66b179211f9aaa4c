"""Visitors of the demo shop: one cart, one set of orders and one sign-in per session cookie."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from checkpoint_assets.testing.demo_shop.goods import Goods, Option, Product, euro

COOKIE = "leaf-and-kiln"
LARGEST_QUANTITY = 9
# The demo site may run for weeks under `make dev`; carts that nobody came back for are let go.
MOST_VISITS = 1000
VOUCHER = "SLOWTEA"
FREE_DELIVERY_FROM = 4000
STANDARD_DELIVERY = 490
EXPRESS_DELIVERY = 990


@dataclass(frozen=True, slots=True)
class Line:
    """A product in a cart or an order."""

    product: Product
    option: Option
    quantity: int

    @property
    def id(self) -> str:
        """Names the line in forms: ``assam-gold:50g``."""
        return f"{self.product.id}:{self.option.value}"

    @property
    def cents(self) -> int:
        """The price of the whole line."""
        return self.option.cents * self.quantity


@dataclass(frozen=True, slots=True)
class Sums:
    """What lines cost together, in cents."""

    goods: int
    discount: int
    delivery: int

    @property
    def total(self) -> int:
        """What there is to pay."""
        return self.goods - self.discount + self.delivery


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was placed; of the card only its last four digits are kept."""

    number: str
    date: str
    state: str
    lines: tuple[Line, ...]
    sums: Sums
    address: str
    card: str
    gift_note: str = ""


@dataclass
class Visit:
    """What the shop knows about one browser."""

    signed_in: bool = False
    name: str = "Ann Example"
    favourite: str = "assam-gold"
    letters: bool = True
    voucher: str = ""
    lines: dict[str, Line] = field(default_factory=dict[str, Line])
    orders: list[Order] = field(default_factory=list[Order])

    def put(self, line: Line) -> None:
        """Add the line to the cart, up to nine of one kind."""
        known = self.lines.get(line.id)
        quantity = line.quantity + (known.quantity if known else 0)
        self.lines[line.id] = Line(line.product, line.option, min(quantity, LARGEST_QUANTITY))

    def change(self, line_id: str, quantity: int) -> None:
        """Set a line's quantity; none removes it. A line that is not there stays away."""
        line = self.lines.get(line_id)
        if line is None:
            return
        if quantity < 1:
            del self.lines[line_id]
        else:
            self.lines[line_id] = Line(line.product, line.option, min(quantity, LARGEST_QUANTITY))

    @property
    def count(self) -> int:
        """How many things are in the cart."""
        return sum(line.quantity for line in self.lines.values())

    def sums(self, delivery: str = "standard") -> Sums:
        """What the cart costs, with the voucher and the way of delivery taken into account."""
        goods = sum(line.cents for line in self.lines.values())
        discount = goods // 10 if self.voucher == VOUCHER else 0
        if delivery == "express":
            return Sums(goods, discount, EXPRESS_DELIVERY)
        free = goods == 0 or goods - discount >= FREE_DELIVERY_FROM
        return Sums(goods, discount, 0 if free else STANDARD_DELIVERY)

    def order(self, *, delivery: str, address: str, card: str, gift_note: str) -> Order:
        """Turn the cart into an order. Numbers count up from LK-1001 in every session."""
        order = Order(
            number=f"LK-{1001 + len(self.orders)}",
            date="today",
            state="It leaves the studio this afternoon.",
            lines=tuple(self.lines.values()),
            sums=self.sums(delivery),
            address=address,
            card=f"card ending in {card[-4:]}",
            gift_note=gift_note,
        )
        self.orders.insert(0, order)
        self.lines.clear()
        self.voucher = ""
        return order


class Visits:
    """All visits by their cookie, the longest unseen ones forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def find(self, token: str) -> Visit | None:
        """The visit that the cookie belongs to."""
        with self._lock:
            if token in self._visits:
                self._visits.move_to_end(token)
            return self._visits.get(token)

    def begin(self) -> tuple[str, Visit]:
        """A new visit and its cookie."""
        token, visit = secrets.token_urlsafe(16), Visit()
        with self._lock:
            self._visits[token] = visit
            while len(self._visits) > MOST_VISITS:
                self._visits.popitem(last=False)
        return token, visit


def past_orders(goods: Goods) -> list[Order]:
    """What Ann ordered long ago."""

    def order(number: str, date: str, *items: tuple[str, int, int]) -> Order:
        lines = tuple(
            Line(goods.products[name], goods.products[name].options[option], quantity)
            for name, option, quantity in items
        )
        sums = Sums(sum(line.cents for line in lines), 0, 0)
        address = "Ann Example, 12 Garden Street, 10999 Berlin, Germany"
        return Order(number, date, "Delivered.", lines, sums, address, "card ending in 0005")

    return [
        order("LK-0981", "3 March 2026", ("matcha-stone", 0, 1), ("whisk-bamboo", 0, 1)),
        order("LK-0927", "12 January 2026", ("teapot-moss", 0, 1), ("cup-river", 1, 2)),
    ]


def describe(line: Line) -> str:
    """``2 × River Cup, Moss — €36.00``."""
    return f"{line.quantity} × {line.product.name}, {line.option.label} — {euro(line.cents)}"
