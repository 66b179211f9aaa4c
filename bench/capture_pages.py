"""The pages that captures are measured on, and what is done on them. All made by this file."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Page

from checkpoint_assets.testing.miniwob_site import MiniWobSite
from checkpoint_assets.testing.web_server import LocalSite, Request, Response

Act = Callable[[Page, int], Awaitable[None]]

_TODO = """<!doctype html><html lang=en><head><meta charset=utf-8><title>Todo</title><style>
body { font: 14px sans-serif; background: #f5f5f5; color: #444; margin: 0 }
main { width: 550px; margin: 60px auto; background: #fff; box-shadow: 0 2px 4px #0003 }
h1 { font-size: 60px; font-weight: 100; text-align: center; color: #b83f45 }
input#new { width: 100%; box-sizing: border-box; padding: 16px; font-size: 24px; border: 0 }
li { list-style: none; padding: 10px; border-bottom: 1px solid #eee } ul { padding: 0; margin: 0 }
</style></head><body><main><h1>todos</h1><input id=new placeholder="What is to be done?"><ul></ul>
<footer><span id=left>0</span> left</footer></main><script>
const list = document.querySelector("ul"), field = document.getElementById("new");
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const item = document.createElement("li");
  item.innerHTML = '<input type=checkbox> <label></label>';
  item.querySelector("label").textContent = field.value;
  list.prepend(item);
  while (list.children.length > 6) list.lastChild.remove();
  field.value = "";
  document.getElementById("left").textContent = list.children.length;
});
</script></body></html>"""

_COLOURS = ("#0d6efd", "#198754", "#ffc107", "#dc3545")


def _dashboard() -> str:
    """1,200 elements: cards, a table, charts of SVG, a form, a menu."""
    menu = "".join(f"<li><a href='#m{n}'><i class=dot></i> Section {n}</a></li>" for n in range(40))
    cards = "".join(
        f"<div class=card style='background:{_COLOURS[n % 4]}'><h3>{n * 137 % 9973}</h3>"
        f"<p>Measure {n}</p><a href='#c{n}'>More</a></div>"
        for n in range(8)
    )
    bars = "".join(
        f"<rect x={n * 9} y={n * 37 % 90} width=7 height={100 - n * 37 % 90} "
        f"fill='{_COLOURS[n % 4]}' />"
        for n in range(80)
    )
    rows = "".join(
        f"<tr><td>{n}</td><td>Customer {n}</td><td>{n * 7919 % 10007}.00</td>"
        f"<td><span class=badge>open</span></td><td><button>Edit</button></td></tr>"
        for n in range(125)
    )
    return f"""<!doctype html><html lang=en><head><meta charset=utf-8>
<title>Dashboard</title><style>
body {{ margin: 0; font: 14px sans-serif; display: grid; grid-template-columns: 220px 1fr }}
nav {{ background: #343a40; color: #c2c7d0 }} nav a {{ color: inherit; text-decoration: none }}
li {{ list-style: none; padding: 6px }} .dot {{ display: inline-block; width: 9px; height: 9px;
border-radius: 50%; background: #0dcaf0 }} #cards {{ display: grid; gap: 12px; padding: 12px;
grid-template-columns: repeat(4, 1fr) }} .card {{ color: #fff; border-radius: 6px; padding: 12px;
box-shadow: 0 1px 3px #0006; background-image: linear-gradient(#fff3, #0001) !important }}
table {{ width: 100%; border-collapse: collapse }} td {{ border-bottom: 1px solid #dee2e6;
padding: 8px }} .badge {{ background: #0d6efd; color: #fff; border-radius: 4px; padding: 2px 5px }}
.wide nav {{ display: none }} .wide {{ grid-template-columns: 0 1fr }}
</style></head><body><nav><button id=toggle>Menu</button><ul>{menu}</ul></nav><main>
<div id=cards>{cards}</div><svg width=760 height=110>{bars}</svg>
<form><input id=filter placeholder=Filter><select><option>All<option>Open</select></form>
<table><tbody>{rows}</tbody></table></main><script>
document.getElementById("filter").addEventListener("input", (event) => {{
  document.querySelector("tbody td").textContent = event.target.value;
}});
document.getElementById("toggle").onclick = () => document.body.classList.toggle("wide");
</script></body></html>"""


def _article() -> str:
    """10,000 elements and 1 MB."""
    words = "state session capture artifact lossless window retention catalogue moment picture"
    text = " ".join(words.split() * 2)
    parts = "".join(
        f"<section id=s{n}><h2>Part {n}</h2>"
        + "".join(
            f"<p>{text} <a href='/wiki/{n}-{m}' title='Article {n}-{m}'>link {m}</a> {text}"
            f"<sup><a href='#note{n}-{m}'>[{m}]</a></sup> <b>{n * m}</b> <i>{text}</i></p>"
            for m in range(9)
        )
        + "</section>"
        for n in range(180)
    )
    return f"""<!doctype html><html lang=en><head><meta charset=utf-8><title>Article</title><style>
body {{ font: 16px/1.5 serif; max-width: 60em; margin: auto }} a {{ color: #36c }}
</style></head><body><input id=find><h1>Article</h1>{parts}</body></html>"""


class BenchSite(LocalSite):
    """Serves the three pages."""

    def __init__(self) -> None:
        super().__init__(Path(__file__).parent / "nothing", name="bench")
        self._pages = {"/todo": _TODO, "/dashboard": _dashboard(), "/article": _article()}

    def respond(self, request: Request) -> Response | None:
        page = self._pages.get(request.path)
        return Response(body=page.encode()) if page else None


async def _todo(page: Page, number: int) -> None:
    await page.fill("#new", f"thing {number} to do")
    await page.press("#new", "Enter")


async def _use_dashboard(page: Page, number: int) -> None:
    if number % 2:
        await page.fill("#filter", f"customer {number}")
    else:
        await page.evaluate("scrollTo(0, 0)")
        await page.click("tbody button >> nth=3")


async def _read(page: Page, number: int) -> None:
    await page.fill("#find", f"part {number}")
    await page.mouse.wheel(0, 200)


async def _solve(page: Page, number: int) -> None:
    if await page.locator("#sync-task-cover").is_visible():
        await page.click("#sync-task-cover")
    boxes = page.locator("#area input[type=checkbox]")
    await boxes.nth(number % await boxes.count()).click()


@dataclass(frozen=True)
class Scene:
    """A page, and what is done on it in each step."""

    name: str
    url: str
    act: Act


def scenes(site: BenchSite, tasks: MiniWobSite) -> list[Scene]:
    return [
        Scene("small app", site.url + "/todo", _todo),
        Scene("dashboard, 1,200 elements", site.url + "/dashboard", _use_dashboard),
        Scene("article, 10,000 elements", site.url + "/article", _read),
        Scene("MiniWoB++", f"{tasks.url}/miniwob/click-checkboxes-large.html", _solve),
    ]
