"""Settings of the stage `ingest`, and the list of batches."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from petpark.config.settings import Settings

BatchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Role = Literal["train", "acceptance"]


class Batch(Settings):
    """One archive of photos, as it arrived."""

    sha256: Sha256
    """SHA-256 of `data/<batch>.tar`; `petpark data add` writes it."""
    role: Role = "train"
    """`train` enters the split; `acceptance` is a sample of production that a release is tested on."""


class IngestSettings(Settings):
    """How photos are checked and stored."""

    short_side: int = Field(ge=16, le=2048)
    """Short side of a stored photo in pixels; smaller photos stay as they are."""
    quality: int = Field(85, ge=50, le=100)
    """JPEG quality of a stored photo."""
    max_megapixels: int = Field(50, ge=1, le=500)
    """Photos with more pixels are quarantined before they are decoded."""
    batches: dict[BatchName, Batch] = Field(default_factory=dict)
    """The batches by name; `petpark data add` and `petpark data drop` write them."""

    def names(self, role: Role | None = None) -> tuple[str, ...]:
        """The names of the batches of one role, or of all, in the order of the file."""
        return tuple(name for name, batch in self.batches.items() if role in (None, batch.role))
