"""Runs of the code location on two workers, with Postgres and Redis."""

from __future__ import annotations

import os
import signal

import pytest

from checkpoint_assets_tests.distributed.deployment import LOGS, Deployment

# One deployment serves all tests of this file, in their order.
pytestmark = [
    pytest.mark.distributed,
    pytest.mark.dagster,
    pytest.mark.browser,
    pytest.mark.timeout(600),
]


def test_files_in_the_inbox_are_captured_at_the_same_time_by_both_workers(
    deployment: Deployment,
) -> None:
    for name in ("cup", "bowl"):
        deployment.drop(name)
    with deployment.turned_on("scenario_inbox"):
        deployment.wait(
            lambda: sorted(deployment.gate.waiting) == ["bowl", "cup"],
            "the two are not captured at the same time",
        )
    deployment.gate.open("cup", "bowl")

    runs = deployment.ended("cup", "bowl")
    assert [run.status for run in runs] == ["SUCCESS", "SUCCESS"]
    assert {deployment.worker_of(run) for run in runs} == {"first", "second"}
    for run in runs:
        (session,) = deployment.sessions(run.scenario)
        assert session["state"] == "complete"
        assert session["tags"]["dagster_run_id"] == run.id


def test_what_a_run_printed_is_in_the_bucket(deployment: Deployment) -> None:
    (run,) = deployment.runs("cup")

    assert [key for key in deployment.keys(LOGS) if run.id in key and key.endswith(".err")]


def test_a_killed_run_is_noticed_and_captured_anew(deployment: Deployment) -> None:
    deployment.add("kettle")
    run_id = deployment.launch("kettle")
    deployment.wait(lambda: "kettle" in deployment.gate.waiting, "it is not captured")

    os.kill(deployment.process_of(run_id), signal.SIGKILL)
    deployment.gate.open("kettle")

    killed, again = deployment.ended("kettle", number=2)
    assert (killed.id, killed.status, again.status) == (run_id, "FAILURE", "SUCCESS")
    assert again.tags["dagster/parent_run_id"] == killed.id
    sessions = deployment.wait(
        lambda: found if len(found := deployment.sessions("kettle")) == 2 else None,
        "the session of the killed run is not closed",
    )
    assert [session["state"] for session in sessions] == ["incomplete", "complete"]
    assert killed.id in sessions[0]["reason"]
    assert sessions[1]["tags"]["dagster_run_id"] == again.id
    deployment.wait(lambda: not deployment.browsers(), "its browser outlives a killed run")


def test_a_run_whose_worker_is_lost_fails_in_time_and_is_captured_by_the_other(
    deployment: Deployment,
) -> None:
    deployment.add("spoon")
    run_id = deployment.launch("spoon", **{"dagster/max_runtime": "40"})
    deployment.wait(lambda: "spoon" in deployment.gate.waiting, "it is not captured")
    (run,) = deployment.runs("spoon")

    lost = deployment.worker_of(run)
    deployment.lose_worker(lost)
    deployment.gate.open("spoon")

    failed, again = deployment.ended("spoon", number=2)
    assert (failed.id, failed.status, again.status) == (run_id, "FAILURE", "SUCCESS")
    assert deployment.worker_of(again) != lost
    deployment.start_worker(lost)


def test_no_more_runs_have_a_browser_than_the_pool_allows(deployment: Deployment) -> None:
    deployment.limit_pool("browser", 1)
    for name in ("jug", "mug"):
        deployment.add(name)
        deployment.launch(name)

    deployment.wait(lambda: deployment.gate.waiting, "none is captured")
    deployment.daemon.wait_for_line("is blocked by global concurrency limits")
    assert len(deployment.gate.waiting) == 1
    deployment.gate.open("jug", "mug")

    first, second = sorted(deployment.ended("jug", "mug"), key=lambda run: run.started or 0)
    assert [first.status, second.status] == ["SUCCESS", "SUCCESS"]
    assert (first.ended or 0) <= (second.started or 0)
