"""The evaluation page: one self-contained HTML file that asks nothing of any host, and needs no script."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from petpark.evidence.evaluation import CurvePoint, Evaluation, Mistake, Slice
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation
from petpark.report import charts, words
from petpark.report.axes import Axis

_WHOLE_MATRIX = 12  # with more labels, the most confused pairs come first
_LARGEST_MATRIX = 100
_PAIRS = 12
_LISTED = 200
_FRONT_CLASSES = 4


@dataclass(frozen=True)
class Neighbour:
    """A training photo that the model finds similar to a mistaken one."""

    photo: bytes
    """JPEG."""
    label: str
    id: str
    similarity: float
    """Cosine of the embeddings, 1 is the same."""


@dataclass(frozen=True)
class Case:
    """A mistake with what it takes to understand it."""

    mistake: Mistake
    photo: bytes
    """JPEG."""
    heat: bytes
    """PNG of the photo under its occlusion map."""
    neighbours: tuple[Neighbour, ...] = ()
    """The most similar one first."""


def render(
    evaluation: Evaluation,
    gallery: Sequence[Case],
    package: Package | None = None,
    validation: Validation | None = None,
) -> str:
    """Draw the page; the same evidence gives the same bytes.

    Args:
        evaluation: what was measured.
        gallery: the mistakes to show.
        package: how the model was packaged, if that is to be on the page.
        validation: what was found in the data, if that is to be on the page.

    Returns:
        an HTML document.
    """
    confused = words.confused(evaluation)
    page = _environment().get_template("page.html.j2")
    return page.render(
        evaluation=evaluation,
        gallery=gallery,
        package=package,
        validation=validation,
        right=sum(row[place] for place, row in enumerate(evaluation.confusion)),
        classes=words.worst_first(evaluation),
        front=_front(evaluation),
        skewed=words.most_skewed(evaluation),
        pairs=confused[:_PAIRS],
        confused=len(confused),
        worst=max((share for *_, share in confused), default=1.0),
        whole_matrix=len(evaluation.model.labels) <= _WHOLE_MATRIX,
        largest_matrix=_LARGEST_MATRIX,
        listed=_LISTED,
        slices=slices(evaluation.slices),
        curves=curves(evaluation),
        axes=axes(evaluation),
    )


def axes(evaluation: Evaluation) -> dict[str, Axis]:
    """The scales that figures of one kind share, so that they can be compared by eye."""
    classes = [each for each in evaluation.classes if each.photos]
    scores = [score.low for each in classes for score in (each.recall, each.precision, each.f1)]
    ratios = [end for each in classes for end in (each.rate_ratio.low, each.rate_ratio.value, each.rate_ratio.high)]
    parts = [part.accuracy.low for part in evaluation.slices if part.photos]
    return {
        "accuracy": Axis.scores([evaluation.accuracy.low]),
        "scores": Axis.scores(scores),
        "ratios": Axis.ratios(ratios),
        "slices": Axis.scores([evaluation.accuracy.low, *parts]),
    }


def slices(parts: Sequence[Slice]) -> list[tuple[str, list[Slice]]]:
    """Slices by property, in the order in which they come."""
    order = {name: place for place, name in enumerate(dict.fromkeys(part.name for part in parts))}
    together = sorted(parts, key=lambda part: order[part.name])
    return [(name, list(group)) for name, group in groupby(together, key=lambda part: part.name)]


def curves(evaluation: Evaluation) -> dict[str, Any]:
    """The precision-recall curves to name (all if few, else those of the labels with the lowest F1), and the others."""
    f1 = {each.label: each.f1.value for each in evaluation.classes}
    names = list(evaluation.curves)
    if len(names) > charts.LINES:
        names = sorted(names, key=lambda name: f1.get(name, 1.0))[: charts.LINES]
    named: list[tuple[str, Sequence[CurvePoint]]] = [(name, evaluation.curves[name]) for name in names]
    return {"named": named, "faint": [points for name, points in evaluation.curves.items() if name not in names]}


def data_uri(data: bytes, kind: str) -> str:
    """A picture as part of the page."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _front(evaluation: Evaluation) -> list[Any]:
    """The labels of the first screen: all if few, else the worst."""
    classes = words.worst_first(evaluation)
    return list(evaluation.classes) if len(classes) <= _FRONT_CLASSES else classes[: _FRONT_CLASSES - 1]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("petpark", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (words.percent, words.number, words.number_span, words.count, words.size, words.span, words.points)
    environment.filters.update({form.__name__: form for form in (*formats, words.skew, words.skew_span)})
    tests = (words.beyond_chance, words.in_step)
    environment.globals.update(charts=charts, data_uri=data_uri, **{test.__name__: test for test in tests})
    return environment
