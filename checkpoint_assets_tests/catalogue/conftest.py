"""A shop for each test."""

from __future__ import annotations

import pytest

from checkpoint_assets_tests.catalogue.case import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop()
