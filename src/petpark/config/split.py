"""Settings of the stage `split`."""

from pydantic import Field

from petpark.config.settings import Settings


class SplitSettings(Settings):
    """How photos are divided between the sides."""

    test_share: float = Field(0.2, gt=0, lt=1)
    """Share of photos that no training ever sees; evaluation judges on them."""
    validation_share: float = Field(0.1, gt=0, lt=1)
    """Share of the remaining photos on which thresholds and the variant are chosen."""
    near_duplicate_distance: int = Field(4, ge=0, le=15)
    """Photos whose 64-bit perceptual hashes differ in at most so many bits stay on one side."""
