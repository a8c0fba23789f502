"""Ways to feed one and the same trainer; each hands out batches uint8 [N, S, S, 3], and the trainer does the rest."""

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torchvision
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader

from benchmarks import pictures
from petpark import files, images, layout, shards
from petpark.build import networks, pixels
from petpark.build.checkpoint import Checkpoint
from petpark.build.ingest import ingest
from petpark.build.processes import Team
from petpark.build.training import Data, Training, seed_torch
from petpark.config.ingest import IngestSettings
from petpark.config.train import TrainSettings
from petpark.lake import Photos

BATCH: Final = 64
_EPOCHS: Final = 3
_SETTINGS: Final = TrainSettings(image_size=64, batch_size=BATCH, epochs=_EPOCHS)
_CACHED: Final = 73  # side of the squares that photos are cached at: 8/7 of what the model sees
_LAKE: Final = "photos"
_LOOSE, _PARQUET = Path("loose"), Path("photos.parquet")

Rows = NDArray[np.int64]


class Feed(Protocol):
    """What the trainer reads its batches from."""

    def __getitem__(self, rows: Rows) -> images.Pixels:
        """The next batch."""


class Moment(NamedTuple):
    """A look at the clocks."""

    wall: float
    process: float
    thread: float


class Clocked:
    """A feed that looks at the clocks each time when it has handed out a batch."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.moments: list[Moment] = []

    def __getitem__(self, rows: Rows) -> images.Pixels:
        batch = self._feed[rows]
        self.moments.append(Moment(time.perf_counter(), time.process_time(), time.thread_time()))
        return batch


class Resident:
    """One batch of noise that never changes."""

    def __init__(self) -> None:
        shape = (BATCH, _CACHED, _CACHED, 3)
        self._batch = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def __getitem__(self, rows: Rows) -> images.Pixels:
        return self._batch


class Loaded:
    """Whatever batches a DataLoader gives, epoch after epoch."""

    def __init__(self, photos: Any, image: str | int, workers: int) -> None:
        self._loader: DataLoader[Any] = DataLoader(
            photos,
            BATCH,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=partial(_stacked, image),
        )
        self._batches = self._endless()

    def _endless(self) -> Iterator[images.Pixels]:
        while True:
            yield from self._loader

    def __getitem__(self, rows: Rows) -> images.Pixels:
        return next(self._batches)


def prepare(folder: str, count: int) -> None:
    """Take in photos, and lay the stored ones as loose files and as Parquet too: all feeds read the same bytes."""
    with chdir(folder):
        archive = pictures.pack(layout.archive(_LAKE), pictures.photos(count))
        ingest(_LAKE, files.sha256(archive), IngestSettings(short_side=160, quality=85))
        photos = _photos()
        labels = photos.column("label").tolist()
        stored = [(f"{labels[row]}/{row:06d}.jpg", jpeg) for row, jpeg in photos.stored()]
        pictures.lay(_LOOSE, iter(stored))
        image = [{"bytes": jpeg, "path": None} for _, jpeg in stored]
        pq.write_table(pa.table({"image": image, "label": [name.partition("/")[0] for name, _ in stored]}), _PARQUET)
        _cache(0)


def train(folder: str, feed: str, workers: int) -> dict[str, Any]:
    """Train for some epochs, and look at all but the first.

    Returns:
        `rate`, photos per second; `loading`, the share of this process's CPU time that its loading thread took;
        `device`.
    """
    with chdir(folder):
        clocked = Clocked(FEEDS[feed](workers))
        photos = _photos()
        targets = photos.targets(pictures.LABELS)
        kept = np.arange(BATCH)
        data = Data(clocked, targets, _cache(0)[kept], targets[kept], len(pictures.LABELS))  # type: ignore[arg-type]
        seed_torch(0)
        network = networks.start(_SETTINGS, len(pictures.LABELS))
        training = Training(network, _SETTINGS, 0, Checkpoint({"feed": feed, "now": time.time()}), Team())
        training.run(data)
    return {**measured(clocked.moments, len(targets) // BATCH), "device": training.device.type}


def measured(moments: list[Moment], per_epoch: int) -> dict[str, float]:
    """Photos per second and the share of CPU time, from the second epoch on; the pauses between epochs left out."""
    wall = process = thread = steps = 0.0
    for start in range(per_epoch, len(moments), per_epoch):
        epoch = moments[start + 1 : start + per_epoch]  # the first one is read while the epoch before it is finished
        begin, end = epoch[0], epoch[-1]
        wall, process = wall + end.wall - begin.wall, process + end.process - begin.process
        thread, steps = thread + end.thread - begin.thread, steps + len(epoch) - 1
    return {"rate": BATCH * steps / wall, "loading": thread / process}


def _photos() -> Photos:
    manifest = shards.read_table(layout.manifest(_LAKE), shards.MANIFEST)
    return Photos(manifest.append_column("batch", pa.repeat(_LAKE, manifest.num_rows)))


def _cache(_: int) -> pixels.Pixels:
    return pixels.cached(_photos(), _CACHED, "benchmark", 8_000_000_000)


def _image_folder(workers: int) -> Loaded:
    return Loaded(torchvision.datasets.ImageFolder(str(_LOOSE), loader=_square), 0, workers)


def _hugging_face(workers: int) -> Loaded:
    import datasets

    photos = datasets.load_dataset("parquet", data_files=str(_PARQUET), split="train", cache_dir="hugging_face")
    photos = photos.cast_column("image", datasets.Image(decode=False))
    photos.set_transform(lambda rows: {"image": [_square(io.BytesIO(each["bytes"])) for each in rows["image"]]})
    return Loaded(photos, "image", workers)


def _stacked(image: str | int, items: Sequence[Any]) -> images.Pixels:
    return np.stack([item[image] for item in items])


def _square(file: Any) -> images.Pixels:
    """Decode a photo with Pillow, which scales while it decodes, and squash it."""
    with Image.open(file) as image:
        image.draft("RGB", (_CACHED, _CACHED))
        return np.asarray(image.convert("RGB").resize((_CACHED, _CACHED), Image.Resampling.BILINEAR))


FEEDS: Final[dict[str, Callable[[int], Feed]]] = {
    "cache": _cache,
    "resident": lambda _: Resident(),
    "image_folder": _image_folder,
    "hugging_face": _hugging_face,
}
