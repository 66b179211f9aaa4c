"""The sites that scenarios name: the built-in ones, and folders."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest

from checkpoint_assets.model.errors import InvalidConfiguration
from checkpoint_assets.testing.demo_shop_site import DEMO_SECRETS
from checkpoint_assets.testing.sites import open_site


def read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def test_the_shop_is_served_with_its_secrets():
    with open_site("demo") as site:
        assert "<title>" in read(site.url + "/")
        assert site.secrets == DEMO_SECRETS


def test_a_folder_is_looked_for_beside_the_scenario(tmp_path: Path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "index.html").write_text("<p>mine")
    with open_site("shop", tmp_path / "mine.yaml") as site:
        assert read(site.url + "/") == "<p>mine"
        assert site.secrets == {}


def test_a_site_is_gone_when_its_time_is_over():
    with open_site("demo") as site:
        url = site.url
    with pytest.raises(OSError, match="refused"):
        read(url)


def test_a_site_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(InvalidConfiguration, match="site 'nowhere'"), open_site("nowhere"):
        pass
