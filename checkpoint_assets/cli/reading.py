"""Looking at what is stored: ``ls``, ``show``, ``get``, ``export``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from checkpoint_assets.cli.output import (
    answer,
    count,
    json_option,
    opened,
    print_json,
    print_lines,
    print_table,
    say,
    shortened,
    store_option,
    writing,
)
from checkpoint_assets.cli.progress import progress
from checkpoint_assets.model.clock import to_utc
from checkpoint_assets.model.enums import Artifact, SessionState
from checkpoint_assets.model.errors import NotFound
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.session_filter import SessionFilter

if TYPE_CHECKING:
    from checkpoint_assets.cli.exporting import Form, Table


@click.command("ls")
@click.argument("session", required=False)
@click.option("--scenario", help="Sessions of this scenario.")
@click.option(
    "--state",
    type=click.Choice([state.value for state in SessionState]),
    help="Sessions in this state.",
)
@click.option("--since", type=click.DateTime(), help="Begun then or later.")
@click.option("--until", type=click.DateTime(), help="Begun before.")
@click.option("--after", help="Go on after this id.")
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True)
@store_option
@json_option
def ls(
    session: str | None,
    scenario: str | None,
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    after: str | None,
    limit: int,
    store: str | None,
    as_json: bool,
) -> None:
    """List the sessions of the store, or the steps of SESSION."""
    with opened(store) as manager:
        if session is not None:
            rows = list(_steps(manager, session, after, limit))
            if not rows and after is None:
                raise NotFound(f"there is no session {session!r} in {manager.asynchronous.url}")
            head = ("step", "committed at", "bytes", "url", "title")
        else:
            given = {
                "scenario": scenario,
                "state": state,
                "since": since and to_utc(since),
                "until": until and to_utc(until),
            }
            where = cast("SessionFilter", {name: value for name, value in given.items() if value})
            rows = list(_sessions(manager, where, after, limit))
            head = ("session", "state", "scenario", "steps", "bytes", "closed at")
        if as_json:
            print_lines(rows)
            return
        if not rows:
            say(f"nothing of that kind in {manager.asynchronous.url}")
            return
        print_table((tuple(_cells(row, head)) for row in rows), head)
        if len(rows) == limit and rows:
            say(f"more: --after {rows[-1][head[0]]}")


def _sessions(
    manager: SyncStorageManager, where: SessionFilter, after: str | None, limit: int
) -> Iterator[dict[str, Any]]:
    for session_id in manager.iter_sessions(after=after, limit=limit, where=where or None):
        row: dict[str, Any] = {"session": session_id, "state": str(SessionState.INCOMPLETE)}
        with suppress(NotFound):
            manifest = manager.get_manifest(session_id)
            row |= {
                "state": str(manifest.state),
                "scenario": manifest.scenario,
                "steps": len(manifest.steps),
                "bytes": manifest.bytes,
                "closed at": manifest.closed_at,
                "reason": manifest.reason,
            }
        yield row


def _steps(
    manager: SyncStorageManager, session_id: str, after: str | None, limit: int
) -> Iterator[dict[str, Any]]:
    for step_id in manager.iter_steps(session_id, after=after, limit=limit):
        with suppress(NotFound):  # deleted since it was listed
            record = manager.get_commit_record(session_id, step_id)
            page = record.metadata or {}
            yield {
                "step": step_id,
                "committed at": record.committed_at,
                "bytes": record.size,
                "url": page.get("url"),
                "title": page.get("title"),
            }


def _cells(row: dict[str, Any], head: tuple[str, ...]) -> Iterator[object]:
    for name in head:
        value = row.get(name)
        yield shortened(value, 48) if name in {"url", "title"} and value else value


@click.command()
@click.argument("session")
@click.argument("step", required=False)
@store_option
@click.option("--json", is_flag=True, expose_value=False, help="As it does without.")
def show(session: str, step: str | None, store: str | None) -> None:
    """Print the manifest of SESSION, or the commit record of its STEP, as JSON."""
    with opened(store) as manager:
        if step is not None:
            print_json(manager.get_commit_record(session, step).model_dump(mode="json"))
            return
        expires = manager.get_expiration(session)
        pin = manager.get_pin(session)
        try:
            manifest = manager.get_manifest(session).model_dump(mode="json")
        except NotFound as err:
            steps = manager.list_steps_for_session(session)
            if not steps:
                raise NotFound(
                    f"there is no session {session!r} in {manager.asynchronous.url}"
                ) from err
            manifest = {"session_id": session, "state": "incomplete", "steps": steps}
        print_json(
            {
                **manifest,
                "expires_at": expires,
                "pinned": pin and {"reason": pin.reason, "since": pin.pinned_at},
                "location": manager.session_url(session),
            }
        )


@click.command()
@click.argument("session")
@click.argument("step")
@click.argument("artifact", type=click.Choice([artifact.value for artifact in Artifact]))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File.")
@store_option
@json_option
def get(
    session: str, step: str, artifact: str, output: Path | None, store: str | None, as_json: bool
) -> None:
    """Write one artifact of a step, verified, to a file or to the standard output."""
    _refuse_json_without_file(output, as_json)
    if output is None and sys.stdout.isatty() and artifact == Artifact.SCREENSHOT:
        raise click.UsageError("a picture is no text for a terminal; give a file with -o")
    with opened(store) as manager:
        if artifact == Artifact.METADATA:
            content = manager.get_commit_record(session, step).to_json()
        else:
            found = manager.read_artifact(session, step, artifact)
            if found is None:
                raise NotFound(f"step {session}/{step} was stored without {artifact}")
            content = found
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        with writing(output):
            output.write_bytes(content)
        size = len(content)
        answer(f"{output}: {count(size, 'byte')}", as_json, file=str(output), bytes=size)


def _refuse_json_without_file(output: Path | None, as_json: bool) -> None:
    if as_json and output is None:
        raise click.UsageError("the content itself goes to the standard output; with -o, --json")


@click.command()
@click.option("--to", "form", type=click.Choice(["jsonl", "parquet"]), default="jsonl")
@click.option("--table", type=click.Choice(["steps", "sessions"]), default="steps")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="File.")
@store_option
@json_option
def export(form: Form, table: Table, output: Path | None, store: str | None, as_json: bool) -> None:
    """Write the catalogue's rows, a row for each step or session, to a file or standard output."""
    # Frames and all: not needed by the other commands.
    from checkpoint_assets.catalogue.blocking import SyncCatalogue
    from checkpoint_assets.cli.exporting import exporting

    if form == "parquet" and output is None:
        raise click.UsageError("Parquet needs a file: -o steps.parquet")
    _refuse_json_without_file(output, as_json)
    rows = 0
    with opened(store) as manager, progress("exporting", "rows", as_json=as_json) as told:
        catalogue = SyncCatalogue(manager)
        catalogue.refresh()
        with writing(output), exporting(form, table, output) as write:
            for batch in catalogue.iter(table):
                write(batch)
                rows += batch.num_rows
                told(rows)
    if output is not None:
        answer(f"{output}: {count(rows, 'row')}", as_json, file=str(output), rows=rows)
