"""Made-up sessions for the viewer: small pictures, small pages, everything a report can show."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from checkpoint_assets.storage.storage_manager import StorageManager

SESSION = "01a1fc90-3002-73bb-9561-d7a3f5fab6ba"
WIDTH, HEIGHT = 320, 200


def webp(color: str, mark: tuple[int, int, int, int] | None = None) -> bytes:
    """A picture of one colour, with a white box on it if one is asked for."""
    image = Image.new("RGB", (WIDTH, HEIGHT), color)
    if mark is not None:
        ImageDraw.Draw(image).rectangle(mark, "white")
    out = BytesIO()
    image.save(out, "WEBP", lossless=True, method=0)
    return out.getvalue()


def page_facts(**more: Any) -> dict[str, Any]:
    """What a capture says of a page."""
    return {
        "artifacts": ["action", "html", "metadata", "screenshot"],
        "title": "A shop",
        "url": "http://shop.example/",
        "viewport": {"width": WIDTH, "height": HEIGHT, "device_pixel_ratio": 1},
        "scroll": {"x": 0, "y": 0},
        "settle": {"ms": 20, "reason": "quiet"},
        "consistency": {"mutations": 0, "retries": 0},
        **more,
    }


def action(kind: str, **more: Any) -> dict[str, Any]:
    """What is written down of an action."""
    url = "http://shop.example/"
    return {
        "schema_version": 1,
        "kind": kind,
        "outcome": "ok",
        "url_before": url,
        "url_after": url,
        "started_at": "2026-11-21T05:24:31.000000Z",
        "milliseconds": {"act": 10, "settle": 30},
        **more,
    }


def html(body: str) -> str:
    return f"<!DOCTYPE html><html><head><title>A shop</title></head><body>{body}</body></html>"


async def store_shop(storage: StorageManager, session_id: str = SESSION) -> str:
    """Five steps: a page opens, a click, a fill that is masked, a failure, and no change."""
    click = {
        "selector": "#buy",
        "target": {
            "tag": "button",
            "text": "Buy",
            "attributes": {"id": "buy"},
            "box": {"x": 80, "y": 50, "width": 64, "height": 20},
        },
    }
    steps: list[tuple[str, str, bytes, dict[str, Any], dict[str, Any]]] = [
        ("0001-goto", "<h1>Teapots</h1><p>Green one</p>", webp("teal"), action("goto"), {}),
        (
            "0002-click",
            "<h1>Teapots</h1><p>In your cart</p>",
            webp("teal", (160, 100, 239, 149)),
            action("click", **click),
            {},
        ),
        (
            "0003-fill",
            "<h1>Checkout</h1><input value='********'>",
            webp("navy"),
            action("fill", selector="#card", value="********", secret="CARD"),
            {"redactions": [{"rule": "private", "count": 2}]},
        ),
        (
            "0004-click",
            "<h1>Checkout</h1><p>Sorry</p>",
            webp("maroon"),
            action(
                "click",
                selector="#pay",
                outcome="failed",
                error={"type": "ElementNotFound", "message": "nothing matches #pay"},
            ),
            {
                "console_errors": [{"text": "TypeError: pay is undefined"}],
                "failed_requests": [{"url": "http://shop.example/pay.js", "status": 500}],
                "consistency": {"mutations": 7, "retries": 1},
            },
        ),
        ("0005-expect", "<h1>Checkout</h1><p>Sorry</p>", webp("maroon"), action("expect"), {}),
    ]
    for step_id, body, picture, done, more in steps:
        await storage.store_step_data(
            session_id, step_id, html(body), picture, done, page_facts(**more)
        )
    await storage.close_session(
        session_id,
        manifest={"scenario": "shop", "seconds": 3.2, "started_at": "2026-11-21T05:24:30Z"},
    )
    return session_id


async def store_long(storage: StorageManager, steps: int, session_id: str = SESSION) -> str:
    """A session of many steps, as a scenario would make them."""
    batch = (
        {
            "session_id": session_id,
            "step_id": f"{number:04d}-fill",
            "html_content": html(f"<h1>Page {number // 10}</h1><p>Line {number}</p>"),
            "screenshot_bytes": webp("teal", (number, 10, number + 40, 60)),
            "action_data": action(
                "fill", selector=f"#checkout-form-field-{number}", value=f"value number {number}"
            ),
            "metadata": page_facts(
                url=f"http://shop.example/page/{number // 10}", title=f"Page {number // 10} of many"
            ),
        }
        for number in range(1, steps + 1)
    )
    (await storage.store_steps(batch)).raise_failures()
    await storage.close_session(session_id, manifest={"scenario": "long"})
    return session_id
