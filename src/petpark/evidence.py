"""Evidence: what the stages measured, as data with a schema.

Evidence is written by one version of the code and read by others, so each file names its schema and readers accept
the version before theirs.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from petpark import files
from petpark.errors import DataError

E = TypeVar("E", bound="Evidence")


class Fact(BaseModel):
    """A frozen piece of evidence; keys that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Evidence(Fact):
    """The root of an evidence file."""


class Estimate(Fact):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


class SideCount(Fact):
    """Photos of one label on each side."""

    label: str
    train: int
    validation: int
    test: int


class BatchCount(Fact):
    """What became of the photos of one batch."""

    batch: str
    role: Literal["train", "acceptance"]
    photos: int
    quarantined: int
    reasons: dict[str, int]


class Check(Fact):
    """One check of deepchecks: PASS, WARN, FAIL, ERROR, SKIPPED or NO CONDITION."""

    name: str
    status: str
    info: str


class Validation(Evidence):
    """What `validate` found in the data."""

    schema_: Literal["validation/1"] = Field("validation/1", alias="schema")
    classes: tuple[SideCount, ...]
    batches: tuple[BatchCount, ...]
    duplicates: int
    """Photos that came more than once; one of each stayed."""
    conflicts: int
    """Photos that came under two labels; none of them stayed."""
    excluded: int
    corrected: int
    leaked: int
    """Photos of the training or validation side with an exact or near duplicate in test or acceptance."""
    drift: dict[str, float]
    """Drift score between training and test side, by property: 0 is none, 1 is apart."""
    checks: tuple[Check, ...]


class Variant(Fact):
    """One form of the packaged model."""

    name: Literal["fp32", "int8"]
    bytes: int
    milliseconds: float
    """Median time of one photo on one thread."""
    accuracy: float
    """On the validation side."""


class GoldenRows(Fact):
    """How far the same photos agree along the way, as differences of probabilities."""

    photos: int
    torch_fp32: float
    """Largest difference between torch and the fp32 file."""
    fp32_int8: float | None
    """Largest difference between the fp32 and the int8 file."""
    int8_agreement: float | None
    """Share of golden rows to which both files give the same label."""
    ingest_shift: float
    """Mean over the photos of the largest difference between an original and its stored form."""
    ingest_shift_max: float
    ingest_agreement: float
    """Share of photos that get the same label in both forms."""


class Package(Evidence):
    """What `package` made and measured."""

    schema_: Literal["package/1"] = Field("package/1", alias="schema")
    architecture: str
    image_size: int
    parameters: int
    variants: tuple[Variant, ...]
    chosen: Literal["fp32", "int8"]
    why: str
    threshold: float
    golden: GoldenRows

    def variant(self, name: str) -> Variant | None:
        """The variant of that name, if it was made."""
        return next((variant for variant in self.variants if variant.name == name), None)


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


class Evaluation(Evidence):
    """What `evaluate` measured on the test side with the packaged model."""

    schema_: Literal["evaluation/1"] = Field("evaluation/1", alias="schema")
    model: ModelFacts
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
    sure: Coverage
    """At the model's own threshold."""
    coverage: tuple[Coverage, ...]
    reliability: tuple[Confidence, ...]
    curves: dict[str, tuple[CurvePoint, ...]]
    slices: tuple[Slice, ...]
    mistakes: tuple[Mistake, ...]


class Comparison(Evidence):
    """Challenger against champion on the same photos."""

    schema_: Literal["comparison/1"] = Field("comparison/1", alias="schema")
    champion: str
    """Git revision of the champion."""
    champion_model: str
    """SHA-256 of its file."""
    photos: int
    """Test photos that neither was trained on."""
    seen: int
    """Test photos left out because the champion was trained on them."""
    champion_accuracy: float
    challenger_accuracy: float
    accuracy_gain: Estimate
    cost_gain: Estimate
    """Cost per 1,000 photos that the challenger saves."""


class BuildEvidence(Fact):
    """Everything that the build gate judges."""

    validation: Validation
    package: Package
    evaluation: Evaluation
    comparison: Annotated[Comparison | None, Field()] = None


def write(evidence: Evidence, path: Path) -> None:
    """Write evidence as JSON, whole or not at all."""
    files.write_json(path, evidence.model_dump(mode="json", by_alias=True))


def parse(kind: type[E], value: Any, where: str) -> E:
    """Turn plain JSON into evidence.

    Raises:
        DataError: another schema, or something missing.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where} is no {kind.__name__.lower()} evidence: '{key}': {first['msg']}.") from None


def read(kind: type[E], path: Path) -> E:
    """Read an evidence file.

    Raises:
        DataError: missing, no JSON, or not of this kind.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: make it with `make run`.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no JSON ({error}): make it again with `make run`.") from None
    return parse(kind, value, str(path))
