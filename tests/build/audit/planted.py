"""Small real lakes with wrong labels, strangers and broken files planted in them."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petpark import files, layout
from petpark.build.audit import features, material
from petpark.build.audit.features import Features
from petpark.build.audit.findings import Findings
from petpark.build.audit.search import search
from petpark.build.ingest import ingest
from petpark.build.split import split
from petpark.config.ingest import Batch, IngestSettings, Role
from petpark.config.split import SplitSettings
from petpark.config.train import TrainSettings
from tests import models
from tests.build.lakes import LABELS, TINTS
from tests.conftest import draw, jpeg, pack

EACH: Final = 40
PARAMS: Final = """ingest: {short_side: 40, batches: BATCHES}
split: {validation_share: 0.25}
validate: {}
train: {}
package: {}
evaluate: {}
"""


def photo(label: str, number: int) -> bytes:
    """A photo in the colour of its label; no two look alike."""
    return jpeg(draw(1000 * LABELS.index(label) + number, width=64, height=48, tint=TINTS[label]))


def clean(each: int = EACH) -> dict[str, bytes]:
    """Photos of three labels, by their names in an archive."""
    return {f"{label}/{number:03d}.jpg": photo(label, number) for label in LABELS for number in range(each)}


def swapped(members: Mapping[str, bytes], moves: Mapping[str, str]) -> dict[str, bytes]:
    """The same photos, some of them (by name) in the folder of another label."""
    return {f"{moves[name]}/wrong-{name[-7:]}" if name in moves else name: data for name, data in members.items()}


def blank(shade: int) -> bytes:
    """A photo of one colour."""
    return jpeg(Image.new("RGB", (64, 48), (shade, shade, shade)))


def identity(data: bytes) -> str:
    """The id of a photo."""
    return hashlib.sha256(data).hexdigest()


def lake(
    roles: Mapping[str, Role] | None = None, short_side: int = 40, /, **batches: Mapping[str, bytes]
) -> IngestSettings:
    """Ingest batches into the current folder, split them, and write params.yaml."""
    listed = {}
    for name, members in batches.items():
        digest = files.sha256(pack(layout.archive(name), members))
        listed[name] = Batch(sha256=digest, role=(roles or {}).get(name, "train"))
    settings = IngestSettings(short_side=short_side, batches=listed)
    for name, batch in listed.items():
        ingest(name, batch.sha256, settings, workers=1)
    resplit(settings)
    plain = json.dumps({name: batch.model_dump() for name, batch in listed.items()})
    layout.PARAMS.write_text(PARAMS.replace("BATCHES", plain))
    return settings


def resplit(settings: IngestSettings) -> None:
    """Split the lake of the current folder anew, as after a change of corrections.csv."""
    split(settings, SplitSettings(validation_share=0.25))


def model() -> Path:
    """Write a packaged model whose embedding is the mean colour."""
    return models.save(layout.MODEL, metadata=models.card())


def found(settings: IngestSettings, train: TrainSettings | None = None) -> Findings:
    """Look through the lake of the current folder, by the model that lies there unless `train` has weights."""
    return search(material.read(settings), settings, features.extractor(train or TrainSettings()))


def kept(values: NDArray[np.float32]) -> Features:
    """Features [N, D] as if they had been computed in one batch."""
    n = len(values)
    return Features([values.astype(np.float16)], np.zeros(n, np.int64), np.arange(n))
