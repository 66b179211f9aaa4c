"""The commands over a store: what they print, change and return."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from checkpoint_assets.catalogue.blocking import SyncCatalogue
from checkpoint_assets.cli import main
from checkpoint_assets.config import Settings
from checkpoint_assets.model.clock import ManualClock, system_clock
from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets_tests.processes import CHECKPOINT

HOSTILE = "red\x1b[31m\n\u202e"


class Shell:
    """Runs commands over a store in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = (folder / "store").as_uri()

    def run(self, *words: str, code: int = 0, store: bool = True) -> Result:
        place = ["--store", self.url] if store else []
        result = CliRunner().invoke(main, [*words, *place])
        assert result.exit_code == code, result.output
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def lines(self, *words: str) -> list[Any]:
        return [json.loads(line) for line in self.run(*words, "--json").stdout.splitlines()]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    with SyncStorageManager(made.url) as manager:
        for session in ("s1", "s2"):
            for step in ("0001-goto", "0002-click"):
                page = {"url": f"https://a.example/{step}", "title": HOSTILE}
                manager.store_step_data(
                    session, step, html_content=f"<p>{step}", action_data={"kind": "goto"},
                    metadata=page,
                )  # fmt: skip
        manager.close_session("s1", SessionState.COMPLETE, manifest={"scenario": "shop"})
    return made


def test_sessions_are_listed_with_their_states(shell: Shell) -> None:
    rows = shell.lines("ls")
    assert [(row["session"], row["state"]) for row in rows] == [
        ("s1", "complete"),
        ("s2", "incomplete"),
    ]
    assert rows[0]["scenario"] == "shop"
    assert [row["session"] for row in shell.lines("ls", "--scenario", "shop")] == ["s1"]
    assert [row["session"] for row in shell.lines("ls", "--state", "incomplete")] == ["s2"]
    table = shell.run("ls", "--limit", "1").stdout
    assert "s1" in table
    assert "more: --after s1" in table
    assert [row["session"] for row in shell.lines("ls", "--after", "s1")] == ["s2"]


def test_captured_text_commands_no_terminal(shell: Shell) -> None:
    table = shell.run("ls", "s1").stdout
    assert "0001-goto" in table
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert r"red\x1b[31m\n" in table


def test_an_empty_store_and_an_absent_session_are_said(tmp_path: Path, shell: Shell) -> None:
    assert "nothing of that kind" in Shell(tmp_path / "other").run("ls").output
    for words in (("ls", "nobody"), ("show", "nobody"), ("verify", "nobody")):
        assert "there is no session 'nobody'" in shell.run(*words, code=1).output


def test_a_session_and_a_step_are_shown(shell: Shell) -> None:
    shown = json.loads(shell.run("show", "s1").stdout)
    assert (shown["state"], shown["steps"]) == ("complete", ["0001-goto", "0002-click"])
    assert (shown["pinned"], shown["expires_at"]) == (None, None)
    assert json.loads(shell.run("show", "s2").stdout)["state"] == "incomplete"
    record = json.loads(shell.run("show", "s1", "0001-goto").stdout)
    assert record["artifacts"]["html"]["media_type"].startswith("text/")


def test_an_artifact_is_written_as_it_was_stored(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("get", "s1", "0001-goto", "html").stdout_bytes == b"<p>0001-goto"
    target = tmp_path / "page.html"
    shell.run("get", "s1", "0001-goto", "html", "-o", str(target))
    assert target.read_bytes() == b"<p>0001-goto"
    said = shell.run("get", "s1", "0001-goto", "screenshot", code=1).output
    assert "stored without screenshot" in said


def test_a_pinned_session_is_not_deleted(shell: Shell) -> None:
    shell.run("pin", "s1", "--reason", "case 7")
    assert json.loads(shell.run("show", "s1").stdout)["pinned"]["reason"] == "case 7"
    assert "pinned" in shell.run("delete", "s1", code=1).output
    shell.run("unpin", "s1")
    shell.run("delete", "s1")
    assert [row["session"] for row in shell.lines("ls")] == ["s2"]


def test_what_was_deleted_comes_back(shell: Shell) -> None:
    assert "`checkpoint restore s1` undoes it" in shell.run("delete", "s1").output
    shell.run("restore", "s1")
    assert len(shell.lines("ls", "s1")) == 2
    shell.run("delete", "s1", "0001-goto")
    shell.run("restore", "s1", "0001-goto")
    assert len(shell.lines("ls", "s1")) == 2


def test_deleting_for_good_asks(shell: Shell) -> None:
    refused = CliRunner().invoke(main, ["delete", "s1", "--permanent", "--store", shell.url], "n\n")
    assert refused.exit_code == 1
    assert len(shell.lines("ls")) == 2
    shell.run("delete", "s1", "--permanent", "--yes")
    assert "s1" in shell.run("restore", "s1", code=1).output


def test_what_has_expired_goes_when_it_is_due(shell: Shell) -> None:
    shell.run("expire", "s1", "--in", "30d")
    assert json.loads(shell.run("show", "s1").stdout)["expires_at"]
    shell.run("expire", "s1", "--never")
    shell.run("expire", "s2", "--at", "2020-01-31 09:30:00")
    assert shell.json("expire", "--due", "--dry-run")["expired"] == ["s2"]
    assert len(shell.lines("ls")) == 2
    assert "1 expired" in shell.run("expire", "--due").output
    assert [row["session"] for row in shell.lines("ls")] == ["s1"]


@pytest.mark.parametrize(
    "words",
    [
        ("expire", "s1"),
        ("expire", "--in", "3d"),
        ("expire", "s1", "--due"),
        ("expire", "s1", "--in", "3d", "--never"),
        ("expire", "s1", "--in", "soon"),
        ("get", "s1", "0001-goto", "htm"),
        ("ls", "--state", "done"),
        ("verify", "--read", "many"),
        ("ls", "../etc"),
    ],
)
def test_a_wrong_call_is_exit_code_2(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run(*words, code=2).output


def test_the_store_is_verified(shell: Shell) -> None:
    report = shell.json("verify", "--read", "100%")
    assert (report["ok"], report["steps"], report["findings"]) == (True, 4, [])
    page = Path(shell.url.removeprefix("file://")) / "s1" / "0001-goto.html"
    page.chmod(0o600)
    page.write_bytes(b"<q>0001-goto")
    said = shell.run("verify", "s1", "--read", "100%", code=1).output
    assert "corrupt" in said
    assert "s1/0001-goto.html" in said


def test_sweep_and_drain_say_that_there_is_nothing(shell: Shell) -> None:
    assert shell.json("sweep", "--dry-run")["swept"] == []
    assert "0 steps and 0 manifests drained" in shell.run("drain").output


def test_a_swept_session_does_not_come_back(shell: Shell) -> None:
    with SyncStorageManager(shell.url, grace=timedelta()) as manager:
        manager.delete_session("s1")
    assert shell.json("sweep")["swept"] == ["s1"]
    assert "s1" in shell.run("restore", "s1", code=1).output


def test_rows_are_exported(shell: Shell, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in shell.run("export").stdout.splitlines()]
    assert [(row["session_id"], row["step_id"]) for row in rows] == [
        ("s1", "0001-goto"),
        ("s1", "0002-click"),
        ("s2", "0001-goto"),
        ("s2", "0002-click"),
    ]
    target = tmp_path / "sessions.parquet"
    shell.run("export", "--to", "parquet", "--table", "sessions", "-o", str(target))
    assert list(pd.read_parquet(target)["session_id"]) == ["s1", "s2"]
    assert "-o steps.parquet" in shell.run("export", "--to", "parquet", code=2).output


def test_an_export_replaces_no_pipe_and_no_link(shell: Shell, tmp_path: Path) -> None:
    pipe, link, rows = (tmp_path / name for name in ("pipe", "link", "rows.jsonl"))
    os.mkfifo(pipe)
    link.symlink_to(rows)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    shell.run("export", "-o", str(pipe))
    shell.run("export", "-o", str(link))
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert os.read(reader, 65536) == rows.read_bytes() != b""
    os.close(reader)


@pytest.mark.parametrize(
    "words",
    [
        "get s1 0001-goto html -o {out}",
        "export -o {out}",
        "export --to parquet -o {out}",
        "report s1 -o {out}.html",
        "report s1 -o {out}",
        "gallery {out}",
    ],
)
def test_a_place_that_cannot_be_written_to_is_named(
    shell: Shell, tmp_path: Path, words: str
) -> None:
    (tmp_path / "file").write_text("kept")
    out = tmp_path / "file" / "out"
    said = shell.run(*words.format(out=out).split(), code=2).output
    assert f"{out}" in said
    assert "cannot be written: " in said


def test_retention_says_why_and_deletes_only_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path)
    clock = ManualClock(system_clock.now() - timedelta(days=7))
    with SyncStorageManager(shell.url, clock=clock) as manager:
        for number in range(10):
            manager.store_step_data(f"s{number}", "0001-goto", html_content="<p>")
            manager.close_session(f"s{number}", manifest={"scenario": "shop"})
            clock.advance(timedelta(minutes=1))
    monkeypatch.setenv("CHECKPOINT_SCENARIOS", str(tmp_path))
    monkeypatch.setenv("CHECKPOINT_RETENTION", '[{"name": "last", "keep_last": 9}]')
    told = shell.json("retain")
    assert {row["session_id"] for row in told["rows"] if row["decision"] == "delete"} == {"s0"}
    assert "1 session to go" in shell.run("retain", "--dry-run").output
    assert len(shell.lines("ls")) == 10
    assert shell.json("retain", "--execute")["deleted"] == ["s0"]
    assert len(shell.lines("ls")) == 9


def test_scenarios_are_checked_without_a_browser(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("name: good\nstart_url: https://a.example/\nsteps:\n  - goto: /\n")
    bad.write_text("name: bad\nstart_url: https://a.example/\nsteps:\n  - clck: '#a'\n")
    runner = CliRunner()
    assert runner.invoke(main, ["scenario", "check", str(good)]).exit_code == 0
    result = runner.invoke(main, ["scenario", "check", str(good), str(bad)])
    assert result.exit_code == 2
    assert "bad.yaml:4" in result.output
    told = json.loads(runner.invoke(main, ["scenario", "check", str(bad), "--json"]).stdout)
    assert told["problems"][0]["line"] == 4


def test_settings_say_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "checkpoint.toml"
    file.write_text("queued_steps = 7\nencode_threads = 3\n[timeouts]\nsettle = 1.5\n")
    monkeypatch.setenv("CHECKPOINT_CONFIG", str(file))
    monkeypatch.setenv("CHECKPOINT_ENCODE_THREADS", "5")
    monkeypatch.setenv("CHECKPOINT_TIMEOUTS__ACTION", "4")
    monkeypatch.setenv("CHECKPOINT_SECRET_SHOP", "hush-hush")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    monkeypatch.setenv("BROWSERBASE_API_KEY", "hush-hush")
    monkeypatch.setenv("SM_S3_ENDPOINT_URL", "http://ann:hush@hush@127.0.0.1:9000")
    result = CliRunner().invoke(main, ["config", "--json", "--store", "memory://here"])
    assert result.exit_code == 0
    rows = {row["name"]: (row["value"], row["origin"]) for row in json.loads(result.stdout)}
    assert rows["queued_steps"] == ("7", str(file))
    assert rows["encode_threads"] == ("5", "CHECKPOINT_ENCODE_THREADS")
    assert rows["timeouts.settle"] == ("1.5", str(file))
    assert rows["timeouts.action"] == ("4.0", "CHECKPOINT_TIMEOUTS__ACTION")
    assert rows["storage_url"] == ("memory://here", "call")
    assert rows["headless"] == ("True", "default")
    # A field without any entry is a field.
    assert {name.partition(".")[0] for name in rows} >= set(Settings.model_fields)
    assert rows["sources"] == rows["processors"] == rows["backends"] == ("", "default")
    assert rows["SM_S3_ENDPOINT_URL"][0] == "http://***@127.0.0.1:9000"
    assert "hush" not in result.output


def test_doctor_names_a_fix_for_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(tmp_path)
    found = {finding["what"]: finding for finding in shell.json("doctor")}
    assert all(found[name]["ok"] for name in ("create-only", "list after put", "delete"))
    assert found["Chromium"]["ok"]
    monkeypatch.setenv("CHECKPOINT_CHROMIUM", "/no/such/chromium")
    found = {finding["what"]: finding for finding in shell.json("doctor", code=1)}
    assert not found["Chromium"]["ok"]
    assert "full path" in found["Chromium"]["fix"]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("pin s1 --reason case-7", {"session": "s1", "pinned": "case-7"}),
        ("unpin s1", {"session": "s1", "pinned": None}),
        ("expire s1 --never", {"expires": "s1", "at": None}),
        ("expire s1 0001-goto --at 2030-01-31", {"expires": "s1/0001-goto"}),
        ("delete s1", {"deleted": "s1", "restorable": True}),
        ("delete s2 0001-goto --permanent --yes", {"deleted": "s2/0001-goto", "restorable": False}),
        ("get s1 0001-goto html -o {out}", {"file": "{out}", "bytes": 12}),
        ("export -o {out}", {"file": "{out}", "rows": 4}),
        ("report s1 -o {out}.html", {"report": "{out}.html"}),
        ("gallery {out}", {"gallery": "{out}/index.html"}),
        ("show s1", {"session_id": "s1"}),
    ],
)
def test_what_was_done_is_said_in_json(
    shell: Shell, tmp_path: Path, words: str, answer: dict[str, Any]
) -> None:
    out = str(tmp_path / "out")
    told = shell.json(*words.format(out=out).split())
    wanted = {name: each.format(out=out) if isinstance(each, str) else each
              for name, each in answer.items()}  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted


def test_a_restored_session_is_said_in_json(shell: Shell) -> None:
    shell.run("delete", "s1")
    assert shell.json("restore", "s1") == {"restored": "s1"}


def test_json_is_never_mixed_with_content(shell: Shell) -> None:
    for words in (("get", "s1", "0001-goto", "html"), ("export",)):
        assert "-o" in shell.run(*words, "--json", code=2).output


@pytest.mark.parametrize("command", ["export", "verify", "drain", "retain"])
def test_long_work_shows_on_a_terminal_how_far_it_is(
    shell: Shell, tmp_path: Path, command: str
) -> None:
    plain = [CHECKPOINT, command, "--store", shell.url]
    shown, output = on_a_terminal(plain)
    assert re.search("exporting|verifying|draining|reading the catalogue", shown)
    assert "exporting" not in output
    shown, output = on_a_terminal(
        [*plain, "--json", *(["-o", str(tmp_path / "rows")] * (command == "export"))]
    )
    assert shown == ""
    assert json.loads(output)


def on_a_terminal(command: list[str]) -> tuple[str, str]:
    """What the program shows on a terminal that is its standard error, and its standard output."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=its, text=True) as program:
        os.close(its)
        output, _ = program.communicate(timeout=60)
    shown = b""
    with suppress(OSError):  # the end of a terminal whose other side is closed
        while chunk := os.read(ours, 65536):
            shown += chunk
    os.close(ours)
    assert program.returncode == 0, (shown, output)
    return shown.decode(), output


def test_every_command_has_a_help_that_says_what_it_does() -> None:
    for name in main.commands:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0
        assert len(result.output.splitlines()) > 4


def test_the_catalogue_is_told_what_the_commands_do(shell: Shell) -> None:
    with SyncStorageManager(shell.url) as manager:
        catalogue = SyncCatalogue(manager)
        catalogue.append_sessions(["s1", "s2"])

        def told() -> list[tuple[str, int, bool, bool]]:
            frame = catalogue.sessions()
            return [
                (row.session_id, int(row.steps), bool(row.pinned), not pd.isna(row.expires_at))
                for row in frame.itertuples()
            ]

        shell.run("pin", "s1", "--reason", "case 7")
        shell.run("expire", "s2", "--in", "30d")
        assert told() == [("s1", 2, True, False), ("s2", 2, False, True)]
        shell.run("unpin", "s1")
        shell.run("expire", "s2", "--never")
        shell.run("delete", "s1", "0002-click")
        assert told() == [("s1", 1, False, False), ("s2", 2, False, False)]
        shell.run("restore", "s1", "0002-click")
        shell.run("delete", "s2")
        assert told() == [("s1", 2, False, False)]
        shell.run("restore", "s2")
        shell.run("expire", "s1", "--at", "2020-01-01")
        shell.run("expire", "--due")
        assert told() == [("s2", 2, False, False)]
