"""MiniWoB++ as a local site: the task pages of the ``miniwob`` package, the same every time.

MiniWoB++ (Farama Foundation, MIT licence) draws a new random problem whenever START is clicked,
and ends the episode after some seconds. Here each page gets a fixed seed and half an hour, so that
a scenario can be written down, solve its task, and find the same page tomorrow. The package's
files stay as they are: the script that does it is put into the pages on their way out.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from datetime import timedelta
from importlib.machinery import ModuleSpec
from pathlib import Path

from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.testing.web_server import LocalSite, Request, Response

# The scenarios that come with the project solve the problems of this seed.
DEFAULT_SEED = "18"
# Longer than any session may take, see `timeouts.session` of the settings.
DEFAULT_EPISODE = timedelta(minutes=30)

_CORE_SCRIPT = re.compile(rb'<script[^>]*\ssrc="(?:\.\./)+core/core\.js"[^>]*>\s*</script>')

# The seed is set twice. At once, because libraries take numbers while they load; and again right
# before the problem is made, because they may take more or fewer of them. Some tasks set their own
# time limit after core.js, so the limit, too, is set at the start. `?seed=` arrives as text, and
# seedrandom tells "1" from 1: a seed is text everywhere.
_SCRIPT = """
<script>
(function () {
  var seed = core.getOpt(core.QueryString, 'seed', %(seed)s);
  var startEpisode = core.startEpisodeReal;
  Math.seedrandom(seed);
  core.startEpisodeReal = function () {
    core.EPISODE_MAX_TIME = %(milliseconds)d;
    Math.seedrandom(seed);
    return startEpisode.apply(this, arguments);
  };
})();
</script>"""


def miniwob_pages(
    find_spec: Callable[[str], ModuleSpec | None] = importlib.util.find_spec,
) -> Path:
    """The folder of the installed pages; the package itself is not imported (it loads Selenium).

    Raises ``InvalidConfiguration`` where ``miniwob`` is not installed.
    """
    spec = find_spec("miniwob")
    for location in (spec and spec.submodule_search_locations) or ():
        pages = Path(location) / "html"
        if (pages / "core" / "core.js").is_file():
            return pages
    raise InvalidConfiguration(
        "the pages of MiniWoB++ are not installed, and `site: miniwob` serves them",
        hint="install the package: pip install miniwob",
    )


class MiniWobSite(LocalSite):
    """Serves ``/miniwob/<task>.html`` and ``/flight/<airline>/wrapper.html``.

    Every START shows the problem of ``seed``; ``?seed=`` in the URL of a page asks for another.
    An episode must outlast the capture of its scenario: when its time is up, it is lost. The
    constructor raises ``InvalidConfiguration`` where ``miniwob`` is not installed.
    """

    def __init__(
        self,
        *,
        seed: str = DEFAULT_SEED,
        episode: timedelta = DEFAULT_EPISODE,
        port: int = 0,
        find_spec: Callable[[str], ModuleSpec | None] = importlib.util.find_spec,
    ) -> None:
        super().__init__(miniwob_pages(find_spec), name="miniwob", port=port)
        # A JSON string is a JavaScript string, but "</script>" in it would end the script.
        literal = json.dumps(seed).replace("<", r"\u003c")
        milliseconds = episode // timedelta(milliseconds=1)
        self._script = (_SCRIPT % {"seed": literal, "milliseconds": milliseconds}).encode()

    def tasks(self) -> list[str]:
        """The names of all tasks, sorted."""
        return sorted(page.stem for page in (self.root / "miniwob").glob("*.html"))

    def respond(self, request: Request) -> Response | None:
        if request.path == "/":
            return Response(body=self._index())
        if request.path == "/favicon.ico":  # asked for by browsers, named by no page
            return Response(media_type="image/x-icon")
        return None

    def transform_html(self, request: Request, html: bytes) -> bytes:
        tag = _CORE_SCRIPT.search(html)
        return html[: tag.end()] + self._script + html[tag.end() :] if tag else html

    def _index(self) -> bytes:
        links = "".join(
            f'<li><a href="/miniwob/{task}.html">{task}</a></li>\n' for task in self.tasks()
        )
        return f"<!DOCTYPE html>\n<title>MiniWoB++</title>\n<ul>\n{links}</ul>\n".encode()
