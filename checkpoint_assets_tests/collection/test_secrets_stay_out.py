"""What was typed into private fields is in no file of the store and in no event."""

from __future__ import annotations

import base64
import html
import json
import logging
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from checkpoint_assets.collection.scenario_file import parse_scenario
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.testing.demo_shop_site import DEMO_SECRETS
from checkpoint_assets_tests.collection.captures import Captures
from checkpoint_assets_tests.pages import Pages

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PASSWORD = """p&s<s> "w'rd"/ü+7"""
CARD = "4111 1111 1111 1111"
NOTE = "a note for nobody's eyes"


def spellings(secret: str) -> set[bytes]:
    """The forms in which a secret could lie in a file."""
    escaped = html.escape(secret)
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        escaped,
        html.escape(secret, quote=False),
        html.escape(secret, quote=False).replace('"', "&quot;"),
        html.escape(escaped),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"user:{secret}".encode()).decode(),
        quote(quote(secret, safe=""), safe=""),
        quote(html.escape(secret, quote=False), safe="!'()*-._~"),
    }
    return {text.encode() for text in texts}


def check_nowhere(captures: Captures, *secrets: str) -> None:
    files = captures.tree()
    assert files
    files["events"] = json.dumps([each.data for each in captures.told]).encode()
    files["plain events"] = str([each.data for each in captures.told]).encode()
    for secret in secrets:
        for spelling in spellings(secret):
            assert [name for name, content in files.items() if spelling in content] == []


# A page that repeats what is typed in every way it knows.
ECHO = """<!doctype html><title>t</title>
<input id=p type=password><input id=c autocomplete=cc-number><div data-private><input id=n></div>
<p id=out></p><iframe srcdoc="<p>x</p>"></iframe><x-a></x-a><x-b></x-b><canvas></canvas>
<object type=text/html data=/echo></object><iframe id=other src=OTHER/echo></iframe>
<button id=b>go</button><button id=d>ask</button><script>
const out = document.getElementById("out");
const closed = document.querySelector("x-b").attachShadow({ mode: "closed" });
const shadow = document.querySelector("x-a").attachShadow({ mode: "open" });
function tell(text) {
  const encoded = encodeURIComponent(text);
  document.title = text;
  out.textContent = text;
  out.setAttribute("data-typed", text);
  out.append(document.createComment(text));
  shadow.innerHTML = "<i></i>";
  shadow.firstChild.textContent = text;
  closed.innerHTML = "<input>";
  closed.firstChild.value = closed.firstChild.title = text;
  document.querySelector("object").contentDocument.body.textContent = text;
  document.getElementById("other").contentWindow.postMessage(text, "*");
  out.style.setProperty("--typed", JSON.stringify(text));
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`p::after { content: ${JSON.stringify(text)} }`);
  document.adoptedStyleSheets = [sheet];
  fetch("/missing", { headers: { authorization: "Basic " + btoa(unescape("user:" + encoded)) } });
  fetch("/missing?auth=" + btoa(unescape("user:" + encoded)));
  frames[0].document.body.textContent = text;
  frames[0].document.body.title = text;
  history.replaceState(null, "", `?typed=${encoded}#${encoded}`);
  console.error("typed " + text);
  console.error("typed " + JSON.stringify({ text }));
  fetch(`/missing?q=${encoded}`);
  fetch("http://127.0.0.1:2/" + btoa(unescape(encoded))).catch(() => {});
  const style = document.head.appendChild(document.createElement("style"));
  style.textContent = "/* " + text + " */";
  const script = document.head.appendChild(document.createElement("script"));
  script.type = "text/plain";
  script.textContent = JSON.stringify({ text });
  localStorage.typed = text;
  setTimeout(() => { throw new Error("typed " + text); });
}
for (const input of document.querySelectorAll("input")) {
  input.addEventListener("input", () => {
    input.setAttribute("value", input.value);
    input.setAttribute("data-value", input.value);
    tell(input.value);
  });
}
document.getElementById("d").onclick = () => alert(out.textContent);
</script>"""


# A frame of another site, or of another kind, that repeats what it is told.
ECHO_FRAME = """<!doctype html><body>x<x-a></x-a><script>
const closed = document.querySelector("x-a").attachShadow({ mode: "closed" });
onmessage = ({ data }) => { closed.textContent = document.body.title = data };
</script>"""


async def test_a_page_that_repeats_what_is_typed_gives_nothing_away(
    pages: Pages, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    pages.add(ECHO_FRAME, "/echo")
    url = pages.add(ECHO.replace("OTHER", pages.url.replace("127.0.0.1", "localhost")))
    environment = {"CHECKPOINT_SECRET_PASS": PASSWORD}
    async with Captures(tmp_path, pages, environment=environment) as captures:
        manifest = await captures.run(
            {"goto": url},
            {"fill": {"selector": "#p", "secret": "PASS"}},
            {"click": "#b"},
            {"click": "#d"},
            # Typed as plain text: what field it goes into is what makes it private.
            {"fill": {"selector": "#c", "text": CARD}},
            {"click": "#b"},
            {"fill": {"selector": "#n", "text": NOTE}},
            {"click": "#b"},
            {"expect": {"selector": "#out", "text": "something else", "timeout": 0.3}},
            collect={"full_page": True},
        )
    # Ended by an expectation whose message quotes the page.
    assert manifest.state is SessionState.INCOMPLETE
    assert "********" in (manifest.reason or "").partition("found")[2]
    assert len(manifest.steps) == 9
    check_nowhere(captures, PASSWORD, CARD, NOTE)
    log = caplog.text.encode()
    assert [each for each in (PASSWORD, CARD, NOTE) if any(s in log for s in spellings(each))] == []
    # The page did repeat it.
    told = captures.facts(manifest, 1)
    assert told["title"] == "********"
    assert "typed ********" in {each["text"] for each in told["console_errors"]}
    assert captures.html(manifest, 1).count("********") > 8
    assert captures.facts(manifest, 3)["dialogs"][0]["message"] == "********"


async def test_checking_out_in_the_shop_gives_nothing_away(pages: Pages, tmp_path: Path):
    scenario = parse_scenario("""\
name: checkout
site: demo
steps:
  - goto: /product/teapot-moss
  - click: "#add-to-cart"
  - wait_for: .toast
  - goto: /checkout
  - fill: {selector: "#door-code", secret: SHOP_DOOR_CODE}
  - fill: {selector: "#cc-number", secret: SHOP_CARD_NUMBER}
  - fill: {selector: "#cc-csc", secret: SHOP_CARD_CODE}
  - fill: {selector: "#cc-name", text: Ann Example}
""")
    async with Captures(tmp_path, pages) as captures:
        manifest = await captures.collector.capture_scenario(scenario)
    assert manifest.state is SessionState.COMPLETE
    check_nowhere(
        captures, *(DEMO_SECRETS[name] for name in ("SHOP_DOOR_CODE", "SHOP_CARD_NUMBER"))
    )
    # Too short to be looked for everywhere, and masked where it was typed.
    code = DEMO_SECRETS["SHOP_CARD_CODE"]
    assert f'value="{code}"' not in captures.html(manifest)
    assert captures.action(manifest, 6)["value"] == "********"
    assert "Ann Example" not in captures.html(manifest)


async def test_a_short_code_typed_as_text_is_masked_in_action_and_manifest(
    pages: Pages, tmp_path: Path
):
    url = pages.add("<input id=x autocomplete=cc-csc><input id=y>")
    async with Captures(tmp_path, pages) as captures:
        manifest = await captures.run(
            {"fill": {"selector": "#x", "text": "©7©"}},
            {"fill": {"selector": "#y", "text": "fine"}},
            {"press": {"selector": "#x", "key": "A"}},
            start_url=url,
        )
    assert manifest.state is SessionState.COMPLETE
    steps = manifest.metadata["scenario"]["steps"]
    assert steps[0]["fill"]["text"] == "********"
    assert steps[1]["fill"]["text"] == "fine"
    assert steps[2]["press"]["key"] == "********"
    assert captures.action(manifest)["value"] == "********"
    check_nowhere(captures, "©7©")


async def test_private_text_that_the_page_shows_gives_nothing_away(pages: Pages, tmp_path: Path):
    url = pages.add(
        "<main><p data-private title='tok-aa'>tok-bb</p><input name=api_token value='tok-cc'>"
        "<select data-private id=s><option>tok-dd<option>tok-ee</select><b>x</b></main>"
    )
    async with Captures(tmp_path, pages) as captures:
        manifest = await captures.run(
            {"goto": url},
            {"click": "main"},
            {"click": "p"},
            {"hover": "input"},
            {"select": {"selector": "#s", "value": "tok-ee"}},
        )
    assert manifest.state is SessionState.COMPLETE
    check_nowhere(captures, "tok-")


async def test_private_parts_of_urls_are_masked_everywhere(pages: Pages, tmp_path: Path):
    pages.add("<p>x<script>fetch('/gone?api_key=tok-bb&page=2')</script>", "/with-token")
    url = pages.url + "/with-token?token=tok-aa&page=1#access_token=tok-dd"
    async with Captures(tmp_path, pages) as captures:
        manifest = await captures.run({"goto": url})
    facts = captures.facts(manifest)
    assert facts["url"].endswith("/with-token?token=********&page=1#access_token=********")
    assert facts["failed_requests"][0]["url"].endswith("/gone?api_key=********&page=2")
    files = {name: each for name, each in captures.tree().items() if name.endswith(".json")}
    files["events"] = str([each.data for each in captures.told]).encode()
    assert [name for name, content in files.items() if b"tok-" in content] == []
