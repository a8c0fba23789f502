"""Small real lakes: photos whose colour tells the label, taken in and split by the real stages."""

import contextlib
import shutil
from pathlib import Path
from typing import Final

from petpark import files, layout
from petpark.build.ingest import ingest
from petpark.build.split import split
from petpark.config.ingest import Batch, IngestSettings
from petpark.config.split import SplitSettings
from tests.conftest import draw, jpeg, pack

TINTS: Final = {"ash": (200, 60, 60), "beech": (60, 200, 60), "cedar": (60, 60, 200)}
LABELS: Final = tuple(TINTS)
BATCHES: Final = ("first", "second")


def grow(root: Path, photos: int = 144, *, short_side: int = 40) -> IngestSettings:
    """Fill a folder with two batches of photos of 64 x 48 pixels, and the lake that is made of them."""
    share = photos // len(BATCHES) // len(LABELS)
    root.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(root):
        batches = {}
        for number, batch in enumerate(BATCHES):
            path = pack(
                layout.archive(batch), dict(_photo(label, number * share + i) for label in LABELS for i in range(share))
            )
            batches[batch] = Batch(sha256=files.sha256(path))
        settings = IngestSettings(short_side=short_side, batches=batches)
        for name, each in batches.items():
            ingest(name, each.sha256, settings, workers=1)
        split(settings, SplitSettings(validation_share=0.25))
    return settings


def _photo(label: str, number: int) -> tuple[str, bytes]:
    seed = 1000 * LABELS.index(label) + number
    return f"{label}/{number:03d}.jpg", jpeg(draw(seed, width=64, height=48, tint=TINTS[label]))


def copy(source: Path, target: Path) -> Path:
    """Copy what a lake's folder holds, so that a test may change it."""
    return shutil.copytree(source, target, dirs_exist_ok=True)
