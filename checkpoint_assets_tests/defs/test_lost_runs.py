"""A run whose process is gone fails; one that is alive is left alone.

That a power cut's runs end is in ``fault/test_power_cut.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from checkpoint_assets.defs.lost_runs import lost_runs, process_begin

pytestmark = pytest.mark.dagster


def said_inside_a_run(instance: dg.DagsterInstance) -> str:
    """What a tick of the sensor says while a run is at work."""
    said: list[str] = []

    @dg.op
    def look(context) -> None:  # type: ignore[no-untyped-def]
        tick = lost_runs(dg.build_sensor_context(context.instance))
        assert isinstance(tick, dg.SkipReason)
        said.append(tick.skip_message or "")

    @dg.job
    def looking() -> None:
        look()

    assert looking.execute_in_process(instance=instance).success
    return said[0]


def test_a_run_that_is_at_work_is_not_lost(tmp_path: Path) -> None:
    quiet = {"telemetry": {"enabled": False}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=quiet) as instance:
        assert said_inside_a_run(instance) == "0 of 1 runs had lost their process"


def test_where_runs_may_be_elsewhere_nothing_is_done() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        said = lost_runs(dg.build_sensor_context(instance))

    assert isinstance(said, dg.SkipReason)
    assert "other machines" in (said.skip_message or "")


def test_a_process_is_known_by_its_begin() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        begin = process_begin(child.pid)
        own = process_begin(os.getpid())
        assert begin is not None
        assert own is not None
        assert own <= begin <= time.time() + 1

    assert process_begin(child.pid) is None
