"""Evidence of `validate`: the data."""

from typing import Final, Literal, Self

from pydantic import Field, model_validator

from petpark.evidence.core import Count, Evidence, Fact, Fraction, unlike

ENOUGH_TO_COMPARE: Final = 200  # with fewer photos on a side, drift scores exceed any limit by chance


class SideCount(Fact):
    """Photos of one label on each side."""

    label: str
    train: Count
    validation: Count
    test: Count


class BatchCount(Fact):
    """What became of the photos of one batch."""

    batch: str
    role: Literal["train", "acceptance"]
    photos: Count
    quarantined: Count
    reasons: dict[str, Count]

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if self.quarantined > self.photos or self.quarantined != sum(self.reasons.values()):
            found = f"{self.quarantined} photos in quarantine, {sum(self.reasons.values())} with a reason"
            raise ValueError(f"batch '{self.batch}': {found}, {self.photos} in all")
        return self


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
    duplicates: Count
    """Photos that came more than once; one of each stayed."""
    conflicts: Count
    """Photos that came under two labels; none of them stayed."""
    excluded: Count
    corrected: Count
    leaked: Count
    """Photos of the training or validation side with an exact or near duplicate in test or acceptance."""
    drift: dict[str, Fraction]
    """Drift score between training and test side, by property: 0 is none, 1 is apart."""
    checks: tuple[Check, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        unlike(each.label for each in self.classes)
        unlike(each.batch for each in self.batches)
        return self
