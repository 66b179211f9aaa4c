"""Step artifacts: a mapping of a session's contents that reads each when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from checkpoint_assets.model.enums import Artifact
from checkpoint_assets.model.errors import IntegrityError, InvalidInput
from checkpoint_assets.storage.blocking import SyncStorageManager
from checkpoint_assets.storage.local import LocalStore
from checkpoint_assets.storage.step_artifacts import StepArtifacts
from checkpoint_assets.testing.recording_store import RecordingStore

STEPS = ["0001-goto", "0002-fill", "0003-click"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(folder: Path) -> RecordingStore:
    return RecordingStore(LocalStore(folder))


@pytest.fixture
def storage(store: RecordingStore) -> Iterator[SyncStorageManager]:
    """Holds a session whose second step has neither HTML nor a picture."""
    with SyncStorageManager(store=store) as manager:
        manager.store_step_data("s1", STEPS[0], "<p>ä", b"one", {"type": "goto"}, {"url": "/"})
        manager.store_step_data("s1", STEPS[1], action_data={"type": "fill"})
        manager.store_step_data("s1", STEPS[2], "<p>3", b"three", {"type": "click"})
        store.calls.clear()
        yield manager


def test_html_is_text_pictures_are_bytes_and_json_is_a_dict(storage: SyncStorageManager) -> None:
    assert StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)[STEPS[0]] == "<p>ä"
    assert StepArtifacts[bytes](storage, "s1", Artifact.SCREENSHOT, STEPS)[STEPS[2]] == b"three"
    actions = StepArtifacts[dict[str, Any]](storage, "s1", Artifact.ACTION, STEPS)
    assert actions[STEPS[1]] == {"type": "fill"}


def test_metadata_is_the_callers_own(storage: SyncStorageManager) -> None:
    metadata = StepArtifacts[Any](storage, "s1", Artifact.METADATA, STEPS)

    assert dict(metadata) == {STEPS[0]: {"url": "/"}, STEPS[1]: {}, STEPS[2]: {}}


def test_text_can_be_had_as_the_bytes_that_are_stored(storage: SyncStorageManager) -> None:
    assert StepArtifacts[bytes](storage, "s1", Artifact.HTML, STEPS)[STEPS[0]] == "<p>ä".encode()


def test_a_step_without_the_artifact_is_not_in_the_mapping(storage: SyncStorageManager) -> None:
    html = StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)

    assert list(html) == [STEPS[0], STEPS[2]]
    assert len(html) == 2
    assert STEPS[1] not in html
    assert html.get(STEPS[1]) is None
    with pytest.raises(KeyError):
        html[STEPS[1]]


def test_an_unknown_step_is_a_key_error(storage: SyncStorageManager) -> None:
    html = StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)

    assert "0009-goto" not in html
    with pytest.raises(KeyError, match="0009-goto"):
        html["0009-goto"]


def test_nothing_is_read_before_it_is_asked_for(
    storage: SyncStorageManager, store: RecordingStore
) -> None:
    html = StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)
    repr(html)
    assert store.calls == []

    html[STEPS[2]]
    assert {call.key for call in store.calls} == {
        "s1/0003-click.metadata.json",
        "s1/0003-click.html",
    }


def test_walking_over_the_keys_reads_commit_records_once_and_no_content(
    storage: SyncStorageManager, store: RecordingStore
) -> None:
    html = StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)

    for _ in range(3):
        list(html)
        len(html)
        assert STEPS[0] in html

    assert [call.key for call in store.calls] == [f"s1/{step}.metadata.json" for step in STEPS]


def test_bytes_that_are_not_those_committed_are_refused(
    storage: SyncStorageManager, folder: Path
) -> None:
    (folder / "s1" / "0001-goto.html").write_text("<p>b")

    with pytest.raises(IntegrityError, match="is not what was committed"):
        StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)[STEPS[0]]


@pytest.mark.parametrize(
    ("artifact", "kind", "said"),
    [
        (Artifact.SCREENSHOT, str, "screenshot cannot be read as str (as bytes)"),
        (Artifact.HTML, dict, "html cannot be read as dict (as str or bytes)"),
        (Artifact.METADATA, bytes, "metadata cannot be read as bytes (as dict)"),
        (Artifact.HTML, int, "html cannot be read as int (as str or bytes)"),
    ],
)
def test_a_kind_that_the_artifact_cannot_be_is_refused(
    storage: SyncStorageManager, artifact: Artifact, kind: type, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        StepArtifacts[kind](storage, "s1", artifact, STEPS)  # type: ignore[valid-type]
    assert str(caught.value) == said


def test_the_same_kind_is_the_same_class() -> None:
    assert StepArtifacts[dict] is StepArtifacts[dict[str, Any]]
    assert StepArtifacts[str] is not StepArtifacts[bytes]
    assert issubclass(StepArtifacts[str], StepArtifacts)


def test_without_a_kind_it_is_the_class_itself() -> None:
    kind = TypeVar("kind", str, bytes)

    assert StepArtifacts[Any] is StepArtifacts
    assert StepArtifacts[kind] is StepArtifacts


def test_it_says_what_it_is_of(storage: SyncStorageManager) -> None:
    html = StepArtifacts[str](storage, "s1", Artifact.HTML, STEPS)

    assert repr(html) == "<html of session s1, 3 steps>"
