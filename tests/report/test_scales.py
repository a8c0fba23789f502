"""Scales: every value has a place between the ends, and round values stand at them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petpark.report.scales import Even, Log, Names, Scale, said

positive = st.floats(1e-5, 1e6)


def check(scale: Scale, values: list[float]) -> None:
    places = [scale.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)
    ticks = scale.ticks
    assert all(-1e-6 <= place <= 1 + 1e-6 for place, _ in ticks)
    assert 2 <= len(ticks) <= 8
    assert len({label for _, label in ticks}) == len(ticks)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 3)), min_size=1))
def test_an_even_scale_holds_its_values_between_round_ticks(values: list[float]) -> None:
    check(Even.over(values), values)


@settings(deadline=None)
@given(st.lists(positive, min_size=1))
def test_a_logarithmic_scale_holds_its_values_between_ticks(values: list[float]) -> None:
    check(Log.over(values), values)


@pytest.mark.parametrize(
    ("scale", "labels"),
    [
        (Even(0, 10), ["0", "2", "4", "6", "8", "10"]),
        (Even(0.28, 1.02), ["0.4", "0.6", "0.8", "1"]),
        (Even(-3, 42), ["0", "10", "20", "30", "40"]),
        (Log(0.0004, 0.012), ["0.0005", "0.001", "0.002", "0.005", "0.01"]),
        (Log(0.9e-5, 2e3), ["1e-05", "0.001", "0.1", "10", "1000"]),
        (Names(("none", None, True, 0.10, 64)), ["none", "null", "true", "0.1", "64"]),
    ],
)
def test_ticks_are_values_that_a_person_would_choose(scale: Scale, labels: list[str]) -> None:
    assert [label for _, label in scale.ticks] == labels


def test_every_factor_is_as_long_as_the_other_on_a_logarithmic_scale() -> None:
    scale = Log(1, 100)
    assert [scale.place(value) for value in (1, 10, 100)] == pytest.approx([0, 0.5, 1])
    assert scale.place(0) == 0, "what lies under it lies at its end"


def test_names_stand_apart_in_their_order() -> None:
    scale = Names(("b", "a"))
    assert [scale.place(name) for name in ("b", "a")] == [0.25, 0.75]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "null"), (False, "false"), (0.00123456789, "0.00123457"), (3, "3"), ("x", "x")]
)
def test_values_are_said_as_params_yaml_shows_them(value: object, text: str) -> None:
    assert said(value) == text
