"""The evaluation in a terminal: short, aligned, and harmless."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petpark.evidence.build import BuildEvidence, Comparison
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import Evaluation
from petpark.report import words
from petpark.report.text import columns, printable, summary
from tests.report import made


@pytest.fixture(scope="module")
def three() -> Evaluation:
    return made.evaluation(made.labels(3))


def build(evaluation: Evaluation) -> BuildEvidence:
    """Evidence of a build without a champion."""
    return BuildEvidence(validation=made.validation(("gnu",)), package=made.package(), evaluation=evaluation)


def said(evaluation: Evaluation, reasons: tuple[str, ...]) -> str:
    return summary(build(evaluation), reasons)


def line(text: str, start: str) -> str:
    """The one line that starts so."""
    (found,) = [each for each in text.splitlines() if each.strip().startswith(start)]
    return found


def test_a_yes_is_the_first_word(three: Evaluation) -> None:
    assert said(three, ()).splitlines()[0] == "Verdict: yes, the model may be merged."


def test_a_no_comes_with_every_reason(three: Evaluation) -> None:
    lines = said(three, ("accuracy is too low", "3 photos leaked")).splitlines()
    assert lines[:3] == ["Verdict: no, for 2 reasons.", "  - accuracy is too low", "  - 3 photos leaked"]
    assert said(three, ("one",)).startswith("Verdict: no, for 1 reason.\n")


def test_it_says_what_the_model_was_compared_with(three: Evaluation) -> None:
    comparison = Comparison(
        champion="0123456789ab",
        champion_model=made.digest("champion"),
        photos=440,
        seen=3,
        champion_accuracy=0.95,
        challenger_accuracy=0.96,
        accuracy_gain=Estimate(value=0.01, low=-0.01, high=0.02),
        cost_gain=Estimate(value=-3.0, low=-5.0, high=9.0),
    )
    for reasons in ((), ("one", "two")):
        text = summary(build(three).model_copy(update={"comparison": comparison}), reasons)
        expected = "Compared with the champion of 0123456789ab on 440 photos: accuracy changes by 1.0% (-1.0% to 2.0%)."
        assert text.splitlines()[len(reasons) + 1] == expected


def test_it_says_why_the_model_was_compared_with_nothing(three: Evaluation) -> None:
    assert said(three, ()).splitlines()[1] == "Compared with nothing, because no champion was asked for."
    text = summary(build(three).model_copy(update={"uncompared": "the \x1b[31mmodel\nis gone"}), ())
    assert text.splitlines()[1] == "Compared with nothing, because the ?[31mmodel is gone."


def test_the_main_figures_come_with_their_intervals(three: Evaluation) -> None:
    text = said(three, ())
    for name, figure in (("accuracy", three.accuracy), ("F1", three.f1), ("calibration", three.calibration_error)):
        assert f"{figure.value:.1%}  {figure.low:.1%} to {figure.high:.1%}" in line(text, name)
    assert "0.987  0.981 to 0.993" in line(text, "ROC-AUC")
    assert f"{three.cost.value:.1f}  {three.cost.low:.1f} to {three.cost.high:.1f}" in line(text, "cost per 1,000")
    assert f"{three.recall_gap.value:.1%}" in line(text, "recall, best less worst")
    assert "600 test photos" in line(text, "accuracy")
    sure = line(text, "sure of its answer")
    assert f"{three.sure.share:.1%}" in sure
    assert f"right on {three.sure.accuracy:.1%} of these (threshold 0.800)" in sure


def test_every_label_has_its_line(three: Evaluation) -> None:
    text = said(three, ())
    for each in three.classes:
        row = line(text, f"recall of {each.label}")
        assert f"{each.recall.value:.1%}  {each.recall.low:.1%} to {each.recall.high:.1%}" in row
        assert f"precision {each.precision.value:.1%}" in row
        assert words.skew(each.rate_ratio.value) in row


def test_figures_stand_below_each_other(three: Evaluation) -> None:
    rows = said(three, ()).splitlines()[3:]
    start = rows[0].index("  ", rows[0].index("%")) + 2
    for row in rows:
        assert row[start - 2 : start] == "  "
        assert " " not in (row[start - 3], row[start])


@pytest.mark.parametrize("count", [2, 3, 5, 6, 50])
@pytest.mark.parametrize("reasons", [0, 1, 5, 6, 40])
def test_it_fits_on_20_lines(count: int, reasons: int) -> None:
    text = said(made.evaluation(made.labels(count), photos=300), tuple(f"reason {k}" for k in range(reasons)))
    assert len(text.splitlines()) <= 20
    assert text == text.rstrip()


def test_what_does_not_fit_is_counted() -> None:
    evaluation = made.evaluation(made.labels(50), photos=500)
    text = said(evaluation, tuple(f"reason {k}" for k in range(9)))
    assert "  - and 5 more" in text
    assert text.splitlines()[-1] == "  and 46 labels more"
    assert [each.label for each in words.worst_first(evaluation)[:4]] == [
        row.split("recall of ")[1].split("  ")[0] for row in text.splitlines() if "recall of" in row
    ]


def test_a_label_without_test_photos_says_so(three: Evaluation) -> None:
    names = made.labels(3)
    truth, odds = np.arange(300) % 2 + 1, np.random.default_rng(0).dirichlet((1, 1, 1), 300)
    found = made.judged(names, truth, odds, np.random.default_rng(0))
    text, empty = said(found, ()), found.classes[0]
    assert line(text, f"recall of {empty.label}").endswith("no test photos")
    assert text.splitlines()[-1].strip().startswith(f"recall of {empty.label}")


def test_a_model_that_is_never_sure_says_so(three: Evaluation) -> None:
    never = three.model_copy(update={"sure": three.sure.model_copy(update={"share": 0.0, "accuracy": 0.0})})
    assert "0.0%  of no photo" in line(said(never, ()), "sure of its answer")


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "\u202eevil", "bell\a", "nul\0", "\x9b2J"])
def test_nothing_reaches_the_terminal_but_print(three: Evaluation, text: str) -> None:
    labelled = made.evaluation((text, "gnu"), photos=200)
    for shown in (said(labelled, ()), said(three, (f"label {text} is bad",))):
        assert all(sign.isprintable() or sign == "\n" for sign in shown)
        assert printable(text) in shown


def test_a_line_break_in_a_name_makes_no_line(three: Evaluation) -> None:
    assert "  - a b c" in said(three, ("a\nb\r\n\tc",)).splitlines()


@given(st.text())
def test_whatever_is_printable_stays_so(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_long_and_wide_labels_keep_the_table_aligned() -> None:
    names = ("猫" * 40, "cafe\u0301", "gnu", "very " * 20)
    rows = said(made.evaluation(names, photos=400), ()).splitlines()[3:]
    assert max(columns(row) for row in rows) < 120
    starts = {
        columns(row[: row.index(" to ")]) - len(row[: row.index(" to ")].split()[-1]) for row in rows if " to " in row
    }
    assert len(starts) == 1


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (1.07, "7.0% too often"),
        (0.93, "7.0% too rarely"),
        (1.3, "30.0% too often"),
        (1.0, "as often as it occurs"),
        (1.0004, "as often as it occurs"),
        (0.9994, "0.1% too rarely"),
        (0.0, "never"),
        (2.5, "150.0% too often"),
    ],
)
def test_a_rate_ratio_is_put_into_words(ratio: float, said: str) -> None:
    assert words.skew(ratio) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1200, "1.2 kB"), (3_400_000, "3.4 MB"), (2**31, "2,147.5 MB")],
)
def test_sizes_are_round(count: int, said: str) -> None:
    assert words.size(count) == said


def test_things_are_counted_in_english() -> None:
    assert [words.count(n, "photo") for n in (0, 1, 1204)] == ["0 photos", "1 photo", "1,204 photos"]


def test_an_interval_is_beyond_chance_only_if_it_leaves_the_neutral_value_out() -> None:
    assert words.beyond_chance(Estimate(value=1.1, low=1.01, high=1.2), 1)
    assert words.beyond_chance(Estimate(value=0.9, low=0.8, high=0.99), 1)
    assert not words.beyond_chance(Estimate(value=1.1, low=1.0, high=1.2), 1)


def test_the_most_frequent_confusion_comes_first(three: Evaluation) -> None:
    counted = three.model_copy(update={"confusion": ((90, 3, 0), (7, 40, 3), (0, 0, 0))})
    assert words.confused(counted) == [
        ("bat", "ant", 7, 7 / 50),
        ("bat", "cow", 3, 3 / 50),
        ("ant", "bat", 3, 3 / 93),
    ]


def test_the_most_skewed_label_is_the_farthest_from_1(three: Evaluation) -> None:
    far = Estimate(value=0.5, low=0.4, high=0.6)
    first, *others = three.classes
    skewed = three.model_copy(update={"classes": (*others, first.model_copy(update={"rate_ratio": far}))})
    found = words.most_skewed(skewed)
    assert found is not None
    assert found.label == first.label
    none = tuple(each.model_copy(update={"photos": 0}) for each in three.classes)
    assert words.most_skewed(three.model_copy(update={"classes": none})) is None
