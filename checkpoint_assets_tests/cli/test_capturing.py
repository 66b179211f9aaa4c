"""The command line, as a program of its own: what it prints, stores, returns and leaves behind."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
from moto.server import ThreadedMotoServer

from checkpoint_assets.cli.capturing import dagster_home
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.storage_manager import StorageManager
from checkpoint_assets_tests.pages import HERMETIC
from checkpoint_assets_tests.processes import CHECKPOINT, Program

pytestmark = [pytest.mark.browser, pytest.mark.dagster]

SESSION = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
GOOD = """\
name: good
site: pages
steps:
  - goto: /note.html
"""
TYPO = """\
name: typo
site: pages
steps:
  - goto: /note.html
  - clck: "#tea"
"""
DEAD = """\
name: dead
start_url: http://{address}/
allow_private: ["{address}"]
steps:
  - goto: /
"""
LOST = """\
name: lost
site: pages
steps:
  - goto: /note.html
  - click: {selector: "#no-such-thing", timeout: 0.3}
"""
FILE = """\
name: file
start_url: file:///etc/passwd
steps:
  - goto: /
"""
SLOW = """\
name: slow
site: pages
steps:
  - goto: /note.html
  - wait_for: {selector: "#never", timeout: 60}
"""


class Home:
    """Scenarios, a Dagster home and a local store, all in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.scenarios = folder / "scenarios"
        self.dagster = folder / "dagster"
        self.store = folder / "store"
        (self.scenarios / "pages").mkdir(parents=True)
        (self.scenarios / "pages" / "note.html").write_text("<title>A note</title><p>Kettle on.")

    def write(self, *texts: str) -> None:
        """Put the scenarios into the folder."""
        for text in texts:
            (self.scenarios / f"{text.split()[1]}.yaml").write_text(text)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "DAGSTER_HOME": str(self.dagster),
            "SM_LOCAL_BASE_PATH": str(self.store),
            "CHECKPOINT_SCENARIOS": str(self.scenarios),
            "CHECKPOINT_CHROMIUM_ARGUMENTS": HERMETIC,
            **more,
        }

    def start(self, *arguments: str, **environment: str) -> Program:
        return Program([CHECKPOINT, *arguments], self.environment(**environment))

    def manifests(self) -> dict[str, dict[str, Any]]:
        """The manifest of each stored session, by scenario."""
        found = [json.loads(path.read_text()) for path in self.store.glob("*/session.json")]
        return {manifest["scenario"]: manifest for manifest in found}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def closed_port() -> str:
    """``127.0.0.1:port`` where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_capture_ends_with_a_table_and_what_to_type_next(home: Home) -> None:
    home.write(GOOD)
    with home.start("capture", "good") as program:
        assert program.wait() == 0, program.output

    (session,) = [path.parent.name for path in home.store.glob("*/session.json")]
    output = program.output
    assert re.search(r"^  good +0001-goto +\d+ ms +\d+ kB$", output, re.MULTILINE)
    assert re.search(r"^scenario +session +steps +bytes +seconds +state$", output, re.MULTILINE)
    assert re.search(rf"^good +{session} +1 +\d+ +\d+\.\d  complete$", output, re.MULTILINE)
    assert re.search(r"^1 of 1 sessions complete, 1 step, \d+\.\d MB$", output, re.MULTILINE)
    assert f"catalogue: 1 step in {home.store.as_uri()}" in program.lines
    following = program.lines[program.lines.index("next:") + 1 :]
    assert following == [
        f"  {CHECKPOINT} serve    the sessions in your browser, step by step",
        "  make dev                     the runs and assets in Dagster's UI",
        f"  ls {home.store / session}",
    ]
    assert program.remains() == []


def test_with_json_nothing_else_is_on_the_standard_output(home: Home) -> None:
    home.write(GOOD, LOST)
    command = [CHECKPOINT, "capture", "good", "lost", "--json"]
    environment = os.environ | home.environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert {each["scenario"]: each["state"] for each in told["sessions"]} == {
        "good": "complete",
        "lost": "incomplete",
    }
    assert told["catalogue"] == {"url": home.store.as_uri(), "rows": 3}
    assert (told["interrupted"], told["problems"]) == (False, [])
    assert "0001-goto" in done.stderr


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Home, str]]:
    """A capture of one good scenario among four that cannot be captured."""
    home, address = Home(tmp_path_factory.mktemp("mixed")), closed_port()
    home.write(GOOD, TYPO, LOST, FILE, DEAD.format(address=address))
    with home.start("capture", CHECKPOINT_ALLOW_PRIVATE=address) as program:
        program.wait()
        yield program, home, address


class TestAFolderWithBrokenScenarios:
    """Each message says what and where; the good scenario is captured all the same."""

    def test_a_typo_is_named_with_its_line_and_the_right_word(
        self, mixed: tuple[Program, Home, str]
    ) -> None:
        program, home, _ = mixed
        said = f"{home.scenarios}/typo.yaml:5: unknown step 'clck' (did you mean 'click'?)"
        assert f"cannot be used: {said}" in program.lines

    def test_a_file_url_is_refused(self, mixed: tuple[Program, Home, str]) -> None:
        program, home, _ = mixed
        (line,) = program.lines_with("file.yaml")
        assert line.startswith(f"cannot be used: {home.scenarios}/file.yaml:2: start_url: ")
        assert "'file' is not allowed" in line

    def test_a_dead_url_is_named_with_its_step(self, mixed: tuple[Program, Home, str]) -> None:
        program, home, address = mixed
        (line,) = program.lines_with("dead.yaml")
        assert line.startswith(f"  {home.scenarios}/dead.yaml, line 5, step 1 (goto): ")
        assert f"http://{address}/ cannot be opened: ERR_CONNECTION_REFUSED" in line

    def test_a_selector_without_a_match_is_named_with_its_step(
        self, mixed: tuple[Program, Home, str]
    ) -> None:
        program, home, _ = mixed
        (line,) = program.lines_with("lost.yaml")
        assert line.startswith(f"  {home.scenarios}/lost.yaml, line 5, step 2 (click): ")
        assert "'#no-such-thing'" in line

    def test_the_good_one_is_captured(self, mixed: tuple[Program, Home, str]) -> None:
        _, home, _ = mixed
        assert home.manifests()["good"]["state"] == "complete"

    def test_the_others_are_kept_as_far_as_they_came(
        self, mixed: tuple[Program, Home, str]
    ) -> None:
        _, home, _ = mixed
        lost = home.manifests()["lost"]
        assert lost["state"] == "incomplete"
        assert lost["steps"] == ["0001-goto", "0002-click"]
        assert home.manifests().keys() == {"good", "dead", "lost"}

    def test_the_table_tells_them_apart(self, mixed: tuple[Program, Home, str]) -> None:
        program, _, _ = mixed
        table = program.output.partition("scenario   ")[2]
        states = re.findall(rf"^(\w+) +{SESSION} .* (\w+)$", table, re.MULTILINE)
        assert states == [("dead", "incomplete"), ("good", "complete"), ("lost", "incomplete")]
        assert program.lines_with("1 of 3 sessions complete")

    def test_the_exit_code_is_1(self, mixed: tuple[Program, Home, str]) -> None:
        program, _, _ = mixed
        assert program.process.returncode == 1

    def test_no_traceback_is_printed(self, mixed: tuple[Program, Home, str]) -> None:
        program, _, _ = mixed
        assert "Traceback" not in program.output


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Program, Home]]:
    """A capture that got Ctrl-C while it waited in its second step."""
    home = Home(tmp_path_factory.mktemp("interrupted"))
    home.write(GOOD, SLOW)
    with home.start("capture") as program:
        program.wait_for_line("... slow: after step 0001-goto")
        program.interrupt()
        program.wait(60)
        yield program, home


class TestCtrlC:
    """The session ends in order, what is committed stays, and nothing runs on."""

    def test_the_exit_code_is_130(self, interrupted: tuple[Program, Home]) -> None:
        program, _ = interrupted
        assert program.process.returncode == 130

    def test_the_session_is_aborted(self, interrupted: tuple[Program, Home]) -> None:
        program, home = interrupted
        manifest = home.manifests()["slow"]
        assert manifest["state"] == "aborted"
        assert manifest["steps"] == ["0001-goto"]
        assert program.lines_with("slow ", manifest["session_id"], "aborted")

    def test_committed_steps_can_be_read(self, interrupted: tuple[Program, Home]) -> None:
        _, home = interrupted
        session = home.manifests()["slow"]["session_id"]
        manager = StorageManager(home.store.as_uri())
        html, webp, action, _ = asyncio.run(manager.retrieve_step_data(session, "0001-goto"))
        assert "Kettle on." in (html or "")
        assert webp
        assert (action or {})["outcome"] == "ok"

    def test_what_was_captured_before_is_in_the_table(
        self, interrupted: tuple[Program, Home]
    ) -> None:
        program, home = interrupted
        assert program.lines_with("good ", home.manifests()["good"]["session_id"], "complete")
        assert program.lines_with("1 of 2 sessions complete, 2 steps")

    def test_no_traceback_is_printed(self, interrupted: tuple[Program, Home]) -> None:
        program, _ = interrupted
        assert "Traceback" not in program.output
        assert program.lines_with("interrupted: what was committed is kept")

    def test_no_browser_and_no_other_process_stays(self, interrupted: tuple[Program, Home]) -> None:
        program, _ = interrupted
        assert program.remains() == []

    def test_the_run_does_not_stay_open(self, interrupted: tuple[Program, Home]) -> None:
        _, home = interrupted
        with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
            runs = instance.get_runs(dg.RunsFilter(job_name="capture_job"))
            states = {run.tags["dagster/partition"]: run.status for run in runs}
        assert states["good"] is dg.DagsterRunStatus.SUCCESS
        assert states["slow"] in {dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.FAILURE}

    def test_while_a_page_is_waited_for_it_says_so(self, interrupted: tuple[Program, Home]) -> None:
        program, _ = interrupted
        (line,) = program.lines_with("... slow: after step 0001-goto")
        assert re.search(r"\((\d+) s\)$", line)


def test_an_unknown_scenario_is_answered_with_the_nearest_name(home: Home) -> None:
    home.write(GOOD, LOST)
    with home.start("capture", "goood") as program:
        assert program.wait() == 2
    (line,) = program.lines
    assert line == f"Error: {home.scenarios}: no scenario 'goood' (did you mean 'good'?)"


def test_a_folder_without_scenarios_is_no_success(home: Home) -> None:
    with home.start("capture") as program:
        assert program.wait() == 1
    assert program.lines == [f"{home.scenarios}: no scenario to capture"]


def test_a_folder_that_is_not_there_is_named(home: Home) -> None:
    with home.start("capture", "--scenarios", "/nowhere") as program:
        assert program.wait() == 2
    assert program.lines == [
        "Error: /nowhere: the scenarios folder cannot be read: No such file or directory "
        "(name another with --scenarios or CHECKPOINT_SCENARIOS)"
    ]


def test_a_browser_that_is_not_there_is_said_once(home: Home) -> None:
    home.write(GOOD, LOST)
    with home.start("capture", CHECKPOINT_CHROMIUM="/nowhere/chromium") as program:
        assert program.wait() == 2
    (line,) = program.lines
    assert line == (
        "Error: CHECKPOINT_CHROMIUM is '/nowhere/chromium', which is no program "
        "(give the full path of a Chromium, or unset it)"
    )
    assert not home.store.exists()


def test_a_setting_that_cannot_be_used_is_named(home: Home) -> None:
    with home.start("capture", CHECKPOINT_HEADLESS="perhaps") as program:
        assert program.wait() == 2
    (line,) = program.lines
    assert line.startswith("Error: unusable settings: headless: ")


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3_environment(endpoint: str) -> dict[str, str]:
    return {
        "SM_S3_BUCKET_NAME": "checkpoints",
        "SM_S3_ENDPOINT_URL": endpoint,
        "SM_S3_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_a_shop_scenario_is_captured_into_a_bucket(home: Home, s3_endpoint: str) -> None:
    client = boto3.client(
        "s3",
        region_name="eu-central-1",
        endpoint_url=s3_endpoint,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_bucket(
        Bucket="checkpoints",
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
    )
    environment = s3_environment(s3_endpoint) | {"CHECKPOINT_SCENARIOS": "scenarios"}

    with home.start("capture", "shop-sign-in", **environment) as program:
        assert program.wait() == 0, program.output

    keys = [item["Key"] for item in client.list_objects_v2(Bucket="checkpoints")["Contents"]]
    (manifest,) = [key for key in keys if key.endswith("/session.json")]
    session = manifest.partition("/")[0]
    assert sum(key.startswith(f"{session}/") for key in keys) == 16 * 4 + 1
    assert f"{session}/0016-expect.metadata.json" in keys
    assert "_views/capture_session/shop-sign-in.json" in keys
    assert "_views/step_catalog.parquet" in keys
    assert "catalogue: 16 steps in s3://checkpoints" in program.output
    assert f"  {CHECKPOINT} ls {session}" in program.lines
    client.close()
    assert not home.store.exists()


def test_a_bucket_that_is_not_there_is_said_once(home: Home, s3_endpoint: str) -> None:
    home.write(GOOD)
    environment = s3_environment(s3_endpoint) | {"SM_S3_BUCKET_NAME": "no-such-bucket"}

    with home.start("capture", **environment) as program:
        assert program.wait() == 2

    (line,) = program.lines
    assert line.startswith("Error: ")
    assert "no-such-bucket" in line


def test_help_names_the_commands(home: Home) -> None:
    with home.start("--help") as program:
        assert program.wait() == 0
    assert program.lines_with("  capture  ")
    assert program.lines_with("  dev  ")


def test_help_does_not_load_dagster() -> None:
    code = "import sys, checkpoint_assets.cli; sys.exit('dagster' in sys.modules)"
    with Program([sys.executable, "-c", code], {}) as program:
        assert program.wait() == 0


def test_dev_refuses_a_port_that_is_taken(home: Home) -> None:
    home.write(GOOD)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with home.start("dev", "--port", str(port)) as program:
            assert program.wait() == 2
    assert program.lines_with(f"port {port} of 127.0.0.1 is in use; name another with --port")


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, in which ``DAGSTER_HOME`` is ``home``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "home")
    return tmp_path


def test_dagsters_home_is_made_and_takes_the_settings_of_the_working_directory(
    working_directory: Path,
) -> None:
    (working_directory / "dagster.yaml").write_text("telemetry: {enabled: false}\n")

    home = dagster_home()

    assert home == working_directory / "home"
    assert os.environ["DAGSTER_HOME"] == str(home)
    # A link, and a relative one: it follows changes, and the project may be moved.
    assert (home / "dagster.yaml").readlink() == Path("../dagster.yaml")
    assert dagster_home() == home


def test_settings_that_dagsters_home_has_of_its_own_stay(working_directory: Path) -> None:
    (working_directory / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (working_directory / "home").mkdir()
    own = working_directory / "home" / "dagster.yaml"
    own.write_text("telemetry: {enabled: true}\n")

    dagster_home()

    assert own.read_text() == "telemetry: {enabled: true}\n"


def test_a_link_to_settings_that_are_gone_is_made_anew(working_directory: Path) -> None:
    (working_directory / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (working_directory / "home").mkdir()
    own = working_directory / "home" / "dagster.yaml"
    own.symlink_to("../elsewhere/dagster.yaml")

    dagster_home()

    assert own.read_text() == "telemetry: {enabled: false}\n"


def test_a_terminated_capture_leaves_no_process(home: Home) -> None:
    home.write(SLOW)
    with home.start("capture") as program:
        program.wait_for_line("slow", "0001-goto", "ms")
        program.process.send_signal(signal.SIGTERM)
        program.wait(60)
        assert program.remains() == []
    assert home.manifests()["slow"]["state"] == SessionState.ABORTED
