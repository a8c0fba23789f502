"""Settings of the stage `train`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from petpark.config.ingest import Sha256
from petpark.config.settings import Settings


class TrainSettings(Settings):
    """One recipe: AdamW, linear warm-up and cosine decay, label smoothing, averaged weights."""

    model: str = "small"
    """`small` (our own network) or the name of a torchvision classification model."""
    weights: str | None = None
    """Where training starts: null (from scratch), a torchvision weights name, or a file."""
    weights_sha256: Sha256 | None = None
    """SHA-256 of the weights file; training on another one is refused."""
    freeze: Literal["none", "batchnorm", "backbone"] = "none"
    """What stays as the weights have it: nothing, the batch norms, or all but the head."""
    image_size: int = Field(64, ge=16, le=1024)
    """Side of the square that the model sees, in pixels."""
    epochs: int = Field(10, ge=1)
    """Passes over the training side."""
    batch_size: int = Field(64, ge=2)
    """Photos in one step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Peak learning rate, reached after the warm-up."""
    weight_decay: float = Field(0.05, ge=0)
    """AdamW's weight decay (matrices and kernels only)."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    """Share of the target that is spread over all labels."""
    ema: float = Field(0.99, ge=0, lt=1)
    """Decay of the averaged weights per step; 0 keeps the last ones."""
    crop: float = Field(0.6, gt=0, le=1)
    """Smallest share of the area that a random crop keeps."""
    mixup: float = Field(0.0, ge=0)
    """Alpha of mixup; 0 turns it off."""
    processes: int = Field(1, ge=1)
    """Processes that train together, each on its part of every batch; one for each GPU, where there are several."""
    cache_gb: float = Field(8.0, ge=0)
    """Decoded photos are kept in a memory-mapped file of at most this size; the rest is decoded anew each epoch."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.batch_size % self.processes:
            raise ValueError(f"a batch of {self.batch_size} photos cannot be divided among {self.processes} processes")
        return self
