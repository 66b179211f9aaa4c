"""How much is tried: a little in ``make test``, all of it in ``make fault``."""

from __future__ import annotations

import os
import random

FULL = os.environ.get("CHECKPOINT_FAULT_SCALE", "small") == "full"


def scaled(small: int, full: int) -> int:
    """``full`` where CHECKPOINT_FAULT_SCALE is ``full``, else ``small``."""
    return full if FULL else small


def printed_seed() -> int:
    """A new seed, or the one in CHECKPOINT_FAULT_SEED; pytest shows it when the test fails."""
    seed = int(os.environ.get("CHECKPOINT_FAULT_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CHECKPOINT_FAULT_SEED={seed}")  # noqa: T201 - to run the same once more
    return seed
