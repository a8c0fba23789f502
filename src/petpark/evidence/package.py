"""Evidence of `package`: the file that ships."""

from typing import Literal

from pydantic import Field

from petpark.evidence.core import Evidence, Fact


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
