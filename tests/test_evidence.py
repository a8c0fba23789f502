"""Evidence files: they come back as they were written, and a foreign one is refused in one sentence."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from petpark.errors import DataError
from petpark.evidence.build import BuildEvidence, Comparison
from petpark.evidence.core import Estimate, Evidence
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation
from tests.test_gate import HEALTHY, edited

KINDS: dict[type[Evidence], Evidence | None] = {
    Validation: HEALTHY.validation,
    Package: HEALTHY.package,
    Evaluation: HEALTHY.evaluation,
    Comparison: HEALTHY.comparison,
}


def plain(kind: type[Evidence]) -> dict[str, Any]:
    found = KINDS[kind]
    assert found is not None
    return found.model_dump(mode="json", by_alias=True)


def complaint(kind: type[Evidence], content: str | bytes, path: Path) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DataError) as error:
        kind.read(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_comes_back_as_it_was_written(kind: type[Evidence], tmp_path: Path) -> None:
    found, path = KINDS[kind], tmp_path / "deep" / "evidence.json"
    assert found is not None
    found.write(path)
    assert kind.read(path) == found
    first = path.read_bytes()
    kind.read(path).write(path)
    assert path.read_bytes() == first
    assert json.loads(first)["schema"] == f"{kind.__name__.lower()}/1"


@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_a_later_version_are_passed_over(kind: type[Evidence], tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(plain(kind) | {"introduced later": [1, 2]}))
    assert kind.read(path) == KINDS[kind]


def test_keys_of_a_later_version_are_passed_over_further_in_too() -> None:
    values = plain(Evaluation)
    values["classes"][0]["colour"] = "green"
    values["accuracy"]["samples"] = 7
    assert Evaluation.parse(json.dumps(values), "it") == HEALTHY.evaluation


@pytest.mark.parametrize("kind", KINDS)
def test_another_schema_is_refused(kind: type[Evidence], tmp_path: Path) -> None:
    values = plain(kind) | {"schema": "horoscope/1"}
    sentence = complaint(kind, json.dumps(values), tmp_path / "evidence.json")
    assert f"is no {kind.__name__.lower()} evidence: 'schema'" in sentence


def test_evidence_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "is no package evidence" in complaint(Package, json.dumps(plain(Validation)), tmp_path / "evidence.json")


@pytest.mark.parametrize("content", ["", "{", "schema: evaluation/1", b"\xff\xfe", "[" * 200_000])
def test_what_is_no_json_is_refused(content: str | bytes, tmp_path: Path) -> None:
    assert "is no JSON" in complaint(Evaluation, content, tmp_path / "evidence.json")


@pytest.mark.parametrize("content", ["[]", "null", "7", '"text"'])
def test_what_is_no_object_is_refused(content: str, tmp_path: Path) -> None:
    assert "is no evaluation evidence" in complaint(Evaluation, content, tmp_path / "evidence.json")


def test_a_missing_key_and_a_wrong_type_are_named(tmp_path: Path) -> None:
    values = plain(Evaluation)
    del values["accuracy"]["low"]
    assert "'accuracy.low': Field required" in complaint(Evaluation, json.dumps(values), tmp_path / "evidence.json")
    values = plain(Evaluation)
    values["classes"][1]["photos"] = "many"
    assert "'classes.1.photos'" in complaint(Evaluation, json.dumps(values), tmp_path / "evidence.json")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_a_figure_that_is_no_number_is_refused(number: str, tmp_path: Path) -> None:
    content = json.dumps(plain(Evaluation)).replace('"low": 0.94', f'"low": {number}', 1)
    assert number in content
    assert "finite number" in complaint(Evaluation, content, tmp_path / "evidence.json")


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is missing: make it with `make run`"):
        Validation.read(tmp_path / "none.json")


@pytest.mark.parametrize("kind", KINDS)
def test_evidence_without_a_schema_is_refused(kind: type[Evidence], tmp_path: Path) -> None:
    values = plain(kind)
    del values["schema"]
    assert "'schema': Field required. Make it again" in complaint(kind, json.dumps(values), tmp_path / "evidence.json")


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        (Evaluation, {"accuracy.low": "0.99"}, "'accuracy.low': Input should be a valid number"),
        (Evaluation, {"photos": True}, "'photos': Input should be a valid integer"),
        (Evaluation, {"photos": 450.0}, "'photos': Input should be a valid integer"),
        (Evaluation, {"accuracy": {"value": 0.5, "low": 0.9, "high": 0.1}}, "0.5 lies outside its own interval"),
        (Evaluation, {"accuracy": {"value": 0.96, "low": 0.9, "high": 1.2}}, "not within 0 to 1"),
        (Evaluation, {"roc_auc.low": -0.2}, "not within 0 to 1"),
        (Evaluation, {"brier.high": 2.1}, "not within 0 to 2"),
        (Evaluation, {"cost.low": -1.0}, "not within 0 to inf"),
        (Evaluation, {"recall_gap.high": 1.5}, "not within -1 to 1"),
        (Evaluation, {"model.threshold": 1.5}, "less than or equal to 1"),
        (Evaluation, {"model.sha256": "none"}, "'model.sha256'"),
        (Evaluation, {"photos": 1_000_000_000}, "the confusion matrix holds 450 photos, and 1000000000 were judged"),
        (Evaluation, {"photos": 0}, "'photos': Input should be greater than or equal to 1"),
        (Evaluation, {"classes": []}, "one row and one column for each of 0 classes"),
        (Evaluation, {"classes.1.label": "ash"}, "'ash' comes twice"),
        (Evaluation, {"confusion": []}, "one row and one column for each of 3 classes"),
        (Evaluation, {"confusion": [[1, 2, 3]]}, "one row and one column for each of 3 classes"),
        (Evaluation, {"confusion": [[144, 3, 3], [3, 144, 3], [3, 147]]}, "one row and one column"),
        (Evaluation, {"confusion": [[0, 0, 0]] * 3}, "the confusion matrix holds 0 photos"),
        (Evaluation, {"confusion.0.1": -3}, "'confusion.0.1': Input should be greater than or equal to 0"),
        (Evaluation, {"confusion": [[150, 0, 0], [0, 147, 3], [3, 3, 144]]}, "accuracy is said to be 0.96"),
        (Evaluation, {"confusion": [[145, 3, 2], [3, 144, 3], [3, 4, 143]]}, "not the 150 and 151"),
        (Evaluation, {"confusion": [[145, 3, 2], [2, 144, 4], [3, 3, 144]]}, "accuracy is said"),
        (Evaluation, {"classes.2.recall": {"value": 0.97, "low": 0.9, "high": 1.0}}, "recall of 'cedar' is said"),
        (Evaluation, {"classes.2.precision": {"value": 0.97, "low": 0.9, "high": 1.0}}, "precision of 'cedar' is said"),
        (Evaluation, {"classes.2.rate_ratio": {"value": 1.01, "low": 0.9, "high": 1.1}}, "the rate ratio of 'cedar'"),
        (Evaluation, {"recall_gap": {"value": 0.01, "low": 0.0, "high": 0.1}}, "the gap of recall is said to be 0.01"),
        (Evaluation, {"model.labels": ["ash"]}, "the model knows ('ash',), and the figures are of"),
        (Evaluation, {"model.labels": ["beech", "ash", "cedar"]}, "the model knows"),
        (Evaluation, {"sure.threshold": 0.5}, "the threshold is 0.7, and 0.5 was judged"),
        (Evaluation, {"slices.0.photos": 451}, "a slice holds more photos than the whole"),
        (Evaluation, {"slices.0.photos": 0}, "'slices.0.photos'"),
        (Validation, {"conflicts": -1}, "'conflicts': Input should be greater than or equal to 0"),
        (Validation, {"leaked": -1}, "'leaked': Input should be greater than or equal to 0"),
        (Validation, {"batches.1.quarantined": -5}, "'batches.1.quarantined'"),
        (Validation, {"batches.0.quarantined": 2}, "batch 'one': 2 photos in quarantine, 3 with a reason"),
        (Validation, {"batches.0.photos": 2}, "2 in all"),
        (Validation, {"batches.1.batch": "one"}, "'one' comes twice"),
        (Validation, {"classes.1.label": "ash"}, "'ash' comes twice"),
        (Validation, {"drift.brightness": -0.1}, "'drift.brightness'"),
        (Validation, {"drift.brightness": "0"}, "'drift.brightness'"),
        (Package, {"golden.torch_fp32": -1}, "'golden.torch_fp32'"),
        (Package, {"golden.photos": -1}, "'golden.photos'"),
        (Package, {"golden.int8_agreement": 1.01}, "'golden.int8_agreement'"),
        (Package, {"variants": []}, "int8 was chosen, and is not among the variants"),
        (Package, {"variants.0.name": "int8"}, "'int8' comes twice"),
        (Package, {"variants.1.accuracy": 7}, "'variants.1.accuracy'"),
        (Comparison, {"accuracy_gain.low": -2.0}, "not within -1 to 1"),
        (Comparison, {"photos": 0}, "'photos'"),
        (Comparison, {"champion_model": ""}, "'champion_model'"),
    ],
)
def test_evidence_that_cannot_be_is_refused(
    kind: type[Evidence], changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    values = edited(plain(kind), changes)
    sentence = complaint(kind, json.dumps(values), tmp_path / "evidence.json")
    assert says in sentence
    assert sentence.endswith("Make it again with `make run`.")


def test_rounding_contradicts_nothing() -> None:
    estimate = Estimate(value=0.333333, low=0.3333334, high=0.4)
    changes = {"recall_gap": {"value": 4e-6, "low": 0.0, "high": 0.1}, "model.threshold": 1 + 1e-7}
    values = edited(plain(Evaluation), changes | {"sure.threshold": 1 + 1e-7})
    assert Evaluation.parse(json.dumps(values), "it").recall_gap.value == 4e-6
    assert estimate.low > estimate.value


def test_evidence_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        HEALTHY.validation.leaked = 1  # type: ignore[misc]


def test_an_estimate_reads_as_a_share_with_its_interval() -> None:
    assert str(Estimate(value=0.964, low=0.95, high=0.9761)) == "96.4% (95.0% to 97.6%)"


def test_a_variant_is_found_by_its_name() -> None:
    int8 = HEALTHY.package.variant("int8")
    assert int8 is not None
    assert int8.accuracy == 0.96
    assert HEALTHY.package.variant("int4") is None


def test_a_build_without_a_champion_is_complete() -> None:
    values = HEALTHY.model_dump(mode="json", by_alias=True)
    del values["comparison"]
    assert BuildEvidence.model_validate_json(json.dumps(values)).comparison is None
