"""Capturing: ``capture`` and ``dev``, both through Dagster."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from checkpoint_assets.cli.output import count, print_json, refusal
from checkpoint_assets.cli.progress import progress
from checkpoint_assets.collection.blocking import SyncBrowserPool
from checkpoint_assets.collection.browser.chromium import find_chromium
from checkpoint_assets.collection.scenario_file import load_scenarios
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.runtime.terminal import Terminal
from checkpoint_assets.storage.storage_manager import StorageManager

if TYPE_CHECKING:
    from checkpoint_assets.collection.scenario import Scenario
    from checkpoint_assets.defs.capture_runs import CaptureRun

DAGSTER_HOME = ".dagster"
DEFINITIONS = "checkpoint_assets.definitions"


@click.command()
@click.argument("names", nargs=-1, metavar="[SCENARIO]...")
@click.option("--scenarios", type=click.Path(path_type=Path), help="Folder of scenario files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; lines go to standard error.")
def capture(names: tuple[str, ...], scenarios: Path | None, as_json: bool) -> None:
    """Capture scenarios (all, or those named) through Dagster, one session each."""
    try:
        code = _capture(names, _settings(scenarios), as_json)
    except CheckpointError as err:
        raise refusal(err) from err
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = 130
    sys.exit(code)


def _capture(names: tuple[str, ...], settings: Settings, as_json: bool) -> int:
    folder = load_scenarios(settings.scenarios)
    wanted = folder.select(names)
    with Terminal(cast("TextIO", _Stream(as_json))) as terminal:
        for problem in folder.problems:
            terminal.say(f"cannot be used: {problem}")
        if not wanted:
            terminal.say(f"{folder.path}: no scenario to capture")
            return 1
        # What every session would fail by is said once, and before anything is started.
        if any(scenario.source == "local" for scenario in wanted):
            find_chromium(settings.chromium)
        storage = StorageManager(settings.storage_url)
        terminal.doing(f"connecting to {storage.url}")
        asyncio.run(_connect(storage))
        terminal.say(f"capturing {count(len(wanted), 'scenario')}; Ctrl-C stops in order")
        terminal.doing("loading Dagster")
        runs, rows, interrupted = _run(wanted, settings, terminal, as_json)
        for line in capture_table(runs):
            terminal.say(line)
        if rows is not None:
            terminal.say(f"catalogue: {count(rows, 'step')} in {storage.url}")
        terminal.say("next:")
        command = Path(sys.argv[0])
        terminal.say(f"  {command} serve    the sessions in your browser, step by step")
        terminal.say("  make dev                     the runs and assets in Dagster's UI")
        if (last := next((run.session_id for run in runs if run.session_id), None)) is not None:
            location = storage.session_url(last)
            at = f"{command} ls {last}" if "://" in location else f"ls {location}"
            terminal.say(f"  {at}")
    if as_json:
        print_json(
            {
                "sessions": [asdict(run) for run in runs],
                "catalogue": {"url": storage.url, "rows": rows},
                "problems": [str(problem) for problem in folder.problems],
                "interrupted": interrupted,
            }
        )
    if interrupted:
        return 130
    whole = rows is not None and all(run.state == "complete" for run in runs)
    return 0 if whole and not folder.problems else 1


class _Stream(io.TextIOBase):
    """What lines are written to: the standard output of the moment, which a bar may stand in for.

    With ``--json`` it is the standard error.
    """

    def __init__(self, as_json: bool) -> None:
        self._name = "stderr" if as_json else "stdout"

    def write(self, text: str) -> int:
        return getattr(sys, self._name).write(text)

    def flush(self) -> None:
        getattr(sys, self._name).flush()


async def _connect(storage: StorageManager) -> None:
    async with storage:
        pass  # it connects as it enters


def _run(
    wanted: tuple[Scenario, ...], settings: Settings, terminal: Terminal, as_json: bool
) -> tuple[list[CaptureRun], int | None, bool]:
    """The runs, the catalogue's rows (``None``: not written), and whether Ctrl-C ended it all."""
    # Imported here: Dagster takes a second, and `checkpoint --help` should not.
    from checkpoint_assets.definitions import build_definitions
    from checkpoint_assets.defs.capture_runs import (
        CatalogueRun,
        aborted_runs,
        capture_in_process,
        materialize_catalogue,
        register_scenarios,
        terminal_instance,
    )
    from checkpoint_assets.defs.resources import CaptureSetup
    from checkpoint_assets.testing.sites import open_site

    browsers = SyncBrowserPool(settings)
    setup = CaptureSetup(settings, open_site, browsers=browsers)
    definitions = build_definitions(settings, overrides={"setup": setup})
    runs: list[CaptureRun] = []
    catalogue = CatalogueRun()
    interrupted = False
    with (
        browsers,
        terminal_instance(dagster_home()) as instance,
        terminal.attached(setup.events),
    ):
        register_scenarios(instance, [scenario.name for scenario in wanted])
        try:
            with progress("capturing", "scenarios", len(wanted), as_json=as_json) as told:
                for scenario in wanted:
                    run = capture_in_process(definitions, instance, scenario.name, terminal)
                    if run.reason:
                        terminal.say(f"  {run.reason}")
                    runs.append(run)
                    told(len(runs))
        except KeyboardInterrupt:
            interrupted = True
            runs += aborted_runs(terminal.ended)
            terminal.say("interrupted: what was committed is kept")
        terminal.doing("writing the catalogue")
        try:
            catalogue = materialize_catalogue(definitions, instance)
        except KeyboardInterrupt:
            interrupted = True
        if catalogue.reason:
            terminal.say(f"the catalogue could not be written: {catalogue.reason}")
    return runs, catalogue.rows, interrupted


@click.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI, on 127.0.0.1.")
def dev(port: int) -> None:
    """Dagster's UI, schedules and sensors on 127.0.0.1, and the built-in sites."""
    try:
        folder = load_scenarios(Settings().scenarios)
    except CheckpointError as err:
        raise refusal(err) from err
    if not _is_free(port):
        raise click.UsageError(f"port {port} of 127.0.0.1 is in use; name another with --port")
    import dagster as dg

    from checkpoint_assets.defs.capture_runs import register_scenarios
    from checkpoint_assets.testing.sites import BUILT_IN

    dagster_home()
    for problem in folder.problems:
        click.echo(f"cannot be used: {problem}", err=True)
    with dg.DagsterInstance.get() as instance:
        register_scenarios(instance, [scenario.name for scenario in folder.scenarios])
    with ExitStack() as stack:
        for name, site in BUILT_IN.items():
            click.echo(f"site {name:10} {stack.enter_context(site()).url}")
        partitions = count(len(folder.scenarios), "scenario")
        click.echo(f"partitions of the capture assets: {partitions}")
        click.echo(f"Dagster starts on http://127.0.0.1:{port} (Ctrl-C ends it)")
        code = _dagster_dev(port)
    sys.exit(code)


def _dagster_dev(port: int) -> int:
    """Run ``dagster dev`` until it ends, or this process is told to end."""
    # SIGINT too: what a script starts in the background begins deaf to it, and so would Dagster.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if ending is not signal.SIGHUP or signal.getsignal(ending) is not signal.SIG_IGN:  # nohup
            signal.signal(ending, signal.default_int_handler)
    command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
    workspace = Path("workspace.yaml")
    source = ["-w", str(workspace)] if workspace.exists() else ["-m", DEFINITIONS]
    # In a process group of its own: Ctrl-C reaches this process alone, which hands it on once.
    # Twice would end Dagster in the middle of ending its own processes.
    process = subprocess.Popen([*command, *source], process_group=0)  # noqa: S603 (our own words)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        process.wait()
        return 130


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def capture_table(runs: list[CaptureRun]) -> list[str]:
    """Scenario, session, steps, bytes, seconds and state of each run, as lines."""
    head = f"{'scenario':28} {'session':36} {'steps':>5} {'bytes':>10} {'seconds':>8}  state"
    rows = [
        f"{run.scenario:28.28} {run.session_id or '-':36} {run.steps:5} {run.bytes:10} "
        f"{run.seconds:8.1f}  {run.state}"
        for run in runs
    ]
    complete = sum(run.state == "complete" for run in runs)
    total = (
        f"{complete} of {len(runs)} sessions complete, "
        f"{count(sum(run.steps for run in runs), 'step')}, "
        f"{sum(run.bytes for run in runs) / 1e6:.1f} MB"
    )
    return ["", head, *rows, "", total]


def _settings(scenarios: Path | None) -> Settings:
    return Settings(scenarios=scenarios) if scenarios else Settings()


def dagster_home() -> Path:
    """The folder of Dagster's files: ``DAGSTER_HOME``, else ``./.dagster``; made if need be.

    It takes its settings from the ``dagster.yaml`` of the working directory. Where there is none,
    nothing is told to Dagster's makers all the same.
    """
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "yes")
    home = Path(os.environ.get("DAGSTER_HOME") or DAGSTER_HOME).resolve()
    home.mkdir(parents=True, exist_ok=True)
    settings, own = Path("dagster.yaml").resolve(), home / "dagster.yaml"
    if own.is_symlink() and not own.exists():
        own.unlink()  # the folder that it led to has been moved or removed
    if settings.exists() and not own.exists():
        own.symlink_to(os.path.relpath(settings, home))
    os.environ["DAGSTER_HOME"] = str(home)
    return home
