"""Evidence of a run: what it took to come to the other evidence."""

from typing import Annotated, Literal

from pydantic import Field

from petpark.evidence.core import Count, Evidence

Minutes = Annotated[float, Field(ge=0, le=1e6)]


class Run(Evidence):
    """What a run cost; whatever is not known is left out."""

    schema_: Literal["run/1"] = Field("run/1", alias="schema")
    started: str | None = Field(None, pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z$")
    """When, in UTC."""
    minutes: dict[str, Minutes] = Field(default_factory=dict)
    """By stage or job."""
    photos_ingested: Count | None = None
    photos_trained: Count | None = None
    """Photos of the training side, where a training ran."""
    bytes_fetched: Count | None = None
    """From the remote of the data."""
    bytes_pushed: Count | None = None
    """To the remote of the data."""
    runner: str | None = None
    """The machine, such as `ubuntu-24.04`."""
