from __future__ import annotations

import pytest

from checkpoint_assets.interfaces import IProcessor
from checkpoint_assets.model.errors import InvalidConfiguration, InvalidInput
from checkpoint_assets.runtime.plugins import keeping, load_named
from checkpoint_assets.testing.mocks import MockProcessor


def test_a_name_is_loaded() -> None:
    assert load_named("x", "checkpoint_assets.testing.mocks:MockProcessor") is MockProcessor


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("", "names nothing"),
        ("json", "write package.module:Name"),
        (":loads", "names nothing"),
        ("json:", "names nothing"),
        ("no_such_package_here:Name", "No module named"),
        ("json:no_such_name", "no_such_name"),
        (".relative:Name", "relative"),
    ],
)
def test_a_typo_is_named_with_its_setting(reference: str, said: str) -> None:
    with pytest.raises(InvalidConfiguration, match=said) as caught:
        load_named("processors", reference)
    assert str(caught.value).startswith(f"processors: {reference!r}")


def test_what_keeps_no_contract_is_told_what_it_lacks() -> None:
    with pytest.raises(InvalidInput, match="object is no processor: it lacks get_processor_name"):
        keeping(IProcessor, object(), "processor")
    processor = MockProcessor()
    assert keeping(IProcessor, processor, "processor") is processor
