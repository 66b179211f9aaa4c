"""Check ``drift``: the scenario looks as it did in the session before, in pixels and in the DOM."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from io import BytesIO
from itertools import islice

from PIL import Image

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.records import CommitRecord
from checkpoint_assets.processing.checks.verdict import Verdict, named
from checkpoint_assets.processing.dom import parse_html
from checkpoint_assets.processing.dom_difference import MOST_LINES, page_lines
from checkpoint_assets.processing.line_difference import line_changes
from checkpoint_assets.processing.pixels import Mask, changed_pixels, decode_picture
from checkpoint_assets.processing.visual_difference import changed_boxes, marked_picture
from checkpoint_assets.storage.completeness import step_records
from checkpoint_assets.storage.storage_manager import StorageManager

# Steps whose files differ; the others cost nothing.
MOST_COMPARED = 100
_THUMBNAIL = (320, 200)


@dataclass(frozen=True, slots=True)
class _Change:
    step_id: str
    pixels: float
    dom: float


async def judge_drift(
    storage: StorageManager, session_id: str, before: str, most_pixels: float, most_dom: float
) -> Verdict:
    """Each step is in both sessions, and at most those shares of its pixels and lines changed.

    Files with the same bytes are not read. ``picture`` shows the step whose pixels changed most.
    """
    old, new = await _records(storage, before), await _records(storage, session_id)
    common = [step for step in new if step in old]
    differing = [step for step in common if _digests(old[step]) != _digests(new[step])]
    changes = [await _compare(storage, old[step], new[step]) for step in differing[:MOST_COMPARED]]
    drifted = [each for each in changes if each.pixels > most_pixels or each.dom > most_dom]
    added, removed = [s for s in new if s not in old], [s for s in old if s not in new]
    facts = {
        "against": before,
        "steps": len(common),
        "most_pixels": max((each.pixels for each in changes), default=0.0),
        "most_dom": max((each.dom for each in changes), default=0.0),
        "drifted": {c.step_id: [c.pixels, c.dom] for c in islice(drifted, MOST_COMPARED)},
        "added": named(added),
        "removed": named(removed),
        "not_compared": max(0, len(differing) - MOST_COMPARED),
    }
    worst = max(changes, key=lambda each: each.pixels, default=None)
    picture = None
    if worst is not None and worst.pixels > 0:
        picture = await _picture(storage, old[worst.step_id], new[worst.step_id])
    return Verdict(not (drifted or added or removed), facts, picture=picture)


async def _records(storage: StorageManager, session_id: str) -> dict[str, CommitRecord]:
    steps = await storage.list_steps_for_session(session_id)
    return {record.step_id: record for record in await step_records(storage, session_id, steps)}


def _digests(record: CommitRecord) -> dict[str, str]:
    compared = (Artifact.HTML, Artifact.SCREENSHOT)
    return {name: record.artifacts[name].sha256 for name in compared if name in record.artifacts}


async def _read(storage: StorageManager, record: CommitRecord, artifact: Artifact) -> bytes:
    return await storage.read_artifact(record.session_id, record.step_id, artifact) or b""


async def _compare(storage: StorageManager, old: CommitRecord, new: CommitRecord) -> _Change:
    """What is in only one of the two, as where something is not captured any more, is no change."""
    one, other = _digests(old), _digests(new)
    shares = {Artifact.SCREENSHOT: 0.0, Artifact.HTML: 0.0}
    for artifact, compare in ((Artifact.SCREENSHOT, _pixels), (Artifact.HTML, _lines)):
        if artifact in one and artifact in other and one[artifact] != other[artifact]:
            pair = await _read(storage, old, artifact), await _read(storage, new, artifact)
            shares[artifact] = round(await asyncio.to_thread(compare, *pair), 4)
    return _Change(new.step_id, shares[Artifact.SCREENSHOT], shares[Artifact.HTML])


def _pixels(old: bytes, new: bytes) -> float:
    return float(_changed(old, new)[1].mean())


def _changed(old: bytes, new: bytes) -> tuple[Image.Image, Mask]:
    picture = decode_picture(new)
    return picture, changed_pixels(decode_picture(old), picture)


def _lines(old: bytes, new: bytes) -> float:
    one, other = (
        [*islice(page_lines(parse_html(page.decode(errors="replace"))), MOST_LINES)]
        for page in (old, new)
    )
    changes = line_changes(one, other)
    changed = sum(c.end - c.begin + c.new_end - c.new_begin for c in changes)
    return changed / max(1, len(one) + len(other))


async def _picture(storage: StorageManager, old: CommitRecord, new: CommitRecord) -> bytes:
    pair = [await _read(storage, record, Artifact.SCREENSHOT) for record in (old, new)]
    return await asyncio.to_thread(_thumbnail, *pair)


def _thumbnail(old: bytes, new: bytes) -> bytes:
    picture, changed = _changed(old, new)
    page = marked_picture(picture, changed, changed_boxes(changed))
    page.thumbnail(_THUMBNAIL)
    out = BytesIO()
    page.save(out, "JPEG", quality=70)
    return out.getvalue()
