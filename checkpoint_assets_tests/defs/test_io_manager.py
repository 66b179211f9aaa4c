"""The IO manager: assets get what their annotations ask for, lazily, and nothing is pickled."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from checkpoint_assets.defs.partitions import scenario_partitions
from checkpoint_assets.model.errors import IntegrityError
from checkpoint_assets.model.records import SessionManifest
from checkpoint_assets.storage.step_artifacts import StepArtifacts
from checkpoint_assets_tests.defs.project import NOTE, VISIT, Project, failure

pytestmark = [pytest.mark.browser, pytest.mark.dagster]

STEPS = ["0001-goto", "0002-fill"]


def same(value: Any) -> Any:
    return value


class Received:
    """What an asset of a test got as its input."""

    def __init__(self) -> None:
        self.value: Any = None

    def by(
        self, upstream: str, annotation: object, read: Callable[[Any], Any] = same
    ) -> dg.AssetsDefinition:
        """An asset that is given ``upstream``, annotated like this, and keeps what it reads."""

        def consumer(value):  # type: ignore[no-untyped-def]
            self.value = read(value)

        consumer.__annotations__ = {"return": None}
        if annotation is not None:
            consumer.__annotations__["value"] = annotation
        ins = {"value": dg.AssetIn(upstream)}
        return dg.asset(ins=ins, partitions_def=scenario_partitions)(consumer)


@pytest.fixture
def received() -> Received:
    return Received()


def load(
    project: Project, upstream: str, annotation: object, read: Callable[[Any], Any] = same
) -> Any:
    """What an asset with this annotation reads of ``upstream``, in a run of its own."""
    received = Received()
    result = project.materialize(received.by(upstream, annotation, read), key="shop-visit")
    assert result.success, failure(result)
    return received.value


@pytest.mark.parametrize(
    ("upstream", "annotation", "kind"),
    [
        ("html_snapshots", StepArtifacts[str], str),
        ("html_snapshots", StepArtifacts[bytes], bytes),
        ("html_snapshots", StepArtifacts, str),
        ("html_snapshots", None, str),
        ("screenshots", StepArtifacts[bytes], bytes),
        ("screenshots", None, bytes),
        ("actions", StepArtifacts[dict[str, Any]], dict),
        ("actions", StepArtifacts[dict], dict),
        ("actions", StepArtifacts[str], str),
    ],
)
def test_step_artifacts_are_what_the_annotation_says(
    captured: Project, upstream: str, annotation: object, kind: type
) -> None:
    def read(value: StepArtifacts[Any]) -> dict[str, type]:
        assert isinstance(value, StepArtifacts)
        assert isinstance(value, Mapping)
        return {step: type(content) for step, content in value.items()}

    assert load(captured, upstream, annotation, read) == dict.fromkeys(STEPS, kind)


def test_the_contents_are_those_of_the_store(captured: Project) -> None:
    (manifest,) = captured.sessions()
    folder = captured.store / manifest.session_id

    html = load(captured, "html_snapshots", StepArtifacts[str], dict)
    pictures = load(captured, "screenshots", StepArtifacts[bytes], dict)
    actions = load(captured, "actions", StepArtifacts[dict], dict)

    for step in STEPS:
        assert html[step] == (folder / f"{step}.html").read_text()
        assert pictures[step] == (folder / f"{step}.webp").read_bytes()
        assert actions[step] == json.loads((folder / f"{step}.action.json").read_text())


@pytest.mark.parametrize("annotation", [dict, dict[str, str]])
def test_annotated_as_a_dict_everything_is_read_at_once(
    captured: Project, annotation: object
) -> None:
    value = load(captured, "html_snapshots", annotation)

    assert type(value) is dict
    assert list(value) == STEPS
    assert "<title>Tea and tableware" in value["0001-goto"]


@pytest.mark.parametrize("upstream", ["capture_session", "html_snapshots"])
def test_a_session_manifest_is_loaded_from_the_session(captured: Project, upstream: str) -> None:
    assert load(captured, upstream, SessionManifest) == captured.sessions()[0]


def test_a_session_without_an_annotation_is_its_manifest(
    captured: Project,
) -> None:
    assert load(captured, "capture_session", None) == captured.sessions()[0]


def test_step_artifacts_are_read_only_when_asked_for(project: Project) -> None:
    name = project.add(VISIT)
    assert project.capture(name).success
    (manifest,) = project.sessions()
    (project.store / manifest.session_id / "0002-fill.html").unlink()

    def read(html: StepArtifacts[str]) -> str:
        with pytest.raises(
            IntegrityError, match=r"0002-fill\.html is in the commit record but not"
        ):
            html["0002-fill"]
        return html["0001-goto"]

    first = load(project, "html_snapshots", StepArtifacts[str], read)

    assert "<title>Tea and tableware" in first


def test_an_asset_gets_the_newest_session(project: Project) -> None:
    name = project.add(VISIT)
    assert project.materialize(names=["actions"], key=name).success
    assert project.materialize(names=["actions"], key=name).success

    actions = load(project, "actions", StepArtifacts[dict])

    assert actions.session_id == project.sessions()[-1].session_id


def test_a_frame_is_a_frame_again(captured: Project, received: Received) -> None:
    table = pd.DataFrame({"step": STEPS, "words": [3, 5]}, index=pd.Index([7, 9], name="line"))

    @dg.asset(partitions_def=scenario_partitions)
    def words() -> pd.DataFrame:
        return table

    result = captured.materialize(words, received.by("words", pd.DataFrame), key="shop-visit")

    assert result.success, failure(result)
    pd.testing.assert_frame_equal(received.value, table)
    again = pd.read_parquet(captured.store / "_views" / "words" / "shop-visit.parquet")
    pd.testing.assert_frame_equal(again, table)


def test_a_frame_without_an_annotation_is_a_frame(captured: Project, received: Received) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def lengths() -> pd.DataFrame:
        return pd.DataFrame({"length": [1, 2]})

    result = captured.materialize(lengths, received.by("lengths", None), key="shop-visit")

    assert result.success, failure(result)
    assert list(received.value["length"]) == [1, 2]


@pytest.mark.parametrize(
    ("content", "annotation"),
    [
        ({"title": "Tea", "prices": [1.5, 2]}, dict),
        ({"title": "Tea"}, dict[str, Any]),
        (["0001-goto", "0002-fill"], list),
        ([{"a": None}], None),
        ({}, dict),
    ],
)
def test_plain_values_are_json(
    captured: Project, received: Received, content: object, annotation: object
) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def facts():  # type: ignore[no-untyped-def]
        return content

    result = captured.materialize(facts, received.by("facts", annotation), key="shop-visit")

    assert result.success, failure(result)
    assert received.value == content
    stored = captured.store / "_views" / "facts" / "shop-visit.json"
    assert json.loads(stored.read_text()) == content


def test_the_asset_in_the_readme_works(captured: Project) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def page_titles(html_snapshots: StepArtifacts[str]) -> dict:  # type: ignore[type-arg]
        return {s: html.split("<title>")[1].split("<")[0] for s, html in html_snapshots.items()}

    result = captured.materialize(page_titles, key="shop-visit")

    assert result.success, failure(result)
    title = "Tea and tableware · Leaf &amp; Kiln"
    assert result.output_for_node("page_titles") == dict.fromkeys(STEPS, title)


def test_step_artifacts_of_an_asset_of_ones_own_are_loaded_again(
    captured: Project, received: Received
) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def pages(html_snapshots: StepArtifacts[str]) -> StepArtifacts[str]:
        return html_snapshots

    consumer = received.by("pages", StepArtifacts[str], dict)
    result = captured.materialize(pages, consumer, key="shop-visit")

    assert result.success, failure(result)
    assert "<title>Tea and tableware" in received.value["0001-goto"]


@pytest.mark.parametrize(
    ("content", "kind"), [(7, "int"), ("<p>", "str"), (b"\0", "bytes"), ({1}, "set")]
)
def test_a_type_that_has_no_place_is_refused(captured: Project, content: object, kind: str) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def odd():  # type: ignore[no-untyped-def]
        return content

    said = failure(captured.materialize(odd, key="shop-visit"))

    assert (
        f"odd returned a {kind}; return a DataFrame, a dict, a list, a SessionManifest or "
        "StepArtifacts"
    ) in said
    assert not (captured.store / "_views" / "odd").exists()


def test_pictures_cannot_be_read_as_text(captured: Project, received: Received) -> None:
    consumer = received.by("screenshots", StepArtifacts[str])

    said = failure(captured.materialize(consumer, key="shop-visit"))

    assert "screenshot cannot be read as str (as bytes)" in said


@pytest.mark.parametrize(
    ("upstream", "annotation", "said"),
    [
        ("html_snapshots", int, "html_snapshots cannot be loaded as int; annotate the input"),
        ("html_snapshots", str, "DataFrame, StepArtifacts, SessionManifest, dict or list"),
        ("html_snapshots", pd.DataFrame, "as StepArtifacts, SessionManifest or dict"),
        ("screenshots", list, "as StepArtifacts, SessionManifest or dict"),
        ("capture_session", StepArtifacts[str], "as SessionManifest or dict"),
        ("capture_session", pd.DataFrame, "as SessionManifest or dict"),
    ],
)
def test_an_annotation_that_does_not_fit_is_refused_with_those_that_do(
    captured: Project, received: Received, upstream: str, annotation: object, said: str
) -> None:
    consumer = received.by(upstream, annotation)

    assert said in failure(captured.materialize(consumer, key="shop-visit"))


@pytest.mark.parametrize(
    ("content", "annotation", "said"),
    [
        (pd.DataFrame({"a": [1]}), dict, "facts cannot be loaded as dict; annotate"),
        (pd.DataFrame({"a": [1]}), StepArtifacts[str], "as DataFrame"),
        ({"a": 1}, pd.DataFrame, "facts cannot be loaded as DataFrame; annotate"),
        ({"a": 1}, SessionManifest, "as dict or list"),
        ({"a": 1}, StepArtifacts[str], "as dict or list"),
    ],
)
def test_an_asset_of_ones_own_is_refused_as_what_it_is_not(
    captured: Project, received: Received, content: object, annotation: object, said: str
) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def facts():  # type: ignore[no-untyped-def]
        return content

    # What another test has left of an asset of that name.
    shutil.rmtree(captured.store / "_views" / "facts", ignore_errors=True)
    consumer = received.by("facts", annotation)

    assert said in failure(captured.materialize(facts, consumer, key="shop-visit"))


def test_a_session_as_a_dict_is_its_manifest_as_json(captured: Project) -> None:
    value = load(captured, "capture_session", dict)

    assert value["session_id"] == captured.sessions()[0].session_id
    assert value["state"] == "complete"


def test_an_input_that_was_never_materialized_says_so(project: Project, received: Received) -> None:
    consumer = received.by("html_snapshots", StepArtifacts[str])

    said = failure(project.materialize(consumer, key=project.add(NOTE)))

    assert "nothing is stored of html_snapshots for note (materialize it first)" in said


def test_step_files_are_written_once_and_pointed_at(captured: Project) -> None:
    (manifest,) = captured.sessions()

    for asset in ("capture_session", "html_snapshots", "screenshots", "actions"):
        pointer = json.loads((captured.store / "_views" / asset / "shop-visit.json").read_text())
        assert pointer["session_id"] == manifest.session_id
        assert len(json.dumps(pointer)) < 200


def is_pickle(data: bytes) -> bool:
    """Every protocol since the second begins and ends so; Dagster writes no older one."""
    return data[:1] == b"\x80" and data[-1:] == b"."


def test_nothing_is_pickled(project: Project, tmp_path: Path) -> None:
    @dg.asset(partitions_def=scenario_partitions)
    def facts(html_snapshots: StepArtifacts[str]) -> dict:  # type: ignore[type-arg]
        return {"steps": len(html_snapshots)}

    name = project.add(NOTE)
    assert project.capture(name).success
    assert project.materialize(facts, key=name).success
    assert project.materialize(names=["step_catalog"]).success

    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if is_pickle(path.read_bytes())] == []
