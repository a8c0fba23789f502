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
from tests.test_gate import HEALTHY

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
    assert Evaluation.parse(values, "it") == HEALTHY.evaluation


@pytest.mark.parametrize("kind", KINDS)
def test_another_schema_is_refused(kind: type[Evidence], tmp_path: Path) -> None:
    values = plain(kind) | {"schema": "horoscope/1"}
    sentence = complaint(kind, json.dumps(values), tmp_path / "evidence.json")
    assert f"is no {kind.__name__.lower()} evidence: 'schema'" in sentence


def test_evidence_of_another_kind_is_refused(tmp_path: Path) -> None:
    assert "is no package evidence" in complaint(Package, json.dumps(plain(Validation)), tmp_path / "evidence.json")


@pytest.mark.parametrize("content", ["", "{", "schema: evaluation/1", b"\xff\xfe"])
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
    assert BuildEvidence.model_validate(values).comparison is None
