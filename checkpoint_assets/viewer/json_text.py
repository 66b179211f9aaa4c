"""Values as JSON, put where a browser reads them."""

from __future__ import annotations

import json


def script_json(value: object) -> str:
    """JSON that stays data wherever a page holds it: within a script element, within a script.

    ASCII only, so that halves of characters and line separators are harmless too.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
