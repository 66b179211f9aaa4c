"""Whatever a page or a picture is: a result, in time, that can be stored and put into a table."""

from __future__ import annotations

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checkpoint_assets.processing.features import FEATURE_COLUMNS, features_frame
from checkpoint_assets.processing.standard import STEP_FEATURES, default_processing
from checkpoint_assets_tests.processing.steps import SHOP, drawn, step

TAGS = [
    "p", "div", "a", "b", "table", "tr", "td", "ul", "li", "select", "option", "template", "iframe",
    "svg", "title", "script", "style", "textarea", "pre", "form", "label", "input", "button", "h1",
    "slot", "details", "summary", "x-a", "frameset", "noscript", "meta", "link", "object",
]  # fmt: skip
ATTRIBUTES = (
    "hidden", "href=x", "role=heading", "role='x y'", "aria-level=9", "aria-level=0", "id=a",
    "for=a", "aria-labelledby='a a'", "slot=s", "name=s", "shadowrootmode=open", "srcdoc='<p>&lt;p'",
    "data='data:text/html;charset=utf-8,%3Cp%GG'", "style='display:none", "value=********",
    "rel=canonical href=http://[", "name=robots content='\x00'", "type=application/ld+json",
    "property=og:x content=y", "name=date content=9999-99-99", "lang=\ud800", "aria-hidden=true",
)  # fmt: skip
PIECES = st.one_of(
    st.builds(lambda tag, attribute: f"<{tag} {attribute}>", st.sampled_from(TAGS), st.sampled_from(ATTRIBUTES)),
    st.sampled_from(TAGS).map(lambda tag: f"</{tag}>"),
    st.text(max_size=8),
    st.sampled_from(["&#xD800;", "&#0;", "&amp", "<!--", "-->", "]]>", "<![CDATA[", "{", "\r", "\u2028"]),
)  # fmt: skip
PAGES = st.lists(PIECES, max_size=40).map("".join)
WEBP = drawn()


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    """A picture with some bytes changed, or cut off, or no picture at all."""
    data = bytearray(draw(st.sampled_from([WEBP, drawn(kind="PNG"), b""])))
    for at, value in draw(
        st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=6)
    ):
        if at < len(data):
            data[at] = value
    return bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.booleans()) else bytes(data)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(PAGES, PAGES, pictures(), pictures())
@example("<html><label><label><input><input>", SHOP, WEBP, WEBP)
@example("<a href=x>" * 3000, "<x-a><template shadowrootmode=open>" * 900, WEBP, b"\0")
async def test_no_input_raises(
    html: str, html_before: str, picture: bytes, picture_before: bytes
) -> None:
    before = step(html_before, picture_before, step_id="a")
    result = await default_processing().process(
        STEP_FEATURES, step(html, picture, step_id="b", previous=before)
    )
    assert result.success
    made = result.processed_data
    for timing in result.steps:
        # An exception that nobody expected is named by its class.
        assert "Error:" not in (timing.error or ""), timing
    frame = features_frame([{"session_id": "s", "step_id": "b", **made.columns}])
    assert set(frame.columns) == set(FEATURE_COLUMNS)
    assert frame.to_parquet()
    for name, (data, _) in made.files.items():
        if not name.endswith(".webp"):
            data.decode()
