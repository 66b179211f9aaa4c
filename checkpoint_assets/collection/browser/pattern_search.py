"""Looking for a regular expression in the text of a page.

Some patterns take for ever on the wrong text, and Python's matcher holds the whole process while
it looks. So it looks in a process of its own, which can be ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from checkpoint_assets.runtime.cleanup import to_the_end

MOST = 1_000_000
_PROGRAM = """
import json, re, sys, warnings
warnings.simplefilter("ignore")
pattern, text = json.load(sys.stdin)
print(int(re.search(pattern, text) is not None))
"""


async def is_found(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere in the first million characters of the text.

    No deadline of its own: when it is cancelled, the search has ended before it returns.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", _PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        answer, _ = await process.communicate(json.dumps([pattern, text[:MOST]]).encode())
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await to_the_end(asyncio.ensure_future(process.wait()))
    return answer.strip() == b"1"
