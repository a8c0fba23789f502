"""Evidence of a build: what its gate judges."""

from typing import Literal

from pydantic import Field

from petpark.evidence.core import Estimate, Evidence, Fact
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package
from petpark.evidence.validation import Validation


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
    comparison: Comparison | None = None
