"""What documents of the viewer may do. Ours run our own scripts; captured ones do nothing."""

from __future__ import annotations

import base64
import hashlib

from checkpoint_assets.viewer.captured_page import PAGE_POLICY

# Of a captured page that a server sends: an opaque origin too, whoever opens it.
SANDBOXED_PAGE_POLICY = f"sandbox; {PAGE_POLICY}; frame-ancestors 'self'"
# `unsafe-inline` styles are for the captured page in its frame, which is bound by this as well.
_REPORT = (
    "default-src 'none'; script-src {script}; style-src {style} 'unsafe-inline'; "
    "img-src {images} data: blob:; frame-src {frames}; base-uri 'none'; form-action {form}"
)
# A folder that is opened from a disk has no origin that 'self' would mean: `file:` is its name.
FOLDER_POLICY = _REPORT.format(
    script="'self' file:",
    style="'self' file:",
    images="'self' file:",
    frames="'self' file:",
    form="'none'",
)
SERVED_POLICY = _REPORT.format(
    script="'self'", style="'self'", images="'self'", frames="'self'", form="'self'"
)


def single_file_policy(script: str) -> str:
    """The policy of a document whose only script is that one. It can ask for nothing at all."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return _REPORT.format(
        script=f"'sha256-{digest}'", style="", images="", frames="'none'", form="'none'"
    )
