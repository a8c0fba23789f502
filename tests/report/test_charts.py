"""Charts: whatever the figures, they stay inside their picture, carry a title, and show what was measured."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import Confidence, Coverage, CurvePoint
from petpark.report import charts, svg
from petpark.report.axes import Axis
from tests.report.made import HOSTILE

shares = st.floats(0, 1)
wild = st.floats(-1e6, 1e6)
estimates = st.lists(wild, min_size=3, max_size=3).map(
    lambda drawn: Estimate(**dict(zip(("low", "value", "high"), sorted(drawn), strict=True)))
)
coverages = st.builds(Coverage, threshold=shares, share=shares, accuracy=shares)
confidences = st.builds(Confidence, photos=st.integers(0, 10**7), confidence=shares, accuracy=shares)
points = st.lists(st.builds(CurvePoint, recall=shares, precision=shares), max_size=30)


def parsed(chart: Markup) -> ET.Element:
    """The chart as XML, which it must be."""
    return ET.fromstring(str(chart))


def number(node: ET.Element, name: str) -> float:
    return float(node.get(name, "nan"))


def extent(node: ET.Element) -> Iterator[tuple[float, float]]:
    """The corners of an element."""
    if node.tag == "line":
        yield number(node, "x1"), number(node, "y1")
        yield number(node, "x2"), number(node, "y2")
    elif node.tag == "rect":
        left, top = number(node, "x"), number(node, "y")
        assert number(node, "width") >= 0
        assert number(node, "height") >= 0
        yield left, top
        yield left + number(node, "width"), top + number(node, "height")
    elif node.tag == "circle":
        x, y, r = number(node, "cx"), number(node, "cy"), number(node, "r")
        yield x - r, y - r
        yield x + r, y + r
    elif node.tag == "polyline":
        for pair in node.get("points", "").split():
            across, down = pair.split(",")
            yield float(across), float(down)
    elif node.tag == "text":
        half = 3.6 * len(node.text or "")  # of 12 px letters, on average 7.2 px wide
        shift = {"start": half, "middle": 0.0, "end": -half}[node.get("text-anchor", "")]
        middle = number(node, "x") + shift
        yield middle - half, number(node, "y") - 10
        yield middle + half, number(node, "y") + 3
    else:
        assert node.tag in {"svg", "title"}, f"{node.tag} is not measured"


def check(chart: Markup) -> ET.Element:
    """Look at a chart: well-formed, entitled, and all of it inside its picture."""
    root = parsed(chart)
    left, top, width, height = (float(value) for value in root.get("viewBox", "").split())
    assert (left, top) == (0, 0)
    assert root[0].tag == "title"
    assert root[0].text
    assert root.get("role") == "img"
    for node in root.iter():
        for x, y in extent(node):
            assert -0.1 <= x <= width + 0.1, ET.tostring(node)
            assert -0.1 <= y <= height + 0.1, ET.tostring(node)
    return root


def kinds(root: ET.Element, kind: str) -> list[ET.Element]:
    """The elements of one class, in their order."""
    return [node for node in root.iter() if kind in node.get("class", "").split()]


def texts(root: ET.Element) -> list[str]:
    return [node.text or "" for node in root.iter("text")]


@given(estimates, st.lists(shares, max_size=5), st.none() | wild, st.sampled_from([(160.0, 20.0), (200.0, 40.0)]))
def test_an_interval_stays_inside(
    estimate: Estimate, values: list[float], reference: float | None, size: tuple[float, float]
) -> None:
    root = check(charts.interval(estimate, Axis.scores(values), "recall", reference, "off", size))
    assert len(kinds(root, "dot")) == len(kinds(root, "span")) == 1
    assert len(kinds(root, "reference")) == (reference is not None)


def test_an_interval_shows_value_and_ends_where_they_belong() -> None:
    root = check(charts.interval(Estimate(value=0.95, low=0.9, high=1.0), Axis(0.8, 1.0), "recall 95%", 0.85))
    line, span, dot, reference = (kinds(root, kind)[0] for kind in ("grid", "span", "dot", "reference"))
    start, end = number(line, "x1"), number(line, "x2")
    places = [number(reference, "x1"), number(span, "x"), number(dot, "cx"), number(span, "x") + number(span, "width")]
    assert places == pytest.approx([start + share * (end - start) for share in (0.25, 0.5, 0.75, 1.0)], abs=0.11)
    assert root[0].text == "recall 95%"


@given(st.lists(st.tuples(st.sampled_from(["good", "bad", "unsure"]), st.floats(-0.1, 1)), min_size=1, max_size=5))
def test_a_stack_stays_inside(parts: list[tuple[str, float]]) -> None:
    assert len(list(check(charts.stack(parts, "shares")).iter("rect"))) == len(parts)


def test_a_stack_divides_its_width_by_the_shares() -> None:
    root = check(charts.stack([("good", 0.5), ("bad", 0.125), ("unsure", 0.375)], "shares"))
    assert [number(node, "width") for node in root.iter("rect")] == [200, 50, 150]
    assert [number(node, "x") for node in root.iter("rect")] == [0, 200, 250]


@given(st.lists(coverages, max_size=30), coverages)
def test_a_coverage_curve_stays_inside(found: list[Coverage], own: Coverage) -> None:
    root = check(charts.coverage(found, own))
    assert len(kinds(root, "mark")) == (own.share > 0)


def test_accuracy_rises_with_the_share_left_unsure() -> None:
    found = [Coverage(threshold=0.1 * k, share=1 - 0.04 * k, accuracy=0.9 + 0.01 * k) for k in range(10)]
    root = check(charts.coverage(found, found[5]))
    places = [tuple(map(float, pair.split(","))) for pair in kinds(root, "curve")[0].get("points", "").split()]
    assert len(places) == 10
    assert places == sorted(places)
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)
    mark = kinds(root, "mark")[0]
    assert (number(mark, "cx"), number(mark, "cy")) == places[5]
    assert {"accuracy on the rest", "share of photos left unsure", "90%", "100%"} <= set(texts(root))


def test_a_model_that_is_never_sure_has_a_chart_too() -> None:
    never = Coverage(threshold=0.99, share=0, accuracy=0)
    assert not kinds(check(charts.coverage([never], never)), "curve")


def test_a_threshold_that_leaves_most_photos_unsure_is_on_the_chart() -> None:
    own = Coverage(threshold=0.9, share=0.25, accuracy=0.99)
    root = check(charts.coverage([Coverage(threshold=0, share=1, accuracy=0.8), own], own))
    line, mark = kinds(root, "grid")[0], kinds(root, "mark")[0]
    assert number(mark, "cx") == pytest.approx(number(line, "x1") + 0.75 * 336, abs=0.11)


@given(st.lists(confidences, max_size=20))
def test_a_reliability_diagram_stays_inside(bins: list[Confidence]) -> None:
    root = check(charts.reliability(bins))
    full = sum(each.photos > 0 for each in bins)
    assert len(kinds(root, "dot")) == len(kinds(root, "column")) == len(kinds(root, "gap")) == full


def test_a_reliability_diagram_shows_overconfidence_below_the_line_and_counts() -> None:
    bins = [Confidence(photos=40, confidence=0.7, accuracy=0.6), Confidence(photos=1160, confidence=0.9, accuracy=0.95)]
    root = check(charts.reliability(bins))
    for each, gap, dot in zip(bins, kinds(root, "gap"), kinds(root, "dot"), strict=True):
        below = number(gap, "y1") > number(gap, "y2")  # SVG counts downwards
        assert below == (each.accuracy < each.confidence)
        assert (number(dot, "cx"), number(dot, "cy")) == (number(gap, "x1"), number(gap, "y1"))
    small, large = (number(dot, "r") for dot in kinds(root, "dot"))
    assert small < large
    assert {"40", "1,160"} <= set(texts(root))
    assert "1,160 photos: 90.0% confident, 95.0% right" in [title.text for title in root.iter("title")]


def test_numbers_of_photos_that_would_collide_are_left_out() -> None:
    bins = [Confidence(photos=1000 + k, confidence=0.97 + 0.001 * k, accuracy=1) for k in range(8)]
    bins.append(Confidence(photos=77, confidence=0.4, accuracy=0.5))
    shown = [text for text in texts(check(charts.reliability(bins))) if re.fullmatch(r"77|1,00\d", text)]
    assert shown == ["77", "1,000"]


@given(st.lists(st.tuples(st.text(max_size=9), points), max_size=8), st.lists(points, max_size=4))
def test_curves_stay_inside(lines: list[tuple[str, list[CurvePoint]]], faint: list[list[CurvePoint]]) -> None:
    clean = [(re.sub(r"[\x00-\x1f\ufffe\uffff]", "", name), curve) for name, curve in lines]  # what XML cannot carry
    root = check(charts.curves(clean, faint))
    assert len(kinds(root, "faint")) == sum(bool(curve) for curve in faint)


def test_a_curve_is_drawn_as_steps_from_the_left() -> None:
    curve = [CurvePoint(recall=1.0, precision=0.5), CurvePoint(recall=0.5, precision=1.0)]
    root = check(charts.curves([("gnu", curve)]))
    places = [tuple(map(float, pair.split(","))) for pair in kinds(root, "c1")[0].get("points", "").split()]
    left, top, middle, right = 42, 26, 42 + 336 / 2, 42 + 336
    assert places == [(left, top), (middle, top), (middle, top + 151), (right, top + 151)]


def test_no_more_curves_are_named_than_can_be_told_apart() -> None:
    curve = [CurvePoint(recall=0.5, precision=0.9)]
    root = check(charts.curves([(f"label {k}", curve) for k in range(9)]))
    classes = [node.get("class") for node in kinds(root, "curve")]
    assert classes == [f"curve c{k}" for k in range(1, charts.LINES + 1)]


@pytest.mark.parametrize("name", HOSTILE)
def test_words_in_charts_are_inert(name: str) -> None:
    curve = [CurvePoint(recall=0.5, precision=0.9)]
    root = check(charts.curves([(name, curve)]))
    assert root.findall("polyline/title")[0].text == name
    assert {node.tag for node in root.iter()} == {"svg", "title", "line", "text", "polyline"}
    assert check(charts.interval(Estimate(value=1, low=1, high=1), Axis(0, 1), name))[0].text == name


def test_a_path_goes_back_where_the_figures_do() -> None:
    chart = svg.path("curve", [(0, 0), (0, 0.01), (5, 5), (0, 0)])
    assert 'points="0.0,0.0 5.0,5.0 0.0,0.0"' in chart


@given(st.lists(shares, max_size=9))
def test_a_scale_of_scores_holds_them_all_and_ends_at_100_percent(values: list[float]) -> None:
    axis = Axis.scores(values)
    assert axis.low <= min([*values, 0.95]) + 1e-9
    assert axis.high == 1.0
    assert 3 <= len(axis.ticks) <= 7
    assert axis.ticks[-1] == 1.0


@pytest.mark.parametrize(
    ("lowest", "low"), [(1.0, 0.95), (0.97, 0.95), (0.93, 0.92), (0.88, 0.85), (0.62, 0.6), (0.31, 0.2), (0.0, 0.0)]
)
def test_a_scale_of_scores_starts_at_a_round_value_close_below(lowest: float, low: float) -> None:
    assert Axis.scores([lowest, 1.0]).low == pytest.approx(low)


@given(st.lists(st.floats(0, 1e4), max_size=9))
def test_a_scale_of_ratios_holds_them_all_and_1(values: list[float]) -> None:
    axis = Axis.ratios(values)
    assert axis.low < 1 < axis.high
    assert all(axis.low - 1e-9 <= value <= axis.high + 1e-9 for value in values)


@given(wild, shares)
def test_places_are_between_0_and_1(value: float, lowest: float) -> None:
    assert 0 <= Axis.scores([lowest]).place(value) <= 1
