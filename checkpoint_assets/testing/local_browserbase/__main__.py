"""Serve while a command runs, or until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading

from checkpoint_assets.testing.local_browserbase.server import API_KEY, LocalBrowserbase


def main(arguments: list[str] | None = None) -> int:
    """The command's exit status; it finds the server in its environment.

    Without a command, what the environment has to be is printed, and the server runs until it is
    stopped.
    """
    parser = argparse.ArgumentParser(
        prog="python -m checkpoint_assets.testing.local_browserbase",
        description="Browserbase on 127.0.0.1, with a real Chromium for each session.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free one")
    parser.add_argument("--api-key", default=API_KEY, help="the one key that is let in")
    parser.add_argument("--concurrent", type=int, default=3, help="sessions at the same time")
    parser.add_argument("--creations", type=int, default=25, help="new sessions in a minute")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="what to run meanwhile")
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
        environment = {"BROWSERBASE_BASE_URL": server.url, "BROWSERBASE_API_KEY": server.api_key}
        if options.command:
            return _run(options.command, {**os.environ, **environment})
        sys.stdout.write("".join(f"export {name}={each}\n" for name, each in environment.items()))
        sys.stdout.flush()
        stop.wait()
    return 0


def _run(command: list[str], environment: dict[str, str]) -> int:
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603 (the caller's own)
        # An interrupt of the terminal reaches the command anyway: we end when it has.
        def pass_on(number: int, frame: object) -> None:
            if number == signal.SIGTERM:
                process.terminate()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, pass_on)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
