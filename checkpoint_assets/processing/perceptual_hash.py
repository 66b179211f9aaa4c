"""What a screenshot looks like, as bits that can be compared, and whether it looks as before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from PIL import Image

from checkpoint_assets.model.contract_records import Scalar
from checkpoint_assets.processing.captured_step import CapturedStep, Derived
from checkpoint_assets.processing.pixels import changed_share
from checkpoint_assets.processing.step_processor import StepProcessor

# 256 bits: of pairs of screenshots in which more than 0.5 % of the pixels had changed, 12 % had
# the same 64-bit hash, and 3.5 % the same 256-bit hash.
SIDE = 16
BITS = SIDE * SIDE
NEAR_DUPLICATE = 0.005


class PerceptualHash(StepProcessor):
    """The picture's difference hash in hex, for searches, and a comparison with the last step.

    ``near_duplicate`` goes by the pixels, not by the hash: the same size, and at most 0.5 % of
    the pixels changed. ``dhash_distance`` is the number of bits that differ, of 256.
    """

    name = "perceptual_hash"
    columns: ClassVar[Mapping[str, str]] = {
        "dhash": "string",
        "dhash_distance": "Int64",
        "near_duplicate": "boolean",
    }

    def can_use(self, step: CapturedStep) -> bool:
        return bool(step.screenshot)

    def derive(self, step: CapturedStep) -> Derived:
        own = difference_hash(step.picture)
        columns: dict[str, Scalar] = {"dhash": own}
        before = step.previous
        if before is not None and before.screenshot:
            columns["dhash_distance"] = hash_distance(own, difference_hash(before.picture))
            columns["near_duplicate"] = (
                step.picture.size == before.picture.size
                and changed_share(before.picture, step.picture) <= NEAR_DUPLICATE
            )
        return Derived(columns)


def difference_hash(picture: Image.Image) -> str:
    """64 hex digits: a bit for each of 16 x 16 areas, set if the one to its right is brighter."""
    small = picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX)
    grey = np.asarray(small)
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()


def hash_distance(one: str, other: str) -> int:
    """The number of bits in which two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
