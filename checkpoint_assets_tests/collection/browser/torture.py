"""A page of everything that a page can hold, with a token in each that its script makes.

A token is ``tok-KIND-`` and a number that stands nowhere in the source: who has it in what was
stored has kept what the script made, not what the server sent.
"""

from __future__ import annotations

from checkpoint_assets.testing.web_server import Response
from checkpoint_assets_tests.pages import Pages

TOKEN = "const T = (kind) => `tok-${kind}-${6 * 7}`;"
END = "-42"

# Content, and how it gets its token. ``$`` is the one element with the kind as its id.
PARTS = {
    "text": ("<p id=$></p>", "$.textContent = T()"),
    "attribute": ("<p id=$></p>", "$.title = T()"),
    "comment": ("<p id=$></p>", "$.append(document.createComment(T()))"),
    "input": ("<input id=$>", "$.value = T()"),
    "textarea": ("<textarea id=$>old</textarea>", "$.value = T()"),
    "hidden": ("<input type=hidden id=$>", "$.value = T()"),
    "select": ("<select id=$><option>a</select>", "$.add(new Option(T(), 1, true, true))"),
    "optgroup": ("<select id=$><optgroup><option>a</select>", "$.firstChild.label = T()"),
    "output": ("<output id=$></output>", "$.value = T()"),
    "file": (
        "<input type=file id=$>",
        "const d = new DataTransfer(); d.items.add(new File(['x'], T())); $.files = d.files",
    ),
    "editable": ("<div contenteditable id=$></div>", "$.innerHTML = `<b>${T()}</b>`"),
    "details": ("<details id=$><summary>s</summary></details>", "$.open = true; $.append(T())"),
    "dialog": ("<dialog id=$></dialog>", "$.append(T()); $.show()"),
    "popover": ("<div popover id=$></div>", "$.append(T()); $.showPopover()"),
    "open-root": ("<x-a id=$></x-a>", "$.attachShadow({ mode: 'open' }).innerHTML = T()"),
    "closed-root": ("<x-a id=$></x-a>", "$.attachShadow({ mode: 'closed' }).innerHTML = T()"),
    "nested-closed-root": (
        "<x-a id=$></x-a>",
        "const r = $.attachShadow({ mode: 'closed' }); r.innerHTML = '<x-b></x-b>';"
        "r.firstChild.attachShadow({ mode: 'closed' }).innerHTML = `<i>${T()}</i>`",
    ),
    "input-in-closed-root": (
        "<x-a id=$></x-a>",
        "const r = $.attachShadow({ mode: 'closed' }); r.innerHTML = '<input>';"
        "r.firstChild.value = T()",
    ),
    "declarative-root": (
        "<div id=$><template shadowrootmode=open><i></i></template></div>",
        "$.shadowRoot.firstChild.textContent = T()",
    ),
    "slotted": (
        "<x-a id=$><b slot=s></b></x-a>",
        "$.attachShadow({ mode: 'open' }).innerHTML = '<slot name=s></slot>';"
        "$.firstChild.textContent = T()",
    ),
    "user-agent-part": (
        "<progress id=$></progress>",
        "$.setAttribute('value', .4); $.max = 1; $.ariaLabel = T()",
    ),
    "adopted": ("", "adopt(document, `.${T()} { top: 1px }`)"),
    "adopted-in-root": (
        "<x-a id=$></x-a>",
        "adopt($.attachShadow({ mode: 'closed' }), `:host { --x: ${T()} }`)",
    ),
    "shared-adopted": (
        "<x-a id=$></x-a>",
        "const s = adopt($.attachShadow({ mode: 'open' }), 'a { top: 0 }');"
        "document.adoptedStyleSheets.push(s); s.insertRule(`.${T()} { top: 2px }`)",
    ),
    "rule": ("<style id=$></style>", "$.sheet.insertRule(`.${T()} { top: 0 }`)"),
    "rule-in-media": (
        "<style id=$>@media all { i {} }</style>",
        "$.sheet.cssRules[0].insertRule(`.${T()} { top: 0 }`)",
    ),
    "rule-in-layer": (
        "<style id=$>@layer x { i {} }</style>",
        "$.sheet.cssRules[0].insertRule(`.${T()} { top: 0 }`)",
    ),
    "rule-in-rule": (
        "<style id=$>b { top: 0 }</style>",
        "$.sheet.cssRules[0].insertRule(`& .${T()} { top: 0 }`)",
    ),
    "rule-in-supports-in-container": (
        "<style id=$>@container (width > 0px) { @supports (top: 0) { i {} } }</style>",
        "$.sheet.cssRules[0].cssRules[0].insertRule(`.${T()} { top: 0 }`)",
    ),
    "changed-declaration": (
        "<style id=$>b.none { top: 0 }</style>",
        "$.sheet.cssRules[0].style.setProperty('--x', T())",
    ),
    "keyframes": (
        "<style id=$>@keyframes k { from { top: 0 } }</style>",
        "$.sheet.cssRules[0].appendRule(`50% { --x: ${T()} }`)",
    ),
    "inline-style": ("<p id=$>x</p>", "$.style.setProperty('--x', T())"),
    "generated": (
        "<p id=$></p><style></style>",
        "$.nextSibling.sheet.insertRule(`#${$.id}::before { content: '${T()}' }`)",
    ),
    "sheet-in-memory": (
        "<link rel=stylesheet id=$>",
        "$.href = URL.createObjectURL(new Blob([`.${T()} { top: 0 }`], { type: 'text/css' }));"
        "await new Promise((done) => { $.onload = done })",
    ),
    "linked-sheet-rule": (
        "<link rel=stylesheet href=/torture.css id=$>",
        "$.sheet.insertRule(`.${T()} { top: 0 }`)",
    ),
    "srcdoc": ("<iframe id=$></iframe>", "await put($, (d) => `<p>${d}</p>`, T())"),
    "srcdoc-in-srcdoc": (
        "<iframe id=$></iframe>",
        """await put($, (d) => `<iframe srcdoc="<p title='${d}'>x</p>"></iframe>`, T())""",
    ),
    "blank-frame": (
        "<iframe id=$></iframe>",
        "const d = $.contentDocument; d.open(); d.write(`<p>${T()}</p>`); d.close()",
    ),
    "blob-frame": (
        "<iframe id=$></iframe>",
        "$.src = URL.createObjectURL(new Blob([`<p>${T()}</p>`], { type: 'text/html' }));"
        "await new Promise((done) => { $.onload = done })",
    ),
    "same-origin-frame": ("<iframe id=$ src='/inner?same-origin-frame'></iframe>", ""),
    "sandboxed-frame": (
        "<iframe id=$ sandbox=allow-scripts src='/inner?sandboxed-frame'></iframe>",
        "",
    ),
    "data-frame": (
        """<iframe id=$ src='data:text/html,<p></p><script>
        document.querySelector("p").textContent = "tok-data-frame-" + 6 * 7</script>'></iframe>""",
        "",
    ),
    "cross-site-frame": ("<iframe id=$ src='OTHER/inner?cross-site-frame'></iframe>", ""),
    "cross-site-in-cross-site": (
        "<iframe id=$ src='OTHER/middle?cross-site-in-cross-site'></iframe>",
        "",
    ),
    "object": ("<object id=$ type=text/html data='/inner?object'></object>", ""),
    "embed": ("<embed id=$ type=text/html src='/inner?embed'>", ""),
    "template": ("<template id=$></template>", "$.content.append(T())"),
    "template-in-template": (
        "<template id=$><template></template></template>",
        "$.content.firstChild.content.append(T())",
    ),
    "noscript": ("<noscript id=$></noscript>", "$.textContent = `<p>${T()}</p>`"),
    "inert-script": (
        "<script type=text/x-page-template id=$></script>",
        "$.textContent = `<p>${T()}</p>`",
    ),
    "current-src": (
        "<picture><source media='(min-width: 1px)'><img id=$ src=/pixel.svg></picture>",
        "$.previousSibling.srcset = `/pixel.svg?${T()}`; $.alt = 'x'",
    ),
    "svg": (
        "<svg><symbol id=torture-symbol><text y=9></text></symbol><use href=#torture-symbol />"
        "<g id=$></g></svg>",
        "$.setAttributeNS('http://www.w3.org/1999/xlink', 'xlink:title', T())",
    ),
    "foreign-object": (
        "<svg><foreignObject width=90 height=20><input id=$></foreignObject></svg>",
        "$.value = T()",
    ),
    "mathml": ("<math><mi id=$></mi></math>", "$.textContent = T()"),
    "namespaced-attribute": (
        "<svg id=$></svg>",
        "$.setAttributeNS('urn:x', 'x:odd', T())",
    ),
    "other-namespace": (
        "<div id=$></div>",
        "$.append(document.createElementNS('urn:x', 'x:odd')); $.lastChild.append(T())",
    ),
    "custom-state": (
        "<x-state id=$></x-state><style>x-state:state(on) { --x: y }</style>",
        "customElements.define('x-state', class extends HTMLElement {"
        "constructor() { super(); this.attachInternals().states.add('on') } });"
        "$.title = T()",
    ),
    "document-title": ("", "document.title = T()"),
    "root-attribute": ("", "document.documentElement.dataset.x = T()"),
    "written": ("<script>document.write('<p>tok-written-' + 6 * 7)</script>", ""),
    "after-the-body": ("", "document.documentElement.append(document.createComment(T()))"),
    "surrogates": ("<p id=$></p>", "$.textContent = 'a\\ud800' + T() + '\\udfff'"),
    "nul": ("<p id=$></p>", "$.textContent = 'a\\0' + T(); $.title = '\\0'"),
    "huge-attribute": ("<p id=$></p>", "$.dataset.x = 'x'.repeat(1e6) + T()"),
    "deep": (
        "<div id=$ hidden></div>",
        "let at = $; for (let n = 0; n < 2000; n++) at = at.appendChild("
        "document.createElement('b')); at.append(T())",
    ),
}

INNER = f"""<!doctype html><p></p><x-a></x-a><script>{TOKEN}
document.querySelector("p").textContent = T(location.search.slice(1));
document.querySelector("x-a").attachShadow({{ mode: "closed" }}).innerHTML =
  T(location.search.slice(1) + "-closed-root");
</script>"""
MIDDLE = f"""<!doctype html><iframe></iframe><script>{TOKEN}
document.querySelector("iframe").src =
  location.origin.replace("localhost", "127.0.0.1") + "/inner" + location.search;
</script>"""
FRAMES_WITH_ROOTS = ("same-origin-frame", "sandboxed-frame", "cross-site-frame", "object", "embed")

HELP = """
const adopt = (scope, css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  scope.adoptedStyleSheets.push(sheet);
  return sheet;
};
const put = async (frame, make, token) => {
  frame.srcdoc = make("old");
  await new Promise((done) => { frame.onload = done });
  let inner = frame.contentDocument;
  for (let next; (next = inner.querySelector("iframe"));) {
    if (next.contentDocument.readyState !== "complete") await new Promise((done) => { next.onload = done });
    inner = next.contentDocument;
  }
  inner.querySelector("p").textContent = token;
};
"""


def torture_page(pages: Pages) -> str:
    """The URL of the page. When ``done`` is true in it, it is complete."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect/></svg>'
    pages.add(Response(body=svg, media_type="image/svg+xml"), "/pixel.svg")
    pages.add(Response(body=b"em { top: 0 }", media_type="text/css"), "/torture.css")
    pages.add(INNER, "/inner")
    pages.add(MIDDLE, "/middle")
    other = pages.url.replace("127.0.0.1", "localhost")
    content = "\n".join(
        html.replace("$", kind).replace("OTHER", other) for kind, (html, _) in PARTS.items()
    )
    scripts = "\n".join(
        f"await (async ($, T) => {{ {script} }})"
        f'(document.getElementById("{kind}"), () => all("{kind}"));'
        for kind, (_, script) in PARTS.items()
    )
    return pages.add(
        f"<!doctype html><html><head><title>x</title></head><body>{content}<script>"
        f"{TOKEN.replace('const T', 'const all')}{HELP}"
        f"onload = async () => {{ {scripts}; window.done = true }}</script></body></html>"
    )


def tokens() -> list[str]:
    """What is to be found in what was stored."""
    return [
        *(f"tok-{kind}{END}" for kind in PARTS),
        *(f"tok-{kind}-closed-root{END}" for kind in FRAMES_WITH_ROOTS),
    ]
