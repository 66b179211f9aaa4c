"""Captured steps made by hand."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageDraw

from checkpoint_assets.processing.captured_step import CapturedStep

SHOP = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cups</title>
<style>p { color: red }</style><script type="text/x-checkpoint-inert">alert(1)</script></head>
<body><header><a href="/">Home</a></header><main><h1>Cups</h1><p>Blue <b>cup</b>, 3 left.</p>
<form><label for="q">Search</label><input id="q" value="tea"><button>Go</button></form></main>
</body></html>"""


def drawn(
    draw: Callable[[ImageDraw.ImageDraw], object] = lambda _: None,
    size: tuple[int, int] = (320, 200),
    kind: str = "WEBP",
    **options: object,
) -> bytes:
    """A white picture with a dark bar on the left, and what is drawn on it."""
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, 40, size[1]), fill="black")
    draw(pen)
    out = BytesIO()
    image.save(out, kind, **(options or {"lossless": True}))
    return out.getvalue()


def step(html: str | None = None, screenshot: bytes | None = None, **more: object) -> CapturedStep:
    names = {"session_id": "s1", "step_id": "0001-goto", **more}
    return CapturedStep(html=html, screenshot=screenshot, **names)  # pyright: ignore[reportArgumentType]


def two_steps() -> CapturedStep:
    """A step that has everything, behind another one that is a little different."""
    before = step(SHOP, drawn())
    after = SHOP.replace("3 left", "2 left").replace("tea", "mugs")
    picture = drawn(lambda pen: pen.rectangle((100, 50, 140, 80), fill="blue"))
    return step(
        after, picture, step_id="0002-fill", metadata={"url": "http://x.example/"}, previous=before
    )
