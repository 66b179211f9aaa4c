"""Check ``blank_screenshots``: the pictures show something, and not always the same."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.processing.checks.verdict import Verdict, named, share
from checkpoint_assets.processing.pixels import decode_picture
from checkpoint_assets.storage.completeness import step_records
from checkpoint_assets.storage.storage_manager import StorageManager

# A blank page with a cursor on it is blank, one with two words on it is not.
_ONE_COLOUR = 0.9999
# Fewer pictures may well be the same.
_ENOUGH = 5


async def judge_screenshots(
    storage: StorageManager, session_id: str, most_blank: float, most_unchanged: float
) -> Verdict:
    """At most those shares of the pictures are blank, or have the bytes of the one before.

    Pictures that are all blank, of at least two, are serious: it is the capture, not the page.
    """
    steps = await storage.list_steps_for_session(session_id)
    records = await step_records(storage, session_id, steps)
    pictures = [
        (record.step_id, record.artifacts[Artifact.SCREENSHOT].sha256)
        for record in records
        if Artifact.SCREENSHOT in record.artifacts
    ]
    looks: dict[str, bool] = {}
    for step_id, sha256 in pictures:
        if sha256 not in looks:
            data = await storage.read_artifact(session_id, step_id, Artifact.SCREENSHOT)
            looks[sha256] = await asyncio.to_thread(is_blank, data or b"")
    blank = [step_id for step_id, sha256 in pictures if looks[sha256]]
    unchanged = [after[0] for before, after in pairwise(pictures) if before[1] == after[1]]
    blanks = share(len(blank), len(pictures))
    same = share(len(unchanged), len(pictures) - 1)
    frozen = len(pictures) >= _ENOUGH and same > most_unchanged
    facts = {
        "pictures": len(pictures),
        "blank": blanks,
        "unchanged": same,
        "blank_steps": named(blank),
        "unchanged_steps": named(unchanged),
    }
    return Verdict(
        blanks <= most_blank and not frozen, facts, serious=blanks == 1 and len(pictures) > 1
    )


def is_blank(data: bytes) -> bool:
    """Whether all of the picture, but a ten-thousandth, has one colour.

    Raises ``ProcessingError``.
    """
    pixels = np.asarray(decode_picture(data)).astype(np.uint32)
    colours = (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
    middle = int(np.median(colours))  # one that more than half of them have is the median
    return float((colours == middle).mean()) >= _ONE_COLOUR
