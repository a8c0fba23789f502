"""Settings of the stage `evaluate`."""

from pydantic import Field

from petpark.config.settings import Settings


class EvaluateSettings(Settings):
    """How the packaged model is judged."""

    resamples: int = Field(1000, ge=100, le=100_000)
    """Bootstrap resamples behind each 95 % interval."""
    gallery: int = Field(12, ge=0, le=100)
    """Mistakes shown in the report, the most confident first."""
    neighbours: int = Field(2000, ge=0)
    """Training photos among which the nearest ones to a mistake are sought."""
