"""Is all well: ``verify``, ``drain``, ``scenario check``, ``config``, ``doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from checkpoint_assets.cli.output import (
    count,
    json_option,
    opened,
    print_json,
    print_table,
    refusal,
    say,
    store_option,
    tell_catalogue,
)
from checkpoint_assets.cli.progress import Told, progress
from checkpoint_assets.collection.scenario_file import load_scenario, load_scenarios
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError, InvalidScenario, NotFound
from checkpoint_assets.storage.spool_events import SpoolEvent, SpoolEventKind


@click.command()
@click.argument("session", required=False)
@click.option("--read", "share", default="0%", show_default=True, help="Share of files to read.")
@click.option("--repair", is_flag=True, help="Move what is wrong below _quarantine/.")
@store_option
@json_option
def verify(session: str | None, share: str, repair: bool, store: str | None, as_json: bool) -> None:
    """Compare the store, or SESSION, with its commit records; changes nothing without --repair."""
    with (
        opened(store) as manager,
        progress("verifying", "objects", as_json=as_json) as told,
    ):
        report = manager.verify(
            session, share, repair=repair, progress=lambda so_far: told(so_far.objects)
        )
        if session is not None and not report.objects:
            raise NotFound(f"there is no session {session!r} in {manager.asynchronous.url}")
        if report.quarantined:
            damaged = {finding.session_id for finding in report.findings if finding.session_id}
            tell_catalogue(manager, rows=damaged)
    if as_json:
        print_json(asdict(report) | {"ok": report.ok})
    else:
        for finding in report.findings:
            detail = f": {finding.detail}" if finding.detail else ""
            say(f"{finding.kind:9} {finding.key}{detail}")
        say(
            f"{count(report.sessions, 'session')}, {count(report.steps, 'step')}, "
            f"{count(report.objects, 'object')}, {report.files_read} read; "
            f"{count(sum(report.counts.values()), 'finding')}"
        )
        if report.quarantined:
            say(f"{count(len(report.quarantined), 'object')} moved below _quarantine/")
    if not report.ok:
        raise SystemExit(1)


@click.command()
@click.option("--limit", type=click.IntRange(1), help="At most so many steps.")
@click.option("--retry-dead", is_flag=True, help="Try again what was set aside.")
@store_option
@json_option
def drain(limit: int | None, retry_dead: bool, store: str | None, as_json: bool) -> None:
    """Take what waits in the spool to the bucket."""
    drained = _Drained()
    with opened(store, spool_listener=drained) as manager:
        spool = manager.get_storage_info()["spool"] or {"bytes": 0}
        with progress("draining", "kB", spool["bytes"] // 1000, as_json=as_json) as drained.told:
            # Frames and all: not needed by the other commands.
            from checkpoint_assets.catalogue.blocking import SyncCatalogue

            report = SyncCatalogue(manager).drain_spool(limit=limit, retry_dead=retry_dead)
    failed = {name: str(error) for name, error in report.failed.items()}
    if as_json:
        print_json(asdict(report) | {"failed": failed})
    else:
        for name, error in failed.items():
            say(f"failed  {name}: {error}")
        if report.stopped:
            say(f"ended early: {report.stopped}")
        say(
            f"{count(report.steps, 'step')} and {count(report.manifests, 'manifest')} drained, "
            f"{report.bytes / 1e6:.1f} MB; {count(report.remaining.files, 'file')} waiting, "
            f"{len(report.dead)} set aside"
        )
    if failed or report.dead or report.stopped:
        raise SystemExit(1)


class _Drained:
    """Adds up what leaves the spool, and tells it."""

    def __init__(self) -> None:
        self.told: Told | None = None
        self._bytes = 0

    def __call__(self, event: SpoolEvent) -> None:
        if event.kind is SpoolEventKind.DRAINED and self.told is not None:
            self._bytes += event.size
            self.told(self._bytes // 1000)


@click.group()
def scenario() -> None:
    """Work on scenario files."""


@scenario.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Read FILES, or all of the scenarios folder, and say what is wrong; starts no browser."""
    problems: list[InvalidScenario] = []
    good: list[str] = []
    try:
        folder = None if files else load_scenarios(Settings().scenarios)
    except CheckpointError as err:
        raise refusal(err) from err
    if folder is not None:
        problems += folder.problems
        good += [one.name for one in folder.scenarios]
    for file in files:
        try:
            good.append(load_scenario(file).name)
        except InvalidScenario as err:
            problems.append(err)
    if as_json:
        print_json(
            {
                "good": good,
                "problems": [
                    {"path": err.path, "line": err.line, "message": err.message, "hint": err.hint}
                    for err in problems
                ],
            }
        )
    else:
        for name in good:
            say(f"good     {name}")
        for problem in problems:
            say(f"cannot be used: {problem}")
        say(f"{count(len(good), 'scenario')}, {count(len(problems), 'problem')}")
    if problems:
        raise SystemExit(2)


@click.command()
@store_option
@json_option
def config(store: str | None, as_json: bool) -> None:
    """Print each setting, what it is, and where that comes from; secrets are masked."""
    from checkpoint_assets.cli.settings_report import settings_in_force

    try:
        rows = settings_in_force({"storage_url": store} if store else {})
    except CheckpointError as err:
        raise refusal(err) from err
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(((row.name, row.value, row.origin) for row in rows), ("name", "value", "from"))


@click.command()
@store_option
@json_option
def doctor(store: str | None, as_json: bool) -> None:
    """Look at what a capture needs: Chromium, the store, the disk, fonts; each with its fix."""
    from checkpoint_assets.cli.doctor import examine

    findings = examine(store)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{'ok  ' if finding.ok else 'BAD '} {finding.what}: {finding.found}")
            if finding.fix and not finding.ok:
                say(f"       {finding.fix}")
    if not all(finding.ok for finding in findings):
        raise SystemExit(1)
