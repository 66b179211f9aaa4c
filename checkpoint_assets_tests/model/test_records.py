"""Records: equal records are equal bytes, and what JSON cannot say is refused."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from checkpoint_assets.model.enums import SessionState
from checkpoint_assets.model.records import (
    SCHEMA_VERSION,
    ArtifactRecord,
    CommitRecord,
    SessionManifest,
    encode_json,
)

text = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
)  # fmt: skip


@given(plain)
def test_what_is_written_is_read_back(value: object):
    assert json.loads(encode_json(value)) == value


@given(st.dictionaries(text, st.integers()))
def test_equal_values_are_equal_bytes_whatever_their_order(value: dict[str, int]):
    assert encode_json(value) == encode_json(dict(reversed(value.items())))


def test_json_is_compact_sorted_and_in_utf_8():
    assert encode_json({"b": [1, 2], "a": "ü😀"}) == '{"a":"ü😀","b":[1,2]}'.encode()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [{"a": math.nan}]])
def test_numbers_that_json_does_not_have_are_refused(value: object):
    with pytest.raises(ValueError, match="JSON"):
        encode_json(value)


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}, ["a\ud83d"]])
def test_half_a_surrogate_pair_is_refused(value: object):
    with pytest.raises(ValueError, match="surrogates"):
        encode_json(value)


def commit(**fields: object) -> CommitRecord:
    artifact = ArtifactRecord(name="0001.html", size=3, sha256="0" * 64, media_type="text/html")
    values: dict[str, object] = {
        "session_id": "s",
        "step_id": "0001",
        "committed_at": "2026-01-31T00:00:00.000000Z",
        "artifacts": {"html": artifact},
    }
    return CommitRecord.model_validate(values | fields)


def test_each_stored_record_says_which_schema_it_keeps():
    manifest = SessionManifest(session_id="s", state=SessionState.COMPLETE, closed_at="now")
    for record in (commit(), manifest):
        assert json.loads(record.to_json())["schema_version"] == SCHEMA_VERSION


def test_a_record_survives_being_stored():
    record = commit(metadata={"a": [1, None, "ü"]})
    assert CommitRecord.model_validate_json(record.to_json()) == record


def test_fields_of_a_newer_version_are_kept():
    newer = {**json.loads(commit().to_json()), "schema_version": 7, "colour": "blue"}
    assert json.loads(CommitRecord.model_validate(newer).to_json()) == newer


def test_a_record_cannot_be_changed():
    with pytest.raises(ValidationError):
        commit().session_id = "other"


def test_the_size_of_a_step_is_that_of_its_artifacts():
    record = commit()
    assert record.size == 3
    assert commit(artifacts={}).size == 0


def test_a_state_that_does_not_exist_is_refused():
    with pytest.raises(ValidationError):
        SessionManifest.model_validate({"session_id": "s", "state": "done", "closed_at": "now"})
