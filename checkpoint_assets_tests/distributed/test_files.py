"""What an operator is given: each file is held against the schema of the library that reads it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import dagster as dg
import kubernetes.client
import pytest
import yaml
from dagster import DagsterInstance
from dagster._config import process_config
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.instance.config import dagster_instance_config
from dagster._core.scheduler.instigation import TickStatus
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job

from checkpoint_assets_tests.processes import ROOT

DEPLOY = ROOT / "deploy"
CELERY = DEPLOY / "celery"
KUBERNETES = DEPLOY / "kubernetes"


def read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def test_one_machine_ends_and_retries_runs_and_sends_nothing_home(tmp_path: Path) -> None:
    shutil.copy(ROOT / "dagster.yaml", tmp_path)

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds > 0
        assert instance.run_monitoring_start_timeout_seconds > 0
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        limits = instance.get_concurrency_config()
        assert limits.pool_config.pool_granularity.value == "run"
        assert limits.run_queue_config.max_concurrent_runs > 0
        for kind in (InstigatorType.SCHEDULE, InstigatorType.SENSOR):
            days = instance.get_tick_retention_settings(kind)
            assert {days[status] > 0 for status in (TickStatus.SKIPPED, TickStatus.FAILURE)} == {
                True
            }


def test_the_settings_of_many_machines_are_dagsters() -> None:
    settings, _ = dagster_instance_config(str(CELERY))

    assert settings["run_launcher"]["class"] == "CeleryRunLauncher"


def test_kubernetes_and_celery_limit_and_retry_runs_alike() -> None:
    celery = read(CELERY / "dagster.yaml")
    kubernetes_ = read(KUBERNETES / "values.yaml")["additionalInstanceConfig"]

    assert {name: celery[name] for name in kubernetes_} == kubernetes_


def test_each_variable_that_the_files_read_is_explained() -> None:
    given = set(re.findall(r"^(\w+)=", (CELERY / "environment").read_text(), re.MULTILINE))
    files = [path.read_text() for path in sorted(CELERY.iterdir()) if path.is_file()]

    read_by_files = {
        name
        for text in files
        for name in re.findall(r"\{env: (\w+)\}|os\.environ\[\"(\w+)\"\]", text)
        for name in name
        if name
    }

    assert read_by_files
    assert read_by_files <= given


@pytest.fixture
def launcher(tmp_path: Path) -> K8sRunLauncher:
    """As the chart would configure it from our values, for a cluster that is not there."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        yaml.safe_dump(
            {
                "current-context": "none",
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
                "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "none", "user": {}}],
            }
        )
    )
    values = read(KUBERNETES / "values.yaml")["runLauncher"]
    assert values["type"] == "K8sRunLauncher"
    given = values["config"]["k8sRunLauncher"]
    raw = given["runK8sConfig"]
    # The chart's templates rename the keys and pass on the values.
    config = {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "load_incluster_config": False,
        "kubeconfig_file": str(kubeconfig),
        "image_pull_policy": given["imagePullPolicy"],
        "resources": given["resources"],
        "volumes": given["volumes"],
        "volume_mounts": given["volumeMounts"],
        "run_k8s_config": {
            "pod_spec_config": raw["podSpecConfig"],
            "job_spec_config": raw["jobSpecConfig"],
        },
    }
    processed = process_config(K8sRunLauncher.config_type(), config)
    assert processed.success, processed.errors
    assert processed.value is not None
    return K8sRunLauncher(**processed.value)


def test_the_pod_of_a_run_has_shared_memory_for_its_browser(launcher: K8sRunLauncher) -> None:
    run = dg.DagsterRun(job_name="capture_job")
    context = launcher.get_container_context_for_run(run)

    job = construct_dagster_k8s_job(
        context.get_k8s_job_config("registry.example/checkpoint-assets", launcher),
        ["dagster", "api", "execute_run"],
        f"dagster-run-{run.run_id}",
        user_defined_k8s_config=context.run_k8s_config,
    )

    pod = kubernetes.client.ApiClient().sanitize_for_serialization(job)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes[mounts["/dev/shm"]]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert container["resources"]["limits"] == {"memory": "3Gi"}
    assert pod["terminationGracePeriodSeconds"] == 60


def test_values_name_one_image_and_the_code_location() -> None:
    values = read(KUBERNETES / "values.yaml")

    (deployment,) = values["dagster-user-deployments"]["deployments"]
    assert deployment["dagsterApiGrpcArgs"] == ["-m", "checkpoint_assets.definitions"]
    images = [values["dagsterWebserver"]["image"], values["dagsterDaemon"]["image"]]
    assert images == [deployment["image"]] * 2
