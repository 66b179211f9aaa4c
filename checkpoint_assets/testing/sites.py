"""The sites that come with the project, by the names that scenarios use."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from checkpoint_assets.collection.sites import ServedSite
from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.testing.demo_shop_site import DemoShop
from checkpoint_assets.testing.miniwob_site import MiniWobSite
from checkpoint_assets.testing.web_server import LocalSite

BUILT_IN = {"demo": DemoShop, "miniwob": MiniWobSite}


@contextmanager
def open_site(name: str, beside: Path | None = None) -> Generator[ServedSite, None, None]:
    """Serve ``demo``, ``miniwob`` or a folder (relative to the file ``beside``) on a free port.

    Raises ``InvalidConfiguration`` for a name that is none of these.
    """
    with _make(name, beside) as site:
        yield ServedSite(site.url, site.demo_secrets())


def _make(name: str, beside: Path | None) -> LocalSite:
    if name in BUILT_IN:
        return BUILT_IN[name]()
    folder = (beside.parent / name if beside else Path(name)).resolve()
    if not folder.is_dir():
        raise InvalidConfiguration(
            f"site {name!r} is neither demo nor miniwob, and {folder} is no folder",
            hint="name a built-in site, or a folder relative to the scenario file",
        )
    return LocalSite(folder, name=name)
