"""Evidence of `evaluate`: the model's answers."""

from typing import Literal

from pydantic import Field

from petpark.evidence.core import Estimate, Evidence, Fact


class ModelFacts(Fact):
    """Which file was judged."""

    sha256: str
    bytes: int
    image_size: int
    labels: tuple[str, ...]
    threshold: float
    data: str
    code: str


class ClassFigures(Fact):
    """How one label fares."""

    label: str
    photos: int
    predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    rate_ratio: Estimate
    """Predicted to true frequency: 1.3 is 30 % biased towards the label."""


class Slice(Fact):
    """Accuracy on a part of the test side."""

    name: str
    """The property, such as `brightness`."""
    value: str
    """The range or value, such as `dark (under 0.31)`."""
    photos: int
    accuracy: Estimate


class Coverage(Fact):
    """What a threshold of `unsure` would mean."""

    threshold: float
    share: float
    """Photos that get a label."""
    accuracy: float
    """Accuracy on those."""


class Confidence(Fact):
    """One bin of the reliability diagram."""

    photos: int
    confidence: float
    accuracy: float


class CurvePoint(Fact):
    """One point of a precision-recall curve."""

    recall: float
    precision: float


class Mistake(Fact):
    """One wrong answer."""

    id: str
    batch: str
    label: str
    predicted: str
    confidence: float


class Figures(Fact):
    """How good a model is on known photos."""

    photos: int
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    roc_auc: Estimate
    brier: Estimate
    calibration_error: Estimate
    cost: Estimate
    """Expected cost per 1,000 photos by the cost matrix of the policy."""
    recall_gap: Estimate
    """Best label's recall less the worst's."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[int, ...], ...]
    """[K, K] photos: rows are true labels, columns predicted ones."""


class Evaluation(Evidence, Figures):
    """What `evaluate` measured on the test side with the packaged model."""

    schema_: Literal["evaluation/1"] = Field("evaluation/1", alias="schema")
    model: ModelFacts
    sure: Coverage
    """At the model's own threshold."""
    coverage: tuple[Coverage, ...]
    reliability: tuple[Confidence, ...]
    curves: dict[str, tuple[CurvePoint, ...]]
    slices: tuple[Slice, ...]
    mistakes: tuple[Mistake, ...]
    """The most confident ones first; `predictions.parquet` has them all."""
