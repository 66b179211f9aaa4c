"""Check ``secrets_canary``: no known secret, and nothing that looks like one, was stored.

The capture masks secrets before anything is written. This reads what is stored, as somebody else
would, and tells where it finds one; never what it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping

from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.model.ids import parse_session_id
from checkpoint_assets.processing.checks.verdict import MOST_NAMED, Verdict
from checkpoint_assets.storage.keys import session_prefix
from checkpoint_assets.storage.storage_manager import StorageManager

KNOWN = "known secret"
# The forms that their makers document.
PATTERNS: Mapping[str, str] = {
    "AWS access key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    "Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{10,}",
    "Stripe key": r"\b[sr]k_live_[0-9A-Za-z]{24,}",
    "Browserbase key": r"\bbb_live_[0-9A-Za-z_-]{16,}",
}
_PICTURES = (".webp", ".png", ".jpg")


async def judge_secrets(
    storage: StorageManager,
    session_id: str,
    count_known: Callable[[str], int],
    patterns: Iterable[str] = (),
) -> Verdict:
    """No file of the session, but pictures, has a known secret or a text of any of the patterns.

    ``count_known`` counts the known secrets in a text. One that is found is serious; what only
    looks like a secret may be the page's own example.
    """
    looks = {name: re.compile(pattern) for name, pattern in PATTERNS.items()}
    looks |= {f"pattern {number}": re.compile(p) for number, p in enumerate(patterns, 1)}

    def look(text: str) -> list[str]:
        found = [name for name, pattern in looks.items() if pattern.search(text)]
        return [KNOWN, *found] if count_known(text) else found

    files = 0
    found: list[str] = []
    async for page in storage.store.list(session_prefix(parse_session_id(session_id))):
        for info in page.objects:
            if info.key.endswith(_PICTURES):
                continue
            try:
                data = await storage.store.get(info.key)
            except NotFound:
                continue  # deleted since it was listed
            kinds = await asyncio.to_thread(look, data.decode(errors="replace"))
            found += [f"{kind} in {info.key}" for kind in kinds]
            files += 1
    facts = {"files": files, "places": len(found), "where": found[:MOST_NAMED]}
    return Verdict(not found, facts, serious=any(place.startswith(KNOWN) for place in found))
