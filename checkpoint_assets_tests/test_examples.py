from __future__ import annotations

import pytest

from checkpoint_assets.examples import EXAMPLES, main


@pytest.mark.browser
async def test_all_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert await main() == 0
    said = capsys.readouterr().out
    for name in EXAMPLES:
        for kind in ("mocks", "real parts"):
            assert f"--- {name}, {kind}\n" in said
    assert "stored at mock://db/000001" in said
    assert "local:tea ended stopped" in said


async def test_an_example_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert await main("no-such") == 2
    assert "there is no example 'no-such'" in capsys.readouterr().err
