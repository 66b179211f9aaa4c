"""What is written down of an action: what is known of it, and nothing else."""

from __future__ import annotations

from checkpoint_assets.collection.action_record import ActionRecord
from checkpoint_assets.model.records import SCHEMA_VERSION, encode_json


def test_what_is_not_known_is_left_out():
    record = ActionRecord("goto", 1, "2026-01-31T00:00:00.000000Z")
    assert record.to_dict() == {
        "schema_version": SCHEMA_VERSION,
        "kind": "goto",
        "ordinal": 1,
        "started_at": "2026-01-31T00:00:00.000000Z",
        "outcome": "ok",
    }


def test_what_is_known_to_be_nothing_is_kept():
    record = ActionRecord("uncheck", 2, "now", value=False, matches=0)
    assert record.to_dict()["value"] is False
    assert record.to_dict()["matches"] == 0
    assert ActionRecord("fill", 3, "now", value="").to_dict()["value"] == ""


def test_it_is_plain_json():
    record = ActionRecord("click", 1, "now", selectors=["a"], target={"tag": "a"})
    record.milliseconds["act"] = 1.5
    record.error = {"type": "ElementNotFound", "message": "no"}
    assert encode_json(record.to_dict())
