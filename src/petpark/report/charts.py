"""Charts as inline SVG: figures in, markup out.

They bear class names and no colours (the page's style has those, for light and dark), and every one has a <title>.
Values beyond an axis are drawn at its end.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from markupsafe import Markup

from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import Confidence, Coverage, CurvePoint
from petpark.report import svg, words
from petpark.report.axes import HEIGHT, WIDTH, Axis, Frame

LINES: Final = 6  # curves that colour and dashes can tell apart


def interval(
    estimate: Estimate,
    axis: Axis,
    title: str,
    reference: float | None = None,
    kind: str = "",
    size: tuple[float, float] = (160, 20),
) -> Markup:
    """One figure on a small scale: a dot, its interval as a bar, and a reference as a line across.

    Args:
        estimate: the figure.
        axis: the scale.
        title: what is told of it.
        reference: a value to compare with.
        kind: a further class name.
        size: width and height.
    """
    (width, height), edge = size, 6.0

    def across(value: float) -> float:
        return edge + axis.place(value) * (width - 2 * edge)

    parts = [svg.shape("line", "grid", x1=edge, y1=height / 2, x2=width - edge, y2=height / 2)]
    if reference is not None:
        place = across(reference)
        parts.append(svg.shape("line", "reference", x1=place, y1=0, x2=place, y2=height))
    start, end = across(min(estimate.low, estimate.high)), across(max(estimate.low, estimate.high))
    parts.append(svg.shape("rect", "span", x=start, y=height / 2 - 4, width=end - start, height=8))
    parts.append(svg.shape("circle", "dot", cx=across(estimate.value), cy=height / 2, r=4.5))
    return svg.picture(f"interval {kind}".strip(), width, height, title, parts)


def stack(shares: Sequence[tuple[str, float]], title: str) -> Markup:
    """Shares of a whole side by side in one bar, as (class name, share)."""
    width, height, parts, start = 400.0, 24.0, [], 0.0
    whole = max(sum(share for _, share in shares), 1e-12)
    for kind, share in shares:
        end = min(width, start + max(0.0, share) / whole * width)
        parts.append(svg.shape("rect", kind, x=start, y=0, width=end - start, height=height))
        start = end
    return svg.picture("stack", width, height, title, parts, stretch=True)


def coverage(points: Sequence[Coverage], own: Coverage) -> Markup:
    """Accuracy on the photos that get a label, against the share left `unsure`; the model's own threshold is marked.

    Points without labelled photos have no accuracy and are left out.
    """
    known = sorted({(1 - each.share, each.accuracy) for each in points if each.share > 0})
    far = 0.5 if own.share >= 0.5 else 1.0
    known = [point for point in known if point[0] <= far]
    frame = Frame(Axis(0, far), Axis.scores([accuracy for _, accuracy in known] + [own.accuracy] * (own.share > 0)))
    parts = list(frame.axes("share of photos left unsure", "accuracy on the rest"))
    if known:
        parts.append(svg.path("curve c1", [(frame.across(x), frame.down(y)) for x, y in known]))
    if own.share > 0:
        here = (1 - own.share, own.accuracy)
        parts.append(frame.line("reference", (here[0], frame.y.low), here))
        parts.append(frame.line("reference", (frame.x.low, here[1]), here))
        parts.append(svg.shape("circle", "mark", cx=frame.across(here[0]), cy=frame.down(here[1]), r=6))
    return svg.picture(
        "chart", WIDTH, HEIGHT, "Accuracy on the photos that get a label, against the share left unsure", parts
    )


def reliability(bins: Sequence[Confidence]) -> Markup:
    """How often the model is right (upwards) where it is so confident (across), and on how many photos (below).

    On the dashed line confidence and accuracy agree (Guo et al., On Calibration of Modern Neural Networks, 2017).
    """
    full = [each for each in bins if each.photos]
    axis = Axis.scores([share for each in full for share in (each.confidence, each.accuracy)])
    frame = Frame(axis, axis, height=220)
    most = max((each.photos for each in full), default=1)
    parts = [*frame.axes("confidence", "accuracy"), frame.line("reference", (axis.low, axis.low), (1, 1))]
    for each in full:
        here = (each.confidence, each.accuracy)
        parts.append(frame.line("gap", here, (each.confidence, each.confidence)))
        hint = f"{words.count(each.photos, 'photo')}: {each.confidence:.1%} confident, {each.accuracy:.1%} right"
        radius = 3 + 6 * math.sqrt(each.photos / most)
        parts.append(svg.shape("circle", "dot", hint, cx=frame.across(here[0]), cy=frame.down(here[1]), r=radius))
    parts += _columns(frame, full, most)
    return svg.picture(
        "chart", WIDTH, HEIGHT, "Reliability: accuracy against confidence, with the number of photos", parts
    )


def _columns(frame: Frame, bins: Sequence[Confidence], most: int) -> Iterator[Markup]:
    """The number of photos at each confidence, below the frame; numbers that would collide are left out."""
    base, tall, free = HEIGHT - 6, 46.0, 0.0
    yield svg.text(4, base - tall - 18, "photos", "start", "axis")
    for each in sorted(bins, key=lambda each: each.confidence):
        x, height = frame.across(each.confidence), max(1.0, tall * each.photos / most)
        yield svg.shape(
            "rect", "column", words.count(each.photos, "photo"), x=x - 5, y=base - height, width=10, height=height
        )
        number = f"{each.photos:,}"
        half = 4.0 * len(number)
        if x - half > free and x + half < WIDTH:
            yield svg.text(x, base - height - 4, number, "middle")
            free = x + half


def curves(lines: Sequence[tuple[str, Sequence[CurvePoint]]], faint: Sequence[Sequence[CurvePoint]] = ()) -> Markup:
    """Precision against recall, at most LINES named lines over any number of faint ones.

    Drawn as steps: straight lines between points would flatter (Davis & Goadrich, The Relationship Between
    Precision-Recall and ROC Curves, 2006).
    """
    frame = Frame(Axis(0, 1), Axis(0, 1))
    parts = list(frame.axes("recall", "precision"))
    parts += [svg.path("curve faint", _steps(frame, points)) for points in faint if points]
    for place, (name, points) in enumerate(lines[:LINES], start=1):
        if points:
            parts.append(svg.path(f"curve c{place}", _steps(frame, points), name))
    return svg.picture("chart", WIDTH, HEIGHT, "Precision against recall, a line for each label", parts)


def _steps(frame: Frame, points: Sequence[CurvePoint]) -> list[tuple[float, float]]:
    ordered = sorted(points, key=lambda point: (point.recall, -point.precision))
    places = [(frame.across(point.recall), frame.down(point.precision)) for point in ordered]
    places.insert(0, (frame.left, places[0][1]))
    corners = ((before[0], after[1]) for before, after in pairwise(places))
    return [places[0], *(each for pair in zip(corners, places[1:], strict=True) for each in pair)]
