"""What a user may import, and what importing it costs."""

import subprocess
import sys

import checkpoint_assets
from checkpoint_assets.model import errors


def test_public_names_are_sorted_and_all_there() -> None:
    assert checkpoint_assets.__all__ == sorted(checkpoint_assets.__all__)
    for name in checkpoint_assets.__all__:
        assert getattr(checkpoint_assets, name).__name__ == name


def test_every_error_is_public() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert defined <= set(checkpoint_assets.__all__)


def test_drawn_error_tree_is_the_real_one() -> None:
    drawn = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        words = line.strip().lstrip("│├└─ ").split()
        if not words or words[0] not in vars(errors):
            continue
        depth = (len(line) - len(line.lstrip(" │├└─")) - 4) // 4
        path[depth:] = [words[0]]
        drawn[words[0]] = path[depth - 1] if depth else None
    real = {
        name: value.__bases__[0].__name__ if name != "CheckpointError" else None
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert drawn == real


def test_importing_the_package_and_the_storage_loads_no_dagster() -> None:
    code = (
        "import sys, checkpoint_assets; checkpoint_assets.StorageManager; "
        "checkpoint_assets.load_scenario; "
        "print([m for m in ('dagster', 'playwright', 'pandas') if m in sys.modules])"
    )
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
