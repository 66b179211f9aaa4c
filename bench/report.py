"""How soon a session report shows its first step: 200 steps with real-sized pages and pictures.

    .venv/bin/python bench/report.py [steps]

Prints, for each form of the report, its size and the time from the start of the navigation to the
first picture drawn, as Chromium's own clock says; the best and the worst of five.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.async_api import Browser, async_playwright

from checkpoint_assets.collection.browser.chromium import find_chromium, launch_arguments
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets.viewer.report import save_report, write_report
from checkpoint_assets.viewer.report_shell import report_shell
from checkpoint_assets.viewer.server import serve
from checkpoint_assets.viewer.session_view import read_session

SESSION = "01a1fc90-3002-73bb-9561-d7a3f5fab6ba"
RUNS = 5
DRAWN = """() => {
  const image = document.querySelector("#view-picture img");
  return image && image.complete && image.naturalWidth ? performance.now() : 0;
}"""


def picture(number: int) -> bytes:
    """A page of text and boxes, 1280 x 800; lossless, some 150 kB."""
    chance = random.Random(number)
    image = Image.new("RGB", (1280, 800), "#fbf8f1")
    draw = ImageDraw.Draw(image)
    image.paste(Image.effect_noise((240, 240), 60).convert("RGB"), (40, 120))
    for row in range(36):
        words = " ".join("".join(chance.choices("aeinorst", k=6)) for _ in range(22))
        draw.text((320, 20 + 21 * row), words, fill="#1d2126")
    out = BytesIO()
    image.save(out, "WEBP", lossless=True, method=0)
    return out.getvalue()


def page(number: int) -> str:
    """About 40 kB of HTML, of which a part differs from step to step."""
    rows = "".join(
        f'<div class="row" data-number="{row}"><a href="/item/{row}">Item {row}</a>'
        f"<p>Some words about item {row}, as a shop would have them.</p></div>"
        for row in range(320)
    )
    return f"<!DOCTYPE html><html><body><h1>Step {number}</h1>{rows}</body></html>"


async def fill(storage: StorageManager, steps: int) -> None:
    facts = {
        "title": "A shop with many things",
        "url": "http://shop.example/items",
        "viewport": {"width": 1280, "height": 800, "device_pixel_ratio": 1},
    }
    batch = (
        {
            "session_id": SESSION,
            "step_id": f"{number:04d}-fill",
            "html_content": page(number),
            "screenshot_bytes": picture(number),
            "action_data": {"kind": "fill", "selector": f"#field-{number}", "value": "some text"},
            "metadata": facts,
        }
        for number in range(1, steps + 1)
    )
    (await storage.store_steps(batch)).raise_failures()
    await storage.close_session(SESSION, manifest={"scenario": "long"})


async def first_step(browser: Browser, url: str) -> list[float]:
    """Milliseconds to the first picture, of each run, in a fresh context."""
    took: list[float] = []
    for _ in range(RUNS):
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        tab = await context.new_page()
        await tab.goto(url, wait_until="commit")
        drawn = await tab.wait_for_function(DRAWN, polling="raf")
        took.append(float(await drawn.json_value()))
        await context.close()
    return sorted(took)


async def main(steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        storage = StorageManager((root / "store").as_uri())
        await fill(storage, steps)
        shell = report_shell(await read_session(storage, SESSION), "single")
        print(f"{steps} steps; {len(shell) / 1000:.1f} kB before the first picture")
        print(f"{'form':8} {'made in':>9} {'size':>10} {'first step, best':>17} {'worst':>9}")
        started = time.monotonic()
        single = await save_report(storage, SESSION, root / "report.html")
        made = {"single": time.monotonic() - started}
        started = time.monotonic()
        index = Path(await write_report(storage, SESSION, root / "report"))
        made["folder"] = time.monotonic() - started
        sizes = {
            "single": single.stat().st_size,
            "folder": sum(each.stat().st_size for each in index.parent.rglob("*.*")),
        }
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        server = asyncio.ensure_future(serve(storage, 0, started=address.set_result))
        urls = {"single": single.as_uri(), "folder": index.as_uri()}
        urls["served"] = f"{await address}sessions/{SESSION}/"
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=find_chromium(None), args=launch_arguments(())
            )
            for form, url in urls.items():
                took = await first_step(browser, url)
                size = f"{sizes[form] / 1e6:.1f} MB" if form in sizes else "-"
                seconds = f"{made[form]:.1f} s" if form in made else "-"
                print(f"{form:8} {seconds:>9} {size:>10} {took[0]:14.0f} ms {took[-1]:6.0f} ms")
            await browser.close()
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
