"""Settings: a file is weaker than the environment, a call is stronger than both."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from checkpoint_assets.config import CONFIG_FILE, Settings
from checkpoint_assets.model.errors import InvalidConfiguration


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and nothing of ours in the environment."""
    for name in list(os.environ):
        if name.upper().startswith("CHECKPOINT_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**values: object) -> str:
    with pytest.raises(InvalidConfiguration) as caught:
        Settings(**values)
    return str(caught.value)


def test_without_any_source_the_documented_defaults_hold():
    settings = Settings()
    assert settings.headless
    assert settings.scenarios == Path("scenarios")
    assert settings.storage_url is None
    assert settings.allow_private == ()
    assert settings.timeouts.session == 900


def test_a_file_is_read_from_the_working_directory(folder: Path):
    (folder / CONFIG_FILE).write_text(
        'queued_steps = 9\nallow_private = ["127.0.0.1:80"]\n[timeouts]\nsettle = 1.5\n'
    )
    settings = Settings()
    assert settings.queued_steps == 9
    assert settings.allow_private == ("127.0.0.1:80",)
    assert settings.timeouts.settle == 1.5


def test_the_environment_is_stronger_than_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / CONFIG_FILE).write_text("queued_steps = 9\nencode_threads = 3\n")
    monkeypatch.setenv("CHECKPOINT_QUEUED_STEPS", "8")
    assert (Settings().queued_steps, Settings().encode_threads) == (8, 3)


def test_a_call_is_stronger_than_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / CONFIG_FILE).write_text("queued_steps = 9\n")
    monkeypatch.setenv("CHECKPOINT_QUEUED_STEPS", "8")
    assert Settings(queued_steps=7).queued_steps == 7


def test_single_timeouts_come_from_different_sources(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / CONFIG_FILE).write_text("[timeouts]\nsettle = 1\nclose = 1\n")
    monkeypatch.setenv("CHECKPOINT_TIMEOUTS__CLOSE", "2")
    settings = Settings(timeouts={"action": 3})
    found = settings.timeouts
    assert (found.settle, found.close, found.action, found.capture) == (1, 2, 3, 10)


def test_the_file_may_be_somewhere_else(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / CONFIG_FILE).write_text("queued_steps = 9\n")
    (folder / "other.toml").write_text("queued_steps = 5\n")
    monkeypatch.setenv("CHECKPOINT_CONFIG", str(folder / "other.toml"))
    assert Settings().queued_steps == 5


def test_a_named_file_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKPOINT_CONFIG", "nowhere.toml")
    assert "nowhere.toml" in refusal()


def test_an_unknown_key_of_the_file_is_named(folder: Path):
    (folder / CONFIG_FILE).write_text("headles = true\n")
    assert "headles:" in refusal()


def test_an_unknown_nested_key_of_the_file_is_named(folder: Path):
    (folder / CONFIG_FILE).write_text("[timeouts]\nsettel = 1\n")
    assert "timeouts.settel:" in refusal()


def test_an_unknown_argument_of_the_call_is_named():
    assert "headles:" in refusal(headles=True)


def test_a_file_that_is_no_toml_is_named_with_the_place(folder: Path):
    (folder / CONFIG_FILE).write_text("queued_steps = \n")
    message = refusal()
    assert CONFIG_FILE in message
    assert "line 1" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHECKPOINT_QUEUED_STEPS", "many"),
        ("CHECKPOINT_QUEUED_STEPS", "0"),
        ("CHECKPOINT_HEADLESS", "perhaps"),
        ("CHECKPOINT_TIMEOUTS__SETTLE", "0"),
        ("CHECKPOINT_TIMEOUTS__SETTLE", "nan"),
        ("CHECKPOINT_TIMEOUTS__SETTLE", "inf"),
        ("CHECKPOINT_TIMEOUTS", "soon"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(name, value)
    field = name.removeprefix("CHECKPOINT_").lower().replace("__", ".")
    assert field in refusal()


def test_lists_of_the_environment_have_one_entry_per_line(monkeypatch: pytest.MonkeyPatch):
    lines = "--a=1,2\n--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost\n"
    monkeypatch.setenv("CHECKPOINT_CHROMIUM_ARGUMENTS", lines)
    assert Settings().chromium_arguments == (
        "--a=1,2",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
    )


def test_empty_lines_and_the_space_around_entries_do_not_count(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKPOINT_ALLOW_PRIVATE", "\n  127.0.0.1:80  \r\n\n localhost:81\n")
    assert Settings().allow_private == ("127.0.0.1:80", "localhost:81")


def test_an_empty_list_of_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKPOINT_ALLOW_PRIVATE", "")
    assert Settings().allow_private == ()


def test_secrets_in_the_environment_are_no_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CHECKPOINT_SECRET_SHOP_PASSWORD", "correct-horse-7")
    assert "correct-horse-7" not in repr(Settings())


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError):
        Settings().headless = False
