"""Evidence of a build: what its gate judges."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from petpark.evidence.core import Count, Difference, Estimate, Evidence, Fact, Fraction, Sha256
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation

_ROUNDED: Final = 1e-5  # figures have six digits


class Comparison(Evidence):
    """Challenger against champion on the same photos."""

    schema_: Literal["comparison/1"] = Field("comparison/1", alias="schema")
    champion: str
    """Git revision of the champion."""
    champion_model: Sha256
    """SHA-256 of its file."""
    photos: int = Field(ge=1)
    """Test photos that neither was trained on."""
    seen: Count
    """Test photos left out because the champion was trained on them."""
    champion_accuracy: Fraction
    challenger_accuracy: Fraction
    accuracy_gain: Difference
    cost_gain: Estimate
    """Cost per 1,000 photos that the challenger saves."""

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        gain = self.challenger_accuracy - self.champion_accuracy
        if abs(self.accuracy_gain.value - gain) > _ROUNDED:
            raise ValueError(f"accuracy is said to change by {self.accuracy_gain.value:g}, and changes by {gain:g}")
        return self


class BuildEvidence(Fact):
    """Everything that the build gate judges."""

    validation: Validation
    package: Package
    evaluation: Evaluation
    comparison: Comparison | None = None
    uncompared: str = "no champion was asked for"
    """Why there is no comparison."""
