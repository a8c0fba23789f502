"""Evidence of `validate`: the data."""

from typing import Literal

from pydantic import Field

from petpark.evidence.core import Evidence, Fact


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
