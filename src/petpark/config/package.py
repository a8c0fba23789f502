"""Settings of the stage `package`."""

from typing import Literal

from pydantic import Field

from petpark.config.settings import Settings


class PackageSettings(Settings):
    """How trained weights become the file that ships."""

    variant: Literal["auto", "fp32", "int8"] = "auto"
    """`auto` takes int8 where it is faster and the policy allows what it loses."""
    calibration_photos: int = Field(256, ge=16)
    """Training photos on which the ranges of int8 are measured."""
    sure_accuracy: float = Field(0.99, gt=0, le=1)
    """The threshold of `unsure` is the lowest at which the rest of the validation side is so accurate."""
    index_photos: int = Field(5000, ge=0, le=100_000)
    """Training photos, evenly of each label, among which the service looks for those like a photo; 0 for none."""
