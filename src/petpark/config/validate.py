"""Settings of the stage `validate`."""

from pydantic import Field

from petpark.config.settings import Settings


class ValidateSettings(Settings):
    """How the data is examined."""

    max_photos: int = Field(2000, ge=50)
    """Photos of each side, drawn by their ids, on which deepchecks compares train and test."""
