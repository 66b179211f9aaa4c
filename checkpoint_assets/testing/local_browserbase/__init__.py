"""Browserbase on this machine: for tests, and to develop without an account.

The session routes of the real API for the real SDK, CDP over web sockets to a real Chromium for
each session, the limits of a plan, expiry, and faults on demand. Bound to 127.0.0.1.

In a test::

    with LocalBrowserbase(concurrent=3) as server:
        browserbase = server.client()  # or Browserbase(base_url=server.url, api_key=...)
        session = browserbase.sessions.create()
        ...  # connect to session.connect_url
        server.inject(Fault("release", operation="cdp", method="Page.captureScreenshot"))

By hand::

    python -m checkpoint_assets.testing.local_browserbase

which prints the two environment variables that send the SDK here.

What it does not do: stealth, proxies, captcha solving and regions are accepted and ignored; a
recording has no pictures; uploads of context archives are gone from the real API, too.
"""

from checkpoint_assets.testing.local_browserbase.connection import LoggedRequest
from checkpoint_assets.testing.local_browserbase.faults import KINDS, Fault, FaultKind
from checkpoint_assets.testing.local_browserbase.server import API_KEY, LocalBrowserbase
from checkpoint_assets.testing.local_browserbase.session import RemoteSession

__all__ = [
    "API_KEY",
    "KINDS",
    "Fault",
    "FaultKind",
    "LocalBrowserbase",
    "LoggedRequest",
    "RemoteSession",
]
