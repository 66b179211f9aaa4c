"""The command line: ``checkpoint``.

Exit codes: 0 all is well; 1 a session is not complete, or a scenario cannot be used; 2 the call or
a setting is wrong; 130 interrupted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checkpoint_assets.collection.scenario_file import load_scenarios
from checkpoint_assets.config import Settings
from checkpoint_assets.model.errors import CheckpointError
from checkpoint_assets.runtime.terminal import Terminal
from checkpoint_assets.storage.storage_manager import StorageManager

if TYPE_CHECKING:
    from checkpoint_assets.defs.capture_runs import CaptureRun

DAGSTER_HOME = ".dagster"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Capture browser sessions step by step and keep them as data assets."""


@main.command()
@click.argument("names", nargs=-1, metavar="[SCENARIO]...")
@click.option("--scenarios", type=click.Path(path_type=Path), help="Folder of scenario files.")
def capture(names: tuple[str, ...], scenarios: Path | None) -> None:
    """Capture scenarios (all, or those named) through Dagster, one session each."""
    try:
        code = _capture(names, _settings(scenarios))
    except CheckpointError as err:
        raise click.ClickException(str(err)) from err
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        code = 130
    sys.exit(code)


def _capture(names: tuple[str, ...], settings: Settings) -> int:
    with Terminal(sys.stdout) as terminal:
        terminal.doing("loading Dagster")
        # Imported here: Dagster takes a second, and `checkpoint --help` should not.
        from checkpoint_assets.definitions import build_definitions
        from checkpoint_assets.defs.capture_runs import (
            aborted_runs,
            capture_in_process,
            materialize_catalogue,
            register_scenarios,
            terminal_instance,
        )
        from checkpoint_assets.defs.resources import CaptureSetup
        from checkpoint_assets.testing.sites import open_site

        folder = load_scenarios(settings.scenarios)
        wanted = folder.select(names)
        for problem in folder.problems:
            terminal.say(f"cannot be used: {problem}")
        home = dagster_home()
        setup = CaptureSetup(settings, open_site)
        definitions = build_definitions(settings, overrides={"setup": setup})
        runs: list[CaptureRun] = []
        with terminal_instance(home) as instance, terminal.attached(setup.events):
            register_scenarios(instance, [scenario.name for scenario in wanted])
            terminal.say(f"capturing {len(wanted)} scenarios; Ctrl-C stops in order")
            interrupted = False
            try:
                for scenario in wanted:
                    run = capture_in_process(definitions, instance, scenario.name, terminal)
                    if run.reason:
                        where = "" if run.session_id is None else f"{scenario.path}, "
                        terminal.say(f"  {where}{run.reason}")
                    runs.append(run)
            except KeyboardInterrupt:
                interrupted = True
                runs += aborted_runs(terminal.ended)
                terminal.say("interrupted: what was committed is kept")
            terminal.doing("writing the catalogue")
            rows = materialize_catalogue(definitions, instance)
        for line in capture_table(runs):
            terminal.say(line)
        storage = StorageManager(settings.storage_url)
        terminal.say(f"catalogue: {rows} steps in {storage.url}")
        terminal.say("next:")
        terminal.say("  make dev               the runs and assets in Dagster's UI")
        if (last := next((run.session_id for run in runs if run.session_id), None)) is not None:
            terminal.say(f"  ls {storage.session_url(last)}")
    if interrupted:
        return 130
    return 1 if folder.problems or any(run.state != "complete" for run in runs) else 0


@main.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI, on 127.0.0.1.")
def dev(port: int) -> None:
    """Dagster's UI, schedules and sensors on 127.0.0.1, and the built-in sites."""
    import dagster as dg

    from checkpoint_assets.defs.capture_runs import register_scenarios
    from checkpoint_assets.testing.sites import BUILT_IN

    dagster_home()
    try:
        folder = load_scenarios(Settings().scenarios)
    except CheckpointError as err:
        raise click.ClickException(str(err)) from err
    for problem in folder.problems:
        click.echo(f"cannot be used: {problem}", err=True)
    names = [scenario.name for scenario in folder.scenarios]
    with dg.DagsterInstance.get() as instance:
        register_scenarios(instance, names)
    with ExitStack() as stack:
        for name, site in BUILT_IN.items():
            click.echo(f"site {name:10} {stack.enter_context(site()).url}")
        click.echo(f"{len(names)} scenarios are partitions of the capture assets")
        click.echo(f"Dagster starts on http://127.0.0.1:{port} (Ctrl-C ends it)")
        command = [sys.executable, "-m", "dagster", "dev", "-h", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen([*command, "-w", "workspace.yaml"])  # noqa: S603 (our own words)
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            code = 130
    sys.exit(code)


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
        f"{complete} of {len(runs)} sessions complete, {sum(run.steps for run in runs)} steps, "
        f"{sum(run.bytes for run in runs) / 1e6:.1f} MB"
    )
    return ["", head, *rows, "", total]


def _settings(scenarios: Path | None) -> Settings:
    return Settings(scenarios=scenarios) if scenarios else Settings()


def dagster_home() -> Path:
    """The folder of Dagster's files: ``DAGSTER_HOME``, else ``./.dagster``; made if need be.

    It takes its settings from the ``dagster.yaml`` of the working directory.
    """
    home = Path(os.environ.get("DAGSTER_HOME") or DAGSTER_HOME).resolve()
    home.mkdir(parents=True, exist_ok=True)
    settings, own = Path("dagster.yaml").resolve(), home / "dagster.yaml"
    if settings.exists() and not own.exists():
        own.symlink_to(os.path.relpath(settings, home))
    os.environ["DAGSTER_HOME"] = str(home)
    return home
