"""Looking at sessions: ``report``, ``gallery``, ``serve``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from checkpoint_assets.cli.output import (
    Mendable,
    answer,
    json_option,
    opened,
    refusal,
    store_option,
    writing,
)
from checkpoint_assets.cli.progress import progress
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.storage.storage_manager import StorageManager

DEFAULT_PORT = 8765


@click.command()
@click.argument("session")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A file (.html), or a folder; without one the report is kept beside the session.",
)
@store_option
@json_option
def report(session: str, output: Path | None, store: str | None, as_json: bool) -> None:
    """Write the report of SESSION: a filmstrip, each step's picture, page, action and changes."""
    # Templates and all: not needed by the other commands.
    from checkpoint_assets.viewer.report import save_report, write_report

    with opened(store) as manager, writing(output):
        if output is not None and output.suffix.lower() in {".html", ".htm"}:
            written = str(manager.call(save_report, session, output))
        else:
            written = manager.call(write_report, session, output)
    answer(written, as_json, report=written)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--reports/--no-reports", default=True, help="With the report of each session.")
@store_option
@json_option
def gallery(folder: Path, reports: bool, store: str | None, as_json: bool) -> None:
    """Write pages over all sessions of the store into FOLDER."""
    from checkpoint_assets.viewer.gallery import write_gallery

    with (
        opened(store) as manager,
        writing(folder),
        progress("writing pages", as_json=as_json),
    ):
        written = str(manager.call(write_gallery, folder, reports=reports))
    answer(written, as_json, gallery=written)


@click.command()
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, help="On 127.0.0.1; 0: a free one."
)
@store_option
@json_option
def serve(port: int, store: str | None, as_json: bool) -> None:
    """Show all sessions and their reports on 127.0.0.1, read-only, until Ctrl-C."""
    from checkpoint_assets.viewer.server import serve as serve_viewer

    def started(url: str) -> None:
        answer(url, as_json, url=url)

    async def run() -> None:
        async with StorageManager(store or Settings().storage_url) as storage:
            await serve_viewer(storage, port, started=started)

    try:
        asyncio.run(run())
    except CheckpointError as err:
        raise refusal(err) from err
    except OSError as err:
        raise Mendable(
            f"port {port} of 127.0.0.1: {err.strerror}; name another with --port"
        ) from err
    except KeyboardInterrupt:
        raise SystemExit(130) from None
