"""Data and settings: what came, went and changed, batch by batch and name by name."""

from pathlib import Path
from typing import Any

from petpark.report.change import material
from petpark.report.change.material import Corrections, Setting
from tests.report.change.sides import PARAMS, new, old, pair, photo

ONE = {"batch": "one", "role": "train", "photos": 1800, "quarantined": 3, "reasons": {"damaged": 2, "empty": 1}}
PARK = {"batch": "park", "role": "acceptance", "photos": 100, "quarantined": 0, "reasons": {}}
NEXT = {"batch": "next", "role": "train", "photos": 250, "quarantined": 2, "reasons": {"empty": 2}}


def states(tmp_path: Path, after: list[dict[str, Any]], params: str = PARAMS) -> dict[str, tuple[str, int]]:
    base, head = pair(tmp_path, new({"validation.batches": after}), old(), params=params)
    return {each.name: (each.state, each.photos) for each in material.batches(base, head.side)}


def test_batches_that_came_and_went_are_told_apart(tmp_path: Path) -> None:
    assert states(tmp_path, [ONE, NEXT]) == {"one": ("same", 0), "next": ("new", 250), "park": ("gone", -100)}


def test_a_batch_with_other_counts_changed(tmp_path: Path) -> None:
    assert states(tmp_path, [ONE | {"photos": 1790}, PARK])["one"] == ("changed", -10)


def test_a_batch_whose_archive_was_replaced_changed_even_where_the_counts_agree(tmp_path: Path) -> None:
    assert states(tmp_path, [ONE, PARK], PARAMS.replace("sha256: aa", "sha256: cc"))["one"] == ("changed", 0)


def test_without_evidence_of_the_base_every_batch_is_new(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), None)
    assert [each.state for each in material.batches(base, head.side)] == ["new", "new"]


def test_lines_of_corrections_are_counted_by_what_they_say(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old())
    before = {photo(1): "ash", photo(2): "beech", photo(3): "cedar"}
    after = {photo(1): "ash", photo(2): "excluded"} | {photo(place): "cedar" for place in (4, 5)} | {photo(6): "ash"}
    base.corrections.update(before)  # type: ignore[attr-defined]
    head.side.corrections.update(after)  # type: ignore[attr-defined]
    found = material.corrections(base, head.side)
    assert found == Corrections((("cedar", 2), ("ash", 1)), removed=1, changed=1)
    assert found.lines == 5


def test_parameters_that_differ_are_named_in_the_heads_order(tmp_path: Path) -> None:
    params = PARAMS.replace("epochs: 16", "epochs: 20, warmup: 0.2").replace(", mixup: 0.0", "")
    base, head = pair(tmp_path, new(), old(), params=params.replace("sha256: aa", "sha256: ff"))
    assert material.parameters(base, head.side) == [
        Setting("train.epochs", "16", "20"),
        Setting("train.warmup", None, "0.2"),
        Setting("train.mixup", "0", None),
    ], "a batch is data, and no parameter"


def test_entries_of_the_policy_that_differ_are_named_known_or_not(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old(), policy="build: {min_recall: 0.5, later: [1, 2]}\n")
    assert material.policy(base, head.side) == [
        Setting("build.min_recall", None, "0.5"),
        Setting("build.later", None, "[1, 2]"),
    ]
