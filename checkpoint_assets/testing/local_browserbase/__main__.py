"""Serve until SIGINT or SIGTERM; prints what the SDK's environment has to be."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from checkpoint_assets.testing.local_browserbase.server import API_KEY, LocalBrowserbase


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m checkpoint_assets.testing.local_browserbase",
        description="Browserbase on 127.0.0.1, with a real Chromium for each session.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--api-key", default=API_KEY, help="the one key that is let in")
    parser.add_argument("--concurrent", type=int, default=3, help="sessions at the same time")
    parser.add_argument("--creations", type=int, default=25, help="new sessions in a minute")
    options = parser.parse_args(arguments)
    stop = threading.Event()

    def ask_to_stop(number: int, frame: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask_to_stop)
    with LocalBrowserbase(
        port=options.port,
        api_key=options.api_key,
        concurrent=options.concurrent,
        creations=options.creations,
    ) as server:
        sys.stdout.write(
            f"export BROWSERBASE_BASE_URL={server.url}\n"
            f"export BROWSERBASE_API_KEY={server.api_key}\n"
        )
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
