"""A shop for each test, as the catalogue's tests have it."""

from __future__ import annotations

import pytest

from checkpoint_assets_tests.catalogue.case import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()
