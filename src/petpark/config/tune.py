"""Settings of `petpark tune`; no stage reads them."""

from collections.abc import Mapping
from typing import Annotated, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from petpark.config.settings import Settings

Value: TypeAlias = bool | int | float | str | None


class Range(Settings):
    """All values between two, for a setting that is a number."""

    low: float
    """The smallest value."""
    high: float
    """The largest value."""
    log: bool = False
    """Whether the logarithm is drawn evenly: as many values between 0.001 and 0.01 as between 0.01 and 0.1."""
    points: int = Field(3, ge=2, le=100)
    """How many values of the range a grid tries, `low` and `high` among them."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must lie under high ({self.high:g})")
        if self.log and self.low <= 0:
            raise ValueError(f"there is no logarithm of {self.low:g}: set log to false, or low above 0")
        return self


def _kind(value: object) -> str:
    return "range" if isinstance(value, Mapping | Range) else "list"


Choices = Annotated[tuple[Value, ...], Field(strict=False, min_length=1)]
Searched = Annotated[Annotated[Choices, Tag("list")] | Annotated[Range, Tag("range")], Discriminator(_kind)]


class TuneSettings(Settings):
    """What `petpark tune` searches; no stage reads it, so changing it trains nothing."""

    search: dict[str, Searched] = Field(default_factory=dict)
    """For settings of `train`, by name: a list of the values to try, or a range."""
