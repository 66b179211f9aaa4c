"""What the demo shop sells, read from ``products.json`` beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

FOLDER = Path(__file__).parent

KINDS = {"tea": "Tea", "pots": "Pots and kettles", "cups": "Cups and mugs", "tools": "Tools"}
Sort = Literal["favourites", "price", "price-down", "name"]
SORTS: dict[Sort, str] = {
    "favourites": "Favourites first",
    "price": "Price, low to high",
    "price-down": "Price, high to low",
    "name": "Name",
}


class Brewing(TypedDict):
    """How to brew a tea: water in degrees Celsius, grams for 250 ml, minutes."""

    celsius: int
    grams: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Option:
    """One way to buy a product, and its price in euro cents."""

    value: str
    label: str
    cents: int


@dataclass(frozen=True, slots=True)
class Product:
    """One product; ``history`` is its price in cents over the last twelve months."""

    id: str
    name: str
    kind: str
    tagline: str
    description: str
    options: tuple[Option, ...]
    stock: int
    rating: float
    reviews: int
    origin: str
    brew: Brewing | None
    badge: str | None
    history: tuple[int, ...]

    @property
    def cents(self) -> int:
        """The price of the first option."""
        return self.options[0].cents

    def option(self, value: str) -> Option | None:
        """The option of that name, if there is one."""
        return next((option for option in self.options if option.value == value), None)


@dataclass(frozen=True, slots=True)
class Review:
    """What a customer wrote about products of one kind."""

    author: str
    stars: int
    title: str
    text: str
    date: str


def _product(data: dict[str, Any]) -> Product:
    options = tuple(Option(**option) for option in data["options"])
    fields: dict[str, Any] = {**data, "options": options, "history": tuple(data["history"])}
    return Product(**fields)


class Goods:
    """All products and reviews, in the order of the shelf."""

    def __init__(self) -> None:
        data = json.loads((FOLDER / "products.json").read_text(encoding="utf-8"))
        self.products = {item["id"]: _product(item) for item in data["products"]}
        self._reviews = {
            kind: tuple(Review(**review) for review in reviews)
            for kind, reviews in data["reviews"].items()
        }

    def reviews(self, product: Product) -> tuple[Review, ...]:
        """The newest reviews of the product."""
        return self._reviews[product.kind]

    def favourites(self, count: int) -> list[Product]:
        """The products with the most reviews."""
        return sorted(self.products.values(), key=lambda product: -product.reviews)[:count]

    def related(self, product: Product, count: int) -> list[Product]:
        """Products to go with this one: those of other kinds come first."""
        others = [other for other in self.products.values() if other.id != product.id]
        return sorted(others, key=lambda other: (other.kind == product.kind, -other.reviews))[
            :count
        ]

    def search(
        self,
        words: str = "",
        *,
        kind: str = "",
        most: int | None = None,
        in_stock: bool = False,
        sort: str = "favourites",
    ) -> list[Product]:
        """The products whose name, kind, tagline or origin has every word, sorted.

        ``most`` is the highest price in cents.
        """
        found = [
            product
            for product in self.products.values()
            if kind in ("", product.kind)
            and (most is None or product.cents <= most)
            and (product.stock > 0 or not in_stock)
            and all(word in _text(product) for word in words.lower().split())
        ]
        if sort == "name":
            found.sort(key=lambda product: product.name)
        elif sort in ("price", "price-down"):
            found.sort(key=lambda product: product.cents, reverse=sort == "price-down")
        else:
            found.sort(key=lambda product: -product.reviews)
        return found


def _text(product: Product) -> str:
    parts = (product.name, KINDS[product.kind], product.tagline, product.origin)
    return " ".join(parts).lower()


def euro(cents: int) -> str:
    """``€9.50``."""
    return f"€{cents // 100}.{cents % 100:02d}"
