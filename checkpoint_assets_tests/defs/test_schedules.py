from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from checkpoint_assets.collection.cron import is_due
from checkpoint_assets.defs.resources import CaptureSetup
from checkpoint_assets.defs.schedules import scenario_schedule
from checkpoint_assets_tests.defs.project import NOTE, Project

pytestmark = pytest.mark.dagster
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On disk: a schedule opens the instance anew."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


def due(project: Project, moment: datetime) -> dict[str, str]:
    context = dg.build_schedule_context(project.instance, scheduled_execution_time=moment)
    result = scenario_schedule(context, setup=CaptureSetup(project.settings))
    if isinstance(result, dg.SkipReason):
        return {}
    return {str(run.partition_key): str(run.run_key) for run in result}


def write(project: Project, name: str, *lines: str) -> None:
    text = NOTE.replace("name: note", "\n".join([f"name: {name}", *lines]))
    (project.scenarios / f"{name}.yaml").write_text(text)


def test_a_scenario_is_due_by_its_own_cron_and_zone(project: Project) -> None:
    write(project, "hourly", 'schedule: "0 * * * *"')
    write(project, "morning", 'schedule: "30 9 * * *"', "timezone: Europe/Berlin")
    write(project, "never")
    assert set(due(project, datetime(2026, 1, 31, 8, 30, tzinfo=UTC))) == {"morning"}
    assert set(due(project, datetime(2026, 7, 31, 7, 30, tzinfo=UTC))) == {"morning"}
    assert set(due(project, datetime(2026, 7, 31, 8, 0, tzinfo=UTC))) == {"hourly"}
    assert due(project, datetime(2026, 7, 31, 8, 1, tzinfo=UTC)) == {}


def test_one_minute_is_one_run(project: Project) -> None:
    write(project, "hourly", 'schedule: "0 * * * *"')
    moment = datetime(2026, 1, 31, 8, 0, tzinfo=UTC)
    assert due(project, moment) == due(project, moment)
    assert due(project, moment) != due(project, moment.replace(hour=9))


def test_a_scenario_that_is_due_is_a_partition(project: Project) -> None:
    write(project, "hourly", 'schedule: "0 * * * *"')
    due(project, datetime(2026, 1, 31, 8, 0, tzinfo=UTC))
    assert project.instance.get_dynamic_partitions("scenarios") == ["hourly"]


@pytest.mark.parametrize(
    ("schedule", "moment", "expected"),
    [
        ("* * * * *", datetime(2026, 1, 31, 8, 7, tzinfo=UTC), True),
        ("*/15 * * * *", datetime(2026, 1, 31, 8, 45, tzinfo=UTC), True),
        ("*/15 * * * *", datetime(2026, 1, 31, 8, 46, tzinfo=UTC), False),
        ("0 9 * * mon-fri", datetime(2026, 1, 30, 9, 0, tzinfo=UTC), True),
        ("0 9 * * mon-fri", datetime(2026, 1, 31, 9, 0, tzinfo=UTC), False),
        ("0 9 * * 0", datetime(2026, 2, 1, 9, 0, tzinfo=UTC), True),
        ("0 9 * * 7", datetime(2026, 2, 1, 9, 0, tzinfo=UTC), True),
        ("0 9 1 * 7", datetime(2026, 2, 8, 9, 0, tzinfo=UTC), True),
        ("0 9 8 * 1", datetime(2026, 2, 8, 9, 0, tzinfo=UTC), True),
        ("0 9 1 * 1", datetime(2026, 2, 8, 9, 0, tzinfo=UTC), False),
        ("0 9 1 feb *", datetime(2026, 2, 1, 9, 0, tzinfo=UTC), True),
        # The hour that the clocks repeat counts once.
        ("30 2 * * *", datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN), True),
        ("30 2 * * *", datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1), False),
    ],
)
def test_a_minute_fits_a_schedule_or_not(schedule: str, moment: datetime, expected: bool) -> None:
    assert is_due(schedule, moment) is expected
