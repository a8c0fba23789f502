"""Sides are read whole, or refused; the base's evidence may be missing, the head's may not."""

import json
import time
from pathlib import Path

import pytest

from petpark import layout
from petpark.errors import DataError
from petpark.evidence.run import Run
from petpark.report.change import side
from tests.report.change import sides
from tests.report.change.sides import LOSSES, lay, new, old

NEEDED = (layout.VALIDATION, layout.PACKAGE, layout.EVALUATION)


def test_a_head_comes_with_everything_that_it_says(tmp_path: Path) -> None:
    text = f"id,label\n{sides.photo(1)},ash\n{sides.photo(2)},excluded\n"
    found = sides.head(lay(tmp_path, new(), policy="build: {min_recall: 0.5}\n", corrections=text, curves=LOSSES))
    assert found.evidence.comparison == new().comparison
    assert (found.evidence.evaluation, found.side.evaluation) == (new().evaluation, new().evaluation)
    assert found.side.policy == {"build": {"min_recall": 0.5}}
    assert found.side.corrections == {sides.photo(1): "ash", sides.photo(2): "excluded"}
    assert found.side.curves == LOSSES


@pytest.mark.parametrize("path", NEEDED, ids=str)
def test_a_head_without_evidence_is_refused(path: Path, tmp_path: Path) -> None:
    (lay(tmp_path, new()) / path).unlink()
    with pytest.raises(DataError, match=rf"^{path} of the head is missing, so there is no report: .* `make run`\.$"):
        sides.head(tmp_path)


def test_a_head_needs_no_comparison_no_curves_and_no_corrections(tmp_path: Path) -> None:
    folder = lay(tmp_path, new({"comparison": None}), policy=None)
    for path in (layout.CORRECTIONS, layout.PARAMS):
        (folder / path).unlink()
    found = sides.head(folder).side
    assert (found.params, found.policy, found.corrections, found.curves) == ({}, None, {}, {})


def test_a_base_without_evidence_is_one_that_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    found = sides.base(lay(tmp_path, None))
    assert (found.evaluation, found.package, found.validation, found.unread) == (None, None, None, ())


def test_evidence_of_the_base_that_cannot_be_read_is_passed_over_and_said(tmp_path: Path) -> None:
    folder = lay(tmp_path, old(), corrections="nonsense", curves={"loss": [0.1]})
    sides.edited(folder / layout.EVALUATION, {"photos": 7})
    found = sides.base(folder)
    assert found.evaluation is None
    assert found.package == old().package
    assert [each.partition(" of the base")[0] for each in found.unread] == [
        "corrections.csv",
        "reports/evaluation.json",
    ]


def test_a_policy_of_the_base_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"policy\.yaml of the base .* is not YAML"):
        sides.base(lay(tmp_path, old(), policy="a: ["))


@pytest.mark.parametrize(
    ("path", "size"),
    [
        (layout.EVALUATION, 17 << 20),
        (layout.PACKAGE, 5_000_000),
        (layout.COMPARISON, 5_000_000),
        (layout.VALIDATION, 5_000_000),
        (layout.PARAMS, 5_000_000),
        (layout.POLICY, 5_000_000),
        (layout.CORRECTIONS, 9 << 20),
        (layout.TRAINING / "plots" / "metrics" / "loss.tsv", 5_000_000),
    ],
    ids=str,
)
def test_a_file_that_is_too_large_is_not_read(path: Path, size: int, tmp_path: Path) -> None:
    folder = lay(tmp_path, new(), curves=LOSSES)
    (folder / path).write_bytes(b" " * size)
    with pytest.raises(DataError, match=rf"{path.name} has {size:,} bytes, and may have"):
        sides.head(folder)


def test_five_megabytes_of_a_label_are_read_and_harm_nobody(tmp_path: Path) -> None:
    folder = lay(tmp_path, new())
    long = (folder / layout.EVALUATION).read_text().replace('"ash"', json.dumps("ash" * 200_000))
    (folder / layout.EVALUATION).write_text(long)
    assert len(long) > 1_000_000
    assert len(sides.head(folder).evidence.evaluation.classes[0].label) == 600_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("path", "names"), [(layout.EVALUATION, "classes"), (layout.VALIDATION, "batches")], ids=str)
def test_evidence_about_more_things_than_anyone_has_is_refused_at_once(path: Path, names: str, tmp_path: Path) -> None:
    folder, before = lay(tmp_path, new()), time.monotonic()
    first = json.loads((folder / path).read_text())[names][0]
    many = [{**first, "label": str(number), "batch": str(number)} for number in range(2001)]
    sides.edited(folder / path, {names: many})
    with pytest.raises(DataError, match="about more than 2,000 things"):
        sides.head(folder)
    assert time.monotonic() - before < 10


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        (layout.EVALUATION, "{", "is no JSON"),
        (layout.EVALUATION, "[" * 100_000, "is no JSON"),
        (layout.EVALUATION, '{"schema": "evaluation/99"}', "is no evaluation evidence"),
        (layout.EVALUATION, "\udcff", "is no JSON"),
        (layout.VALIDATION, "{}", "is no validation evidence"),
        (layout.COMPARISON, '{"photos": 1}', "is no comparison evidence"),
        (layout.CORRECTIONS, "label,id\n", "holds more than lines of `id,label`"),
        (layout.CORRECTIONS, "", "its first line must be `id,label`"),
        (layout.CORRECTIONS, "id,label\n12,ash\n", "holds more than lines"),
        (layout.CORRECTIONS, 'id,label\n"', "is no CSV"),
        (layout.TRAINING / "plots" / "metrics" / "loss.tsv", "step\tloss\n0\tnan\n", "no training comes to"),
        (layout.TRAINING / "plots" / "metrics" / "loss.tsv", "step\tloss\n0\t1e300\n", "no training comes to"),
        (layout.TRAINING / "plots" / "metrics" / "loss.tsv", "step\tloss\n0\n", "no table of steps"),
    ],
)
def test_what_is_no_evidence_is_refused_in_one_sentence(path: Path, text: str, why: str, tmp_path: Path) -> None:
    folder = lay(tmp_path, new(), curves=LOSSES)
    (folder / path).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=why) as error:
        sides.head(folder)
    assert str(path) in str(error.value)
    assert len(str(error.value)) <= 401


def test_a_complaint_is_short_whatever_it_quotes(tmp_path: Path) -> None:
    folder = lay(tmp_path, new())
    sides.edited(folder / layout.EVALUATION, {"curves": {"k" * 100_000: 1}})
    with pytest.raises(DataError) as error:
        sides.head(folder)
    assert len(str(error.value)) <= 401


def test_forged_figures_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    folder = lay(tmp_path, new())
    sides.edited(folder / layout.EVALUATION, {"accuracy": {"value": 0.999, "low": 0.99, "high": 1.0}})
    with pytest.raises(DataError, match=r"accuracy is said to be 0\.999, and is 0\.96 by the confusion matrix"):
        sides.head(folder)


def test_a_forged_gain_is_refused(tmp_path: Path) -> None:
    folder = lay(tmp_path, new())
    sides.edited(folder / layout.COMPARISON, {"accuracy_gain": {"value": 0.1, "low": 0.05, "high": 0.15}})
    with pytest.raises(DataError, match=r"accuracy is said to change by 0\.1, and changes by 0\.005"):
        sides.head(folder)


def test_what_a_run_took_may_all_be_unknown(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"schema": "run/1"}')
    assert side.read_run(path) == Run()
    given = Run(started="2026-11-25T10:00:00Z", minutes={"train": 2}, photos_ingested=5, runner="ubuntu-24.04")
    given.write(path)
    assert side.read_run(path) == given


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"schema": "run/1", "minutes": {"train": -1}}',
        '{"schema": "run/1", "started": "<b>"}',
        '{"schema": "run/1", "bytes_pushed": 1.5}',
        '{"schema": "run/1", "minutes": {"train": 1e999}}',
    ],
)
def test_a_run_that_cannot_be_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match="is no"):
        side.read_run(tmp_path / "run.json")


def test_a_run_that_is_missing_or_a_link_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run\.json of .* is missing"):
        side.read_run(tmp_path / "run.json")
    (tmp_path / "run.json").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="no ordinary file"):
        side.read_run(tmp_path / "run.json")
