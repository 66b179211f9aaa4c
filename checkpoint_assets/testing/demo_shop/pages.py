"""The pages of the demo shop, each a function from what is known to the bytes that are sent."""

from __future__ import annotations

import json
from collections.abc import Iterable

from checkpoint_assets.testing.demo_shop.goods import KINDS, SORTS, Goods, Product, euro
from checkpoint_assets.testing.demo_shop.rendering import NOTHING, Html, join, render, snippet
from checkpoint_assets.testing.demo_shop.visits import (
    LARGEST_QUANTITY,
    VOUCHER,
    Order,
    Sums,
    Visit,
    describe,
    past_orders,
)


def page(visit: Visit, name: str, title: str, main: Html, *, query: str = "") -> bytes:
    """A whole page around ``main``."""
    return render(
        "layout",
        page=name,
        title=title,
        main=main,
        query=query,
        account_url="/account" if visit.signed_in else "/sign-in",
        account_label="Ann" if visit.signed_in else "Sign in",
        cart_count=visit.count,
    ).encode()


def _stars(rating: float) -> str:
    full = round(rating)
    return "★" * full + "☆" * (5 - full)


def _about(product: Product) -> dict[str, object]:
    badge = snippet('<span class="badge">$text</span>', text=product.badge or "")
    return {
        "id": product.id,
        "name": product.name,
        "alt": f"{product.name}, drawn",
        "tagline": product.tagline,
        "price": euro(product.cents),
        "rating": product.rating,
        "reviews": product.reviews,
        "stars": _stars(product.rating),
        "badge": badge if product.badge else NOTHING,
    }


def _cards(products: Iterable[Product]) -> Html:
    return join(render("card", **_about(product)) for product in products)


def _options(choices: Iterable[tuple[str, str]], chosen: str) -> Html:
    return join(
        snippet(
            '<option value="$value"$selected>$label</option>',
            value=value,
            label=label,
            selected=Html(" selected") if value == chosen else NOTHING,
        )
        for value, label in choices
    )


def _problem(text: str) -> Html:
    return snippet('<p class="problem" role="alert">$text</p>', text=text) if text else NOTHING


def home(visit: Visit, goods: Goods) -> bytes:
    """The front page."""
    main = render("home", favourites=_cards(goods.favourites(8)), quick_look=render("quick-look"))
    return page(visit, "home", "Tea and tableware", main)


def search(
    visit: Visit,
    found: list[Product],
    *,
    words: str,
    kind: str,
    most: int,
    in_stock: bool,
    sort: str,
) -> bytes:
    """The products that were found, and the form that filters them."""
    heading = f"“{words}”" if words else KINDS.get(kind, "Everything on the shelf")
    kinds = join(
        snippet(
            '<label class="tick"><input type="radio" name="kind" value="$value"$checked>'
            " $label</label>",
            value=value,
            label=label,
            checked=Html(" checked") if value == kind else NOTHING,
        )
        for value, label in {"": "Everything", **KINDS}.items()
    )
    nothing = snippet(
        '<p class="empty" id="nothing">Nothing matches. Try fewer words, or '
        '<a href="/search">see everything</a>.</p>'
    )
    main = render(
        "search",
        query=words,
        kinds=kinds,
        most=most,
        in_stock=Html(" checked") if in_stock else NOTHING,
        sorts=_options(SORTS.items(), sort),
        heading=heading,
        count="1 product" if len(found) == 1 else f"{len(found)} products",
        cards=_cards(found),
        nothing=NOTHING if found else nothing,
        quick_look=render("quick-look"),
    )
    return page(visit, "search", heading, main, query=words)


def product(visit: Visit, goods: Goods, item: Product) -> bytes:
    """A product's page."""
    if item.brew:
        guide = {
            "guide_button": "How to brew",
            "guide_title": f"Brewing {item.name}",
            "guide": snippet(
                "<ol><li>Heat the water to <b>$celsius °C</b>.</li>"
                "<li>Take <b>$grams grams</b> for a cup of 250 ml.</li>"
                "<li>Wait <b>$wait</b>, and look out of the window.</li></ol>",
                celsius=item.brew["celsius"],
                grams=item.brew["grams"],
                wait="a minute" if item.brew["minutes"] == 1 else f"{item.brew['minutes']} minutes",
            ),
            "care_title": "How to keep it",
            "care": snippet("<p>Dry, dark and closed. It is at its best for a year.</p>"),
            "option_name": "Size",
            "widget": render("brewing", **item.brew),
        }
    else:
        guide = {
            "guide_button": "How to look after it",
            "guide_title": f"Looking after your {item.name}",
            "guide": snippet(
                "<ol><li>Rinse it with warm water before the first use.</li>"
                "<li>Wash it by hand, without soap where it is unglazed.</li>"
                "<li>Let it dry in the open.</li></ol>"
            ),
            "care_title": "Size and weight",
            "care": snippet("<p>Made by hand, so allow for five percent either way.</p>"),
            "option_name": "Version",
            "widget": render("making"),
        }
    options = join(
        snippet(
            '<option value="$value" data-price="$price">$label</option>',
            value=option.value,
            label=option.label,
            price=euro(option.cents),
        )
        for option in item.options
    )
    main = render(
        "product",
        **_about(item),
        **guide,
        kind=item.kind,
        kind_name=KINDS[item.kind],
        origin=item.origin,
        description=item.description,
        options=options,
        history=json.dumps(item.history),
        related=_cards(goods.related(item, 4)),
        quick_look=render("quick-look"),
    )
    return page(visit, "product", item.name, main)


def reviews(goods: Goods, item: Product) -> bytes:
    """What the product's page shows in its frame."""
    entries = (
        render(
            "review",
            author=review.author,
            stars_given=review.stars,
            stars=_stars(review.stars),
            title=review.title,
            text=review.text,
            date=review.date,
            helpful=12 - 4 * number,
        )
        for number, review in enumerate(goods.reviews(item))
    )
    return render(
        "reviews",
        name=item.name,
        rating=item.rating,
        stars=_stars(item.rating),
        reviews=item.reviews,
        list=join(entries),
    ).encode()


def _summary(sums: Sums) -> Html:
    discount = snippet("<div><dt>Voucher</dt><dd>−$cents</dd></div>", cents=euro(sums.discount))
    return render(
        "summary",
        goods=euro(sums.goods),
        discount=discount if sums.discount else NOTHING,
        delivery=euro(sums.delivery) if sums.delivery else "free",
        total=euro(sums.total),
    )


def cart(visit: Visit) -> bytes:
    """The cart, or a word about its emptiness."""
    if not visit.lines:
        return page(visit, "cart", "Cart", render("cart-empty"))
    lines = (
        render(
            "cart-line",
            line=line.id,
            id=line.product.id,
            name=line.product.name,
            option=line.option.label,
            each=euro(line.option.cents),
            quantities=_options(
                [(str(n), str(n)) for n in range(1, LARGEST_QUANTITY + 1)], str(line.quantity)
            ),
            total=euro(line.cents),
        )
        for line in visit.lines.values()
    )
    note = "Ten percent off. Enjoy." if visit.voucher == VOUCHER else "This code is not known."
    main = render(
        "cart",
        lines=join(lines),
        summary=_summary(visit.sums()),
        promo_open=Html(" open") if visit.voucher else NOTHING,
        voucher=visit.voucher,
        voucher_note=note if visit.voucher else "",
    )
    return page(visit, "cart", "Cart", main)


def _brief(lines: Iterable[object]) -> Html:
    return join(snippet("<li>$line</li>", line=line) for line in lines)


def checkout(visit: Visit, problem: str = "") -> bytes:
    """The form that asks for address and payment; filled in for Ann."""
    known = visit.signed_in
    sums = visit.sums()
    main = render(
        "checkout",
        problem=_problem(problem),
        email="ann@example.com" if known else "",
        name=visit.name if known else "",
        street="12 Garden Street" if known else "",
        postcode="10999" if known else "",
        city="Berlin" if known else "",
        standard_price=euro(sums.delivery) if sums.delivery else "free",
        items=_brief(describe(line) for line in visit.lines.values()),
        summary=_summary(sums),
        total=euro(sums.total),
    )
    return page(visit, "checkout", "Checkout", main)


def sign_in(visit: Visit, *, target: str, email: str = "", problem: str = "") -> bytes:
    """The sign-in form; the password is never filled in."""
    main = render("sign-in", next=target, email=email, problem=_problem(problem))
    return page(visit, "sign-in", "Sign in", main)


def _order_table(orders: list[Order]) -> Html:
    if not orders:
        return snippet('<p class="empty">Nothing yet.</p>')
    return join(
        snippet(
            '<a class="order" href="/orders/$number"><b>$number</b><span>$date</span>'
            "<span>$things</span><em>$total</em></a>",
            number=order.number,
            date=order.date,
            things=", ".join(line.product.name for line in order.lines),
            total=euro(order.sums.total),
        )
        for order in orders
    )


def orders_of(visit: Visit, goods: Goods) -> list[Order]:
    """The orders that this visitor may see: those of the visit, and Ann's if it is her."""
    return visit.orders + (past_orders(goods) if visit.signed_in else [])


def account(visit: Visit, goods: Goods, note: str = "") -> bytes:
    """Ann's own page."""
    teas = [(tea.id, tea.name) for tea in goods.search(kind="tea")]
    done = snippet('<p class="note" role="status" id="saved">$note</p>', note=note)
    main = render(
        "account",
        name=visit.name,
        note=done if note else NOTHING,
        favourites=_options(teas, visit.favourite),
        letters=Html(" checked") if visit.letters else NOTHING,
        orders=_order_table(orders_of(visit, goods)),
    )
    return page(visit, "account", "Account", main)


def orders(visit: Visit, goods: Goods) -> bytes:
    """All orders of the visitor."""
    main = render("orders", orders=_order_table(orders_of(visit, goods)))
    return page(visit, "orders", "Orders", main)


def order(visit: Visit, placed: Order, *, is_new: bool) -> bytes:
    """One order; right after checkout it says thank you."""
    gift = snippet(
        '<div><dt>In the box</dt><dd id="order-gift">$note</dd></div>', note=placed.gift_note
    )
    main = render(
        "order",
        heading="Thank you!" if is_new else "Your order",
        number=placed.number,
        date=placed.date,
        state=placed.state,
        items=_brief(describe(line) for line in placed.lines),
        summary=_summary(placed.sums),
        to=placed.address,
        card=placed.card,
        gift=gift if placed.gift_note else NOTHING,
    )
    return page(visit, "order", f"Order {placed.number}", main)


def workshop(visit: Visit) -> bytes:
    """The workshop: a clock, a map and a booking form."""
    return page(visit, "workshop", "Workshop", render("workshop"))


def not_found(visit: Visit) -> bytes:
    """What is shown where nothing is."""
    return page(visit, "not-found", "Not found", render("not-found"))
