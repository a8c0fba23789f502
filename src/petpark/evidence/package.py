"""Evidence of `package`: the file that ships."""

from typing import Literal, Self

from pydantic import Field, model_validator

from petpark.evidence.core import Count, Evidence, Fact, Fraction, Sha256, unlike


class Variant(Fact):
    """One form of the packaged model."""

    name: Literal["fp32", "int8"]
    bytes: Count
    milliseconds: float = Field(ge=0)
    """Median time of one photo on one thread."""
    accuracy: Fraction
    """On the validation side."""


class GoldenRows(Fact):
    """How far the same photos agree along the way, as differences of probabilities."""

    photos: Count
    torch_fp32: Fraction
    """Largest difference between torch and the fp32 file."""
    fp32_int8: Fraction | None
    """Largest difference between the fp32 and the int8 file."""
    int8_agreement: Fraction | None
    """Share of golden rows to which both files give the same label."""
    ingest_shift: Fraction
    """Mean over the photos of the largest difference between an original and its stored form."""
    ingest_shift_max: Fraction
    ingest_agreement: Fraction
    """Share of photos that get the same label in both forms."""


class Package(Evidence):
    """What `package` made and measured."""

    schema_: Literal["package/1"] = Field("package/1", alias="schema")
    architecture: str
    sha256: Sha256
    """Of the file that ships."""
    image_size: Count
    parameters: Count
    variants: tuple[Variant, ...]
    chosen: Literal["fp32", "int8"]
    why: str
    threshold: Fraction
    golden: GoldenRows

    @model_validator(mode="after")
    def _chosen_among_variants(self) -> Self:
        unlike(variant.name for variant in self.variants)
        if self.variant(self.chosen) is None:
            raise ValueError(f"{self.chosen} was chosen, and is not among the variants")
        return self

    def variant(self, name: str) -> Variant | None:
        """The variant of that name, if it was made."""
        return next((variant for variant in self.variants if variant.name == name), None)
