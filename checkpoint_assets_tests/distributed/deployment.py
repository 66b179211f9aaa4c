"""The deployment of ``deploy/celery``: its own files, each machine played by processes.

Nothing is shared but Postgres, Redis and the buckets: every process has a DAGSTER_HOME and a
folder for temporary files of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import urllib.request
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self, TypeVar

import boto3

from checkpoint_assets.testing.faulty_s3 import FaultyS3
from checkpoint_assets_tests.distributed.gate import NAVIGATION, Gate
from checkpoint_assets_tests.distributed.servers import HOST, Postgres, Redis, free_port
from checkpoint_assets_tests.pages import HERMETIC
from checkpoint_assets_tests.processes import BIN, ROOT, Program

DEPLOY = ROOT / "deploy" / "celery"
SESSIONS, SCENARIOS, LOGS = "checkpoints", "scenarios", "dagster-logs"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
_SELECTOR = 'repositoryName: "__repository__", repositoryLocationName: "checkpoint_assets"'
_LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename } } } } }"""
_RUNS = """{ runsOrError { ... on Runs { results {
  runId status startTime endTime tags { key value } } } } }"""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Run:
    """A run of ``capture_job`` as the webserver tells of it; times are those of its execution."""

    id: str
    status: str
    tags: dict[str, str]
    started: float | None
    ended: float | None

    @property
    def scenario(self) -> str:
        return self.tags["dagster/partition"]


class Deployment:
    """A code server, a daemon, a webserver and two workers, until the block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.postgres = Postgres()
        self.redis = Redis()
        self.s3 = FaultyS3(buckets=[SESSIONS, SCENARIOS, LOGS])
        self.gate = Gate(folder)
        self.workers: dict[str, Program] = {}
        self.url = f"http://{HOST}:{free_port()}"
        self._code_port = free_port()
        self._programs: dict[str, Program] = {}
        self.bucket: Any = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for server in (self.postgres, self.redis, self.s3, self.gate):
                stack.enter_context(server)
            self.bucket = boto3.client(
                "s3",
                endpoint_url=self.s3.endpoint_url,
                aws_access_key_id="key",
                aws_secret_access_key="secret",
                region_name="us-west-2",
            )
            stack.callback(self.bucket.close)
            stack.callback(self._end_programs)
            self._start_programs()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _end_programs(self) -> None:
        for program in [*self._programs.values(), *self.workers.values()]:
            program.__exit__()

    def _start_programs(self) -> None:
        workspace = ["-w", str(DEPLOY / "workspace.yaml")]
        code = ["-m", "checkpoint_assets.definitions", "-h", HOST, "-p", str(self._code_port)]
        self._start("code", "dagster", "api", "grpc", *code)
        self._programs["code"].wait_for_line("Started Dagster code server")
        port = self.url.rpartition(":")[2]
        self._start("webserver", "dagster-webserver", *workspace, "-h", HOST, "-p", port)
        self.wait(self._is_loaded, "the code location is not loaded")
        self._start("daemon", "dagster-daemon", "run", *workspace)
        for name in ("first", "second"):
            self.start_worker(name)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        command = [str(BIN / program), *arguments]
        self._programs[name] = Program(command, self._environment(name))

    def start_worker(self, name: str) -> None:
        """A worker that runs one thing at a time."""
        self.workers[name] = Program(
            [
                *(str(BIN / "celery"), "-A", "dagster_celery.app", "worker"),
                *("-Q", "dagster", "-n", f"{name}@%h", "--concurrency", "1", "-l", "INFO"),
            ],
            self._environment(name) | {"PYTHONPATH": str(DEPLOY)},
        )
        self.workers[name].wait_for_line("ready.")

    def lose_worker(self, name: str) -> None:
        """Kill it with all that it has started, as a power cut does."""
        self.workers[name].__exit__()

    @property
    def daemon(self) -> Program:
        """There is one of it."""
        return self._programs["daemon"]

    def _environment(self, name: str) -> dict[str, str]:
        home, temporary = self._folder / name / "home", self._folder / name / "tmp"
        home.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(exist_ok=True)
        shutil.copy(DEPLOY / "dagster.yaml", home)
        return {
            **self.postgres.environment,
            **self.redis.environment,
            "DAGSTER_HOME": str(home),
            "TMPDIR": str(temporary),
            "CODE_SERVER_HOST": HOST,
            "CODE_SERVER_PORT": str(self._code_port),
            "DAGSTER_LOGS_BUCKET": LOGS,
            "AWS_REGION": "us-west-2",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL_S3": self.s3.endpoint_url,
            "SM_S3_ENDPOINT_URL": self.s3.endpoint_url,
            "SM_S3_BUCKET_NAME": SESSIONS,
            "SM_LOCAL_BASE_PATH": str(self._folder / name / "spool"),
            "CHECKPOINT_INBOX": f"s3://{SCENARIOS}",
            "CHECKPOINT_ALLOW_PRIVATE": self.gate.address,
            "CHECKPOINT_CHROMIUM_ARGUMENTS": HERMETIC,
            "CHECKPOINT_TIMEOUTS__NAVIGATION": str(NAVIGATION),
        }

    def drop(self, name: str) -> None:
        """Put a scenario file into the inbox, for the sensor to find."""
        self.bucket.put_object(
            Bucket=SCENARIOS, Key=f"{name}.yaml", Body=self.gate.scenario(name).encode()
        )

    def add(self, name: str) -> None:
        """A scenario and its partition, to be launched by hand."""
        answer = self.query(
            "mutation { addDynamicPartition(repositorySelector: "
            f'{{ {_SELECTOR} }}, partitionsDefName: "scenarios", partitionKey: {quoted(name)})'
            " { __typename } }"
        )
        assert answer["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess", answer
        self.drop(name)

    @contextmanager
    def turned_on(self, sensor: str) -> Generator[None, None, None]:
        """As with the switch in the UI, which is off again afterwards."""
        answer = self.query(
            f"mutation {{ startSensor(sensorSelector: {{ {_SELECTOR}, sensorName: {quoted(sensor)} }})"
            " { __typename ... on Sensor { sensorState { id } } } }"
        )["startSensor"]
        assert answer["__typename"] == "Sensor", answer
        try:
            yield
        finally:
            state = quoted(answer["sensorState"]["id"])
            answer = self.query(f"mutation {{ stopSensor(id: {state}) {{ __typename }} }}")
            assert answer["stopSensor"]["__typename"] == "StopSensorMutationResult", answer

    def limit_pool(self, pool: str, limit: int) -> None:
        """As on the page of pools in the UI."""
        answer = self.query(
            f"mutation {{ setConcurrencyLimit(concurrencyKey: {quoted(pool)}, limit: {limit}) }}"
        )
        assert answer["setConcurrencyLimit"] is True

    def launch(self, scenario: str, **tags: str) -> str:
        """As from the launchpad; the run's id."""
        pairs = {"dagster/partition": scenario, **tags}
        metadata = ", ".join(
            f"{{ key: {quoted(key)}, value: {quoted(value)} }}" for key, value in pairs.items()
        )
        answer = self.query(
            f"mutation {{ launchRun(executionParams: {{ selector: {{ {_SELECTOR},"
            f' jobName: "capture_job" }}, executionMetadata: {{ tags: [{metadata}] }} }})'
            " { __typename ... on LaunchRunSuccess { run { runId } } } }"
        )["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def terminate(self, run_id: str) -> None:
        """As with the button in the UI."""
        answer = self.query(
            f"mutation {{ terminateRun(runId: {quoted(run_id)}) {{ __typename }} }}"
        )
        assert answer["terminateRun"]["__typename"] == "TerminateRunSuccess", answer

    def runs(self, *scenarios: str) -> list[Run]:
        """The runs of these scenarios, oldest first."""
        found = [
            Run(
                each["runId"],
                each["status"],
                {tag["key"]: tag["value"] for tag in each["tags"]},
                each["startTime"],
                each["endTime"],
            )
            for each in self.query(_RUNS)["runsOrError"]["results"]
        ]
        return [run for run in reversed(found) if run.tags.get("dagster/partition") in scenarios]

    def ended(self, *scenarios: str, number: int | None = None) -> list[Run]:
        """Their runs, once all have ended: so many, or one each."""
        wanted = number or len(scenarios)

        def all_ended() -> list[Run] | None:
            runs = self.runs(*scenarios)
            done = len(runs) >= wanted and all(run.status in ENDED for run in runs)
            return runs if done else None

        runs = self.wait(all_ended, f"{wanted} runs of {scenarios} do not end")
        assert len(runs) == wanted, runs
        return runs

    def process_of(self, run_id: str) -> int:
        """The process that executes the run, as its log says."""
        said = self.query(
            f"{{ logsForRun(runId: {quoted(run_id)}) {{ ... on EventConnection {{ events {{"
            " ... on MessageEvent { message } } } } }"
        )["logsForRun"]["events"]
        (pid,) = re.findall(r"Started process for run \(pid: (\d+)\)", json.dumps(said))
        return int(pid)

    def worker_of(self, run: Run) -> str:
        """The worker that took the run's task."""
        task = run.tags["dagster-celery/task_id"]
        (name,) = [
            name for name, program in self.workers.items() if program.lines_with(task, "received")
        ]
        return name

    def browsers(self) -> list[str]:
        """The browsers that runs have started and that still live, and their drivers."""
        commands = [each for program in self.workers.values() for each in program.remains(0)]
        return [each for each in commands if "chrom" in each or "playwright" in each]

    def sessions(self, scenario: str) -> list[dict[str, Any]]:
        """The manifests of the scenario's sessions, in the order of their ids."""
        found = [
            json.loads(self.bucket.get_object(Bucket=SESSIONS, Key=key)["Body"].read())
            for key in self.keys(SESSIONS)
            if key.endswith("/session.json")
        ]
        mine = [manifest for manifest in found if manifest["scenario"] == scenario]
        return sorted(mine, key=lambda manifest: manifest["session_id"])

    def keys(self, bucket: str) -> list[str]:
        """The keys of the bucket."""
        pages = self.bucket.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def query(self, graphql: str) -> dict[str, Any]:
        """What the webserver answers."""
        request = urllib.request.Request(
            f"{self.url}/graphql",
            data=json.dumps({"query": graphql}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            said = json.load(answer)
        assert "errors" not in said, said["errors"]
        return said["data"]

    def wait(self, condition: Callable[[], _T | None], otherwise: str, seconds: float = 200) -> _T:
        """What the condition says as soon as it says something."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                if said := condition():
                    return said
            except (OSError, HTTPException):
                pass  # the webserver does not listen yet, or has no database for now
            time.sleep(0.3)
        raise AssertionError(f"{otherwise}:\n{self.output}")

    def _is_loaded(self) -> bool:
        entries = self.query(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        return [each["locationOrLoadError"]["__typename"] for each in entries] == [
            "RepositoryLocation"
        ]

    @property
    def output(self) -> str:
        """What everybody said, for a message."""
        everybody = {**self._programs, **self.workers}
        return "\n".join(
            f"--- {name}\n" + "\n".join(program.lines[-25:]) for name, program in everybody.items()
        )


def quoted(text: str) -> str:
    """As GraphQL wants it."""
    return json.dumps(text)
