"""How long things are kept: ``pin``, ``unpin``, ``expire``, ``retain``, ``delete``, ``restore``,
``sweep``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import click

from checkpoint_assets.cli.output import (
    answer,
    count,
    json_option,
    opened,
    print_json,
    say,
    store_option,
    tell_catalogue,
)
from checkpoint_assets.cli.progress import progress
from checkpoint_assets.collection.durations import parse_duration
from checkpoint_assets.collection.scenario_file import load_scenarios
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import isoformat, to_utc

# Sessions that go together: the bar moves, and an interrupt is heard, between two such batches.
_BATCH = 20


@click.command()
@click.argument("session")
@click.option("--reason", required=True, help="Why it is held; kept with the pin.")
@store_option
@json_option
def pin(session: str, reason: str, store: str | None, as_json: bool) -> None:
    """Hold SESSION: nothing removes it, or a step of it, until it is unpinned."""
    with opened(store) as manager:
        manager.pin(session, reason)
        tell_catalogue(manager, marks=[session])
    answer(f"{session} is pinned: {reason}", as_json, session=session, pinned=reason)


@click.command()
@click.argument("session")
@click.option("--reason", default="", help="Why it is let go; logged.")
@store_option
@json_option
def unpin(session: str, reason: str, store: str | None, as_json: bool) -> None:
    """Let SESSION go."""
    with opened(store) as manager:
        manager.unpin(session, reason)
        tell_catalogue(manager, marks=[session])
    answer(f"{session} is not pinned", as_json, session=session, pinned=None)


@click.command()
@click.argument("session", required=False)
@click.argument("step", required=False)
@click.option("--in", "ttl", metavar="30d", help="After so long: a number and s, min, h, d or w.")
@click.option("--at", type=click.DateTime(), help="At this time, local if it names no zone.")
@click.option("--never", is_flag=True, help="Not at all any more.")
@click.option("--due", is_flag=True, help="Delete now what has expired, in the whole store.")
@click.option("--dry-run", is_flag=True, help="With --due: only say what would be deleted.")
@store_option
@json_option
def expire(
    session: str | None,
    step: str | None,
    ttl: str | None,
    at: datetime | None,
    never: bool,
    due: bool,
    dry_run: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Say when SESSION, or its STEP, expires; or delete what is --due."""
    if sum([ttl is not None, at is not None, never, due]) != 1 or due != (session is None):
        raise click.UsageError("give SESSION with one of --in, --at, --never; or --due alone")
    with opened(store) as manager:
        if session is None:
            report = manager.apply_expirations(dry_run=dry_run)
            expired = [_named(one.session_id, one.step_id) for one in report.expired]
            held = [_named(one.session_id, one.step_id) for one in report.pinned]
            failed = {name: str(error) for name, error in report.failed.items()}
            if not dry_run:
                tell_catalogue(manager, rows=[one.session_id for one in report.expired])
            _print_report({"expired": expired, "pinned": held}, failed, dry_run, as_json)
        elif never:
            manager.clear_expiration(session, step)
            tell_catalogue(manager, marks=[session])
            what = _named(session, step)
            answer(f"{what} does not expire", as_json, expires=what, at=None)
        else:
            moment = manager.set_expiration(
                session,
                step,
                expires_at=at and to_utc(at),
                ttl=None if ttl is None else parse_duration(ttl),
            )
            tell_catalogue(manager, marks=[session])
            what = _named(session, step)
            answer(f"{what} expires at {isoformat(moment)}", as_json, expires=what, at=moment)


@click.command()
@click.argument("session")
@click.argument("step", required=False)
@click.option("--permanent", is_flag=True, help="At once and with all versions; not restorable.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@store_option
@json_option
def delete(
    session: str, step: str | None, permanent: bool, yes: bool, store: str | None, as_json: bool
) -> None:
    """Delete SESSION, or its STEP; `restore` brings it back for a while."""
    what = _named(session, step)
    if permanent and not yes:
        click.confirm(f"delete {what} for good?", abort=True)
    with opened(store) as manager:
        if step is None:
            manager.delete_session(session, permanent=permanent)
        else:
            manager.delete_step(session, step, permanent=permanent)
        tell_catalogue(manager, rows=[session])
    back = "" if permanent else f"; `checkpoint restore {what.replace('/', ' ')}` undoes it"
    answer(f"{what} is deleted{back}", as_json, deleted=what, restorable=not permanent)


@click.command()
@click.argument("session")
@click.argument("step", required=False)
@store_option
@json_option
def restore(session: str, step: str | None, store: str | None, as_json: bool) -> None:
    """Bring back SESSION, or its STEP, that was deleted and not yet swept."""
    with opened(store) as manager:
        if step is None:
            manager.restore_session(session)
        else:
            manager.restore_step(session, step)
        tell_catalogue(manager, rows=[session])
    answer(f"{_named(session, step)} is back", as_json, restored=_named(session, step))


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@store_option
@json_option
def sweep(dry_run: bool, store: str | None, as_json: bool) -> None:
    """Remove for good what was deleted longer ago than its grace period, and leftovers."""
    with opened(store) as manager:
        report = manager.sweep(dry_run=dry_run)
        failed = {name: str(error) for name, error in report.failed.items()}
        if not dry_run:
            tell_catalogue(manager, marks=[name.partition("/")[0] for name in report.swept])
        lists = {"swept": report.swept, "waiting": report.waiting, "pinned": report.pinned}
        _print_report(lists, failed, dry_run, as_json)


@click.command()
@click.option("--dry-run/--execute", default=True, help="Only plan, or delete what the plan names.")
@click.option("--insist", is_flag=True, help="Execute a plan that names too many sessions.")
@store_option
@json_option
def retain(dry_run: bool, insist: bool, store: str | None, as_json: bool) -> None:
    """Plan what the retention rules let go, with a reason for each session; delete on request."""
    # Frames and all: not needed by the other commands.
    from checkpoint_assets.catalogue.blocking import SyncCatalogue
    from checkpoint_assets.retention.blocking import SyncRetention
    from checkpoint_assets.retention.execute import RetentionReport
    from checkpoint_assets.retention.policy import configured_policies

    with opened(store) as manager:
        settings = Settings()
        rules = configured_policies(
            settings.retention, load_scenarios(settings.scenarios).scenarios
        )
        catalogue = SyncCatalogue(manager)
        with progress("reading the catalogue", as_json=as_json):
            catalogue.refresh()
        retention = SyncRetention(manager, catalogue=catalogue)
        dry = retention.make_plan(rules)
        if dry_run:
            rows = dry.decisions[["session_id", "decision", "why"]].to_dict("records")
            if as_json:
                print_json({"plan": dry.plan.plan_id, "refused": dry.plan.refused, "rows": rows})
                return
            for row in rows:
                say(f"{row['decision']:7} {row['session_id']}: {row['why']}")
            say(f"dry run: plan {dry.plan.plan_id}, {count(len(dry.plan.doomed), 'session')} to go")
            if dry.plan.refused:
                say(f"it would be refused: {dry.plan.refused} (--insist executes it)")
            return
        retention.check_plan(dry.plan, insist=insist)
        report = RetentionReport(dry.plan.plan_id)
        doomed = len(dry.plan.doomed)
        with progress("deleting", "sessions", doomed, as_json=as_json) as told:
            for number, batch in enumerate(dry.plan.batches(_BATCH), 1):
                report.add(retention.execute_batch(dry.plan, batch))
                told(min(number * _BATCH, doomed))
        retention.keep_report(report)
        failed = {name: str(error) for name, error in report.failed.items()}
        _print_report(
            {"deleted": report.deleted, "kept": list(report.kept)}, failed, False, as_json
        )


def _named(session: str, step: str | None) -> str:
    return session if step is None else f"{session}/{step}"


def _print_report(
    lists: Mapping[str, list[str]], failed: Mapping[str, str], dry_run: bool, as_json: bool
) -> None:
    if as_json:
        print_json({**lists, "failed": failed, "dry_run": dry_run})
    else:
        for state, names in lists.items():
            for name in names:
                say(f"{state:8} {name}")
        for name, error in failed.items():
            say(f"failed   {name}: {error}")
        done = ", ".join(f"{len(names)} {state}" for state, names in lists.items())
        say(f"{'dry run: ' if dry_run else ''}{done}, {count(len(failed), 'failure')}")
    if failed:
        raise SystemExit(1)
