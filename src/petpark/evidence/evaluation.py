"""Evidence of `evaluate`: the model's answers."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from petpark.evidence.core import Amount, Brier, Count, Difference, Evidence, Fact, Fraction, Sha256, Share, unlike

_ROUNDED: Final = 1e-5  # figures have six digits


class ModelFacts(Fact):
    """Which file was judged."""

    sha256: Sha256
    bytes: Count
    image_size: Count
    labels: tuple[str, ...]
    threshold: Fraction
    data: str
    code: str


class ClassFigures(Fact):
    """How one label fares."""

    label: str
    photos: Count
    predicted: Count
    precision: Share
    recall: Share
    f1: Share
    rate_ratio: Amount
    """Predicted to true frequency: 1.3 is 30 % biased towards the label."""


class Slice(Fact):
    """Accuracy on a part of the test side."""

    name: str
    """The property, such as `brightness`."""
    value: str
    """The range or value, such as `dark (under 0.31)`."""
    photos: int = Field(ge=1)
    accuracy: Share


class Coverage(Fact):
    """What a threshold of `unsure` would mean."""

    threshold: Fraction
    share: Fraction
    """Photos that get a label."""
    accuracy: Fraction
    """Accuracy on those."""


class Confidence(Fact):
    """One bin of the reliability diagram."""

    photos: Count
    confidence: Fraction
    accuracy: Fraction


class CurvePoint(Fact):
    """One point of a precision-recall curve."""

    recall: Fraction
    precision: Fraction


class Mistake(Fact):
    """One wrong answer."""

    id: str
    batch: str
    label: str
    predicted: str
    confidence: Fraction


class Figures(Fact):
    """How good a model is on known photos."""

    photos: int = Field(ge=1)
    accuracy: Share
    precision: Share
    recall: Share
    f1: Share
    roc_auc: Share
    brier: Brier
    calibration_error: Share
    cost: Amount
    """Expected cost per 1,000 photos by the cost matrix of the policy."""
    recall_gap: Difference
    """Best label's recall less the worst's."""
    classes: tuple[ClassFigures, ...]
    confusion: tuple[tuple[Count, ...], ...]
    """[K, K] photos: rows are true labels, columns predicted ones."""

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        """All that can be counted from the confusion matrix agrees with it."""
        unlike(each.label for each in self.classes)
        rows, k = self.confusion, len(self.classes)
        if not k or len(rows) != k or any(len(row) != k for row in rows):
            raise ValueError(f"the confusion matrix must have one row and one column for each of {k} classes")
        if (counted := sum(map(sum, rows))) != self.photos:
            raise ValueError(f"the confusion matrix holds {counted} photos, and {self.photos} were judged")
        _same("accuracy", self.accuracy.value, sum(rows[place][place] for place in range(k)) / self.photos)
        for place, each in enumerate(self.classes):
            _class_adds_up(each, rows[place][place], sum(rows[place]), sum(row[place] for row in rows))
        recalls = [each.recall.value for each in self.classes if each.photos]
        _same("the gap of recall", self.recall_gap.value, max(recalls) - min(recalls))
        return self


def _class_adds_up(each: ClassFigures, right: int, photos: int, predicted: int) -> None:
    if (each.photos, each.predicted) != (photos, predicted):
        found = f"{each.photos} photos and {each.predicted} predictions of '{each.label}'"
        raise ValueError(f"{found} are not the {photos} and {predicted} of the confusion matrix")
    _same(f"recall of '{each.label}'", each.recall.value, right / max(photos, 1))
    _same(f"precision of '{each.label}'", each.precision.value, right / max(predicted, 1))
    if photos:  # else it is a convention, and no rule looks at it
        _same(f"the rate ratio of '{each.label}'", each.rate_ratio.value, predicted / photos)


def _same(name: str, said: float, counted: float) -> None:
    if abs(said - counted) > _ROUNDED * max(1, counted):
        raise ValueError(f"{name} is said to be {said:g}, and is {counted:g} by the confusion matrix")


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

    @model_validator(mode="after")
    def _of_one_model(self) -> Self:
        if self.model.labels != (found := tuple(each.label for each in self.classes)):
            raise ValueError(f"the model knows {self.model.labels}, and the figures are of {found}")
        if self.sure.threshold != self.model.threshold:
            raise ValueError(f"the threshold is {self.model.threshold:g}, and {self.sure.threshold:g} was judged")
        if any(part.photos > self.photos for part in self.slices):
            raise ValueError("a slice holds more photos than the whole")
        return self
