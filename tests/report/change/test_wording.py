"""Words of the report: names cut to their place, figures with signs and units, reasons with their names set apart."""

import pytest

from petpark.evidence.core import Estimate
from petpark.report.change import wording
from petpark.report.change.blocks import Code, Range, Small, Strong, Table, Text, line, shortened
from petpark.report.change.figures import Move, Unit
from petpark.report.text import columns


def move(
    gain: tuple[float, float, float] | None, unit: Unit = "share", *, less: bool = False, paired: bool = False
) -> Move:
    figure = Estimate(value=0.5, low=0.4, high=0.6)
    found = None if gain is None else Estimate(value=gain[0], low=gain[1], high=gain[2])
    return Move("accuracy", unit, figure, figure, found, less, paired)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("short", "short"),
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 40 + "…"),
        ("word " * 20, ("word " * 8).rstrip() + "…"),
        ("猫" * 21, "猫" * 20 + "…"),
        ("猫" * 20, "猫" * 20),
        (" a \n\t b ", "a b"),
        ("\x1b[31mred\u202e", "?[31mred?"),
        ("", ""),
    ],
)
def test_a_name_takes_at_most_forty_columns(text: str, short: str) -> None:
    assert wording.shorten(text) == short
    assert columns(short.removesuffix("…")) <= 40


@pytest.mark.parametrize("text", ["e" + "\u0301" * 5_000_000, "\u0301" * 1000, " " * 5_000_000 + "x", "x" * 5_000_000])
def test_signs_that_take_no_column_are_cut_as_well_and_at_once(text: str) -> None:
    assert len(wording.shorten(text)) <= 81


def test_a_name_that_is_empty_is_said_to_be() -> None:
    assert wording.name("") == wording.name(" \n ") == Code("(no name)")


def test_names_and_commands_in_a_reason_are_set_apart() -> None:
    assert wording.reason("recall of 'cat' is low: run `make run` on 0123456789ab") == (
        "recall of ",
        Code("cat"),
        " is low: run ",
        Code("make run"),
        " on ",
        Code("0123456789ab"),
    )


def test_a_reason_is_cut_and_its_quotes_are_then_words() -> None:
    (whole,) = wording.reason(f"label '{'x ' * 400}' is low")
    assert isinstance(whole, str)
    assert len(whole) <= wording.REASON + 1
    assert whole.endswith("…")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0213, "share", "+2.1"),
        (-0.0213, "share", "-2.1"),
        (-0.0004, "share", "+0.0"),
        (0.0, "share", "+0.0"),
        (-0.00049, "score", "+0.000"),
        (0.0126, "score", "+0.013"),
        (-1234.56, "cost", "-1,234.6"),
    ],
)
def test_a_difference_has_its_sign_and_zero_is_never_negative(value: float, unit: Unit, said: str) -> None:
    assert wording.signed(value, unit) == said


def test_a_difference_is_told_with_its_interval_and_unit() -> None:
    assert wording.gained(move((0.02, 0.01, 0.03))) == "+2.0 points (+1.0 to +3.0)"
    assert wording.gained(move((0.02, 0.01, 0.03), "score")) == "+0.020 (+0.010 to +0.030)"
    assert wording.gained(move((-5, -15, 5), "cost")) == "-5.0 (-15.0 to +5.0)"
    assert wording.gained(move(None)) == "\u2013"


def test_who_wins_is_said_in_words() -> None:
    assert wording.won(move((0.02, 0.01, 0.03))) == Strong("better", "good")
    assert wording.won(move((0.02, 0.01, 0.03), less=True)) == Strong("worse", "bad")
    assert wording.won(move((0.02, -0.01, 0.03))) == "no measurable gain"
    assert wording.won(move(None)) == "\u2013"


def test_a_cell_holds_the_difference_its_picture_and_its_interval() -> None:
    found = move((0.02, 0.01, 0.03), paired=True)
    assert wording.difference(found, 0.05) == (
        "+2.0 points",
        Range(Estimate(value=0.02, low=0.01, high=0.03), 0.05, "good", "accuracy +2.0 points (+1.0 to +3.0)"),
        Small("+1.0 to +3.0, paired"),
    )
    assert wording.difference(move(None), 0.05) == ("\u2013",)


def test_a_figure_without_an_interval_has_none_below_it() -> None:
    assert wording.with_interval(Estimate(value=80.0, low=80.0, high=80.0), "cost") == ("80.0",)
    assert wording.with_interval(Estimate(value=0.9, low=0.8, high=0.95), "share", strong=True) == (
        Strong("90.0%"),
        Small("80.0% to 95.0%"),
    )
    assert wording.with_interval(None, "share") == ("\u2013",)


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (0, "0 s"),
        (0.2, "12 s"),
        (1, "1.0 minutes"),
        (119.9, "119.9 minutes"),
        (120, "2.0 hours"),
        (90_000, "1,500.0 hours"),
    ],
)
def test_a_time_is_told_in_its_unit(minutes: float, said: str) -> None:
    assert wording.minutes(minutes) == said


def test_so_many_things_have_their_plural() -> None:
    assert [wording.plural(count, "batch", "batches") for count in (0, 1, 1200)] == [
        "0 batches",
        "1 batch",
        "1,200 batches",
    ]
    assert [wording.counted(count, "photo") for count in (1, -1, 250, -1200)] == [
        "+1 photo",
        "-1 photo",
        "+250 photos",
        "-1,200 photos",
    ]


def test_tables_are_shortened_wherever_they_are_and_short_ones_are_left_alone() -> None:
    table = Table((line("a"),), tuple((line(str(number)),) for number in range(5)))
    assert shortened((table,), 5) == (table,)
    cut, more = shortened((table,), 3)
    assert isinstance(cut, Table)
    assert cut.rows == table.rows[:3]
    assert more == Text(line("and 2 more"))
