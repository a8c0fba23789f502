"""Batches, corrections and settings in words and tables, down to what went away."""

from pathlib import Path
from typing import Any

import pytest

from petpark.report.change import judging, markdown, supply
from petpark.report.change.figures import labels
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import NOTHING
from tests.report import made
from tests.report.change.sides import PARAMS, new, old, pair, photo
from tests.test_gate import counted

ONE = {"batch": "one", "role": "train", "photos": 1800, "quarantined": 3, "reasons": {"damaged": 2, "empty": 1}}
PARK = {"batch": "park", "role": "acceptance", "photos": 100, "quarantined": 0, "reasons": {}}


def data(both: tuple[Side, Head]) -> str:
    return markdown.render(list(supply.data(*both)))


def both(tmp_path: Path, batches: list[dict[str, Any]], **of_head: Any) -> tuple[Side, Head]:
    return pair(tmp_path, new({"validation.batches": batches}), old(), **of_head)


def test_the_same_data_takes_no_line(tmp_path: Path) -> None:
    assert list(supply.data(*both(tmp_path, [ONE, PARK]))) == []


def test_a_batch_that_went_is_told(tmp_path: Path) -> None:
    text = data(both(tmp_path, [ONE]))
    assert f"| `park`<br><sub>acceptance, gone</sub> | 100 → gone | {NOTHING} |" in text
    assert "1 batch as before; in all 1,800 photos in 1 batch, 3 of them in quarantine." in text


def test_a_batch_that_grew_is_told_with_what_was_quarantined_before(tmp_path: Path) -> None:
    grown = ONE | {"photos": 1900, "quarantined": 9, "reasons": {"damaged": 9}}
    assert (
        "| `one`<br><sub>train, changed</sub> | 1,800 → 1,900 (+100 photos) | 3 → 9<br><sub>damaged 9</sub> |"
        in data(both(tmp_path, [grown, PARK]))
    )


def test_a_batch_that_was_replaced_by_as_many_photos_is_told(tmp_path: Path) -> None:
    text = data(both(tmp_path, [ONE, PARK], params=PARAMS.replace("sha256: aa", "sha256: cc")))
    assert "| `one`<br><sub>train, changed</sub> | 1,800 | 3<br><sub>damaged 2, empty 1</sub> |" in text


def test_where_all_batches_differ_none_is_as_before(tmp_path: Path) -> None:
    text = data(both(tmp_path, [ONE | {"photos": 9, "batch": "two"}]))
    assert "as before" not in text
    assert text.count("| `") == 3


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({}, {1: "ash"}, "`corrections.csv`: new 1 as `ash`."),
        ({}, {1: "ash", 2: "ash", 3: "excluded"}, "`corrections.csv`: new 2 as `ash`, 1 as `excluded`."),
        ({1: "ash"}, {}, "`corrections.csv`: 1 line removed."),
        ({1: "ash", 2: "ash"}, {1: "beech", 2: "beech"}, "`corrections.csv`: 2 lines changed."),
        (
            {1: "ash", 2: "ash"},
            {1: "beech", 3: "cedar"},
            "`corrections.csv`: new 1 as `cedar`, 1 line changed, 1 line removed.",
        ),
        ({}, {place: f"l{place}" for place in range(1, 10)}, "1 as `l5`, 1 as `l6`, 3 others."),
    ],
)
def test_corrections_are_told_by_what_they_say(
    before: dict[int, str], after: dict[int, str], said: str, tmp_path: Path
) -> None:
    text = "id,label\n" + "".join(f"{photo(place)},{label}\n" for place, label in after.items())
    base, head = both(tmp_path, [ONE, PARK], corrections=text)
    base.corrections.update({photo(place): label for place, label in before.items()})  # type: ignore[attr-defined]
    assert said in data((base, head))


def test_a_leak_is_among_what_changed(tmp_path: Path) -> None:
    text = data(pair(tmp_path, new({"validation.leaked": 3}), old()))
    assert "| photos to learn from that resemble one to judge on | 0 | 3 |" in text


def test_photos_of_each_label_show_what_moved(tmp_path: Path) -> None:
    text = markdown.render(list(supply.batches(*pair(tmp_path, new({"validation.classes.1.train": 450}), old()))))
    assert "| `ash` | 400 | 40 | 150 |\n| `beech` | 400 → 450 | 40 | 150 |\n" in text


def test_a_few_settings_stand_in_the_first_lines_and_take_no_table(tmp_path: Path) -> None:
    few = pair(tmp_path, new(), old(), params=PARAMS.replace("16", "20"))
    assert list(supply.settings(*few)) == []


def test_a_setting_that_is_empty_or_long_has_its_cell(tmp_path: Path) -> None:
    policy = f"a: ''\nb: {'x' * 300}\nc: [1, 2]\n"
    text = markdown.render(list(supply.settings(*pair(tmp_path, new(), old(), policy=policy))))
    assert "| `a` | not set | `''` |" in text
    assert f"| `b` | not set | `{'x' * 60}…` |" in text
    assert "| `c` | not set | `[1, 2]` |" in text


def rows(before: Any, after: Any) -> str:
    return markdown.render(list(judging.labels(labels(before, after), 4)))


def test_labels_that_came_and_went_are_told() -> None:
    text = rows(made.evaluation(("ant", "bat", "cow"), seed=1), made.evaluation(("bat", "cow", "doe"), seed=2))
    assert "`doe`<br><sub>" in text
    assert " photos, new</sub> | **" in text
    assert f"| `ant`<br><sub>not known any more</sub> | {NOTHING} | {NOTHING} | {NOTHING} |" in text


def test_a_label_without_test_photos_says_so() -> None:
    bare = counted([[150, 0, 0], [0, 150, 0], [0, 0, 0]])
    text = rows(old().evaluation, new(bare).evaluation)
    assert f"| `cedar`<br><sub>0 photos</sub> | no test photos | {NOTHING} | {NOTHING} |" in text


def test_a_skew_beyond_chance_is_bold_and_one_within_it_is_not() -> None:
    often = new(
        {
            **counted([[120, 30, 0], [0, 150, 0], [0, 0, 150]]),
            "evaluation.classes.1.rate_ratio": {"value": 1.2, "low": 1.1, "high": 1.3},
        }
    ).evaluation
    text = rows(old().evaluation, often)
    assert "| **20.0% too often** |" in text
    assert "| as often as it occurs |" in rows(old().evaluation, new().evaluation)
