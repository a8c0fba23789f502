"""What a network sees in each stored photo: computed once for each batch, and kept under `.petpark`."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from petpark import files, images, lake, layout
from petpark.build import networks, pixels, probe
from petpark.build.audit import material
from petpark.build.audit.material import Material
from petpark.build.checkpoint import mark
from petpark.classifier import Classifier
from petpark.config.train import TrainSettings
from petpark.errors import DataError

_FOLDER: Final = layout.SCRATCH / "features"
_CHUNK: Final = 64  # photos that the network sees at a time
_GREATEST: Final = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Extractor:
    """A network that turns photos into features.

    Attributes:
        name: what it is, for people.
        key: other networks, weights or sizes have another one.
        size: side of the squares that it takes, in pixels.
        run: squares uint8 [B, S, S, 3] to features [B, D].
        independent: whether it has never seen the labels that are examined.
    """

    name: str
    key: str
    size: int
    run: Callable[[images.Pixels], NDArray[np.float32]]
    independent: bool


class Features:
    """Features of N photos, kept as float16 in files that are mapped into memory, read by row.

    Args:
        parts: what is kept of each batch.
        part: [N] which of them holds the photo.
        place: [N] the photo's place in it.
    """

    def __init__(self, parts: list[NDArray[np.float16]], part: NDArray[np.int64], place: NDArray[np.int64]) -> None:
        self._parts, self._part, self._place = parts, part, place
        self.width = int(parts[0].shape[1])

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read features, float32 [len(rows), D]."""
        out = np.empty((len(rows), self.width), np.float32)
        part, place = self._part[rows], self._place[rows]
        for number, kept in enumerate(self._parts):
            here = part == number
            out[here] = kept[place[here]]
        return out


def extractor(settings: TrainSettings) -> Extractor | None:
    """The network that training starts from, where it has seen photos; else the packaged model; else None.

    Raises:
        ModelError: the weights or the model file are not what they should be.
    """
    if settings.weights is not None:
        return _body(settings)
    return _packaged() if layout.MODEL.is_file() else None


def _body(settings: TrainSettings) -> Extractor:
    network = networks.start(settings, 1)
    key = f"{settings.model} {mark(network.body.state_dict())} {settings.image_size} {torch.__version__}"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)

    def run(squares: images.Pixels) -> NDArray[np.float32]:
        batch = torch.from_numpy(squares).to(device).permute(0, 3, 1, 2).float()
        return np.asarray(probe.features(network, [batch]).cpu().numpy(), np.float32)

    return Extractor(f"{settings.model} as its given weights have it", key, settings.image_size, run, independent=True)


def _packaged() -> Extractor:
    classifier = Classifier(layout.MODEL)

    def run(squares: images.Pixels) -> NDArray[np.float32]:
        return classifier.run(squares)[1]

    key = files.sha256(layout.MODEL)
    name = f"{layout.MODEL}, which was trained on these labels"
    return Extractor(name, key, classifier.size, run, independent=False)


def extract(seen: Material, network: Extractor) -> Features:
    """Compute the features of the judged photos, or find them where an audit before this one left them.

    They are kept for each batch, and do not depend on the split: corrections change none of them.

    Raises:
        DataError: a shard is missing or broken.
    """
    batches = list(dict.fromkeys(seen.photos.column("batch").tolist()))
    parts: list[NDArray[np.float16]] = []
    places: dict[tuple[str, int, int], int] = {}
    for batch in batches:
        photos = material.good(batch, seen.manifests[batch])
        parts.append(_kept(batch, photos, network))
        at = zip(photos.column("part").tolist(), photos.column("row").tolist(), strict=True)
        places |= {(batch, *where): place for place, where in enumerate(at)}
    columns = [seen.photos.column(name).tolist() for name in ("batch", "part", "row")]
    try:
        place = [places[where] for where in zip(*columns, strict=True)]
    except KeyError:
        raise DataError(f"{layout.SPLIT} is older than a manifest: run `dvc repro split`.") from None
    part = [batches.index(batch) for batch in columns[0]]
    return Features(parts, np.array(part, np.int64), np.array(place, np.int64))


def _kept(batch: str, photos: lake.Photos, network: Extractor) -> NDArray[np.float16]:
    """Open the features of a batch, and compute them first if they are not there yet."""
    path = _FOLDER / f"{batch}-{_key(batch, network)}.npy"
    if not path.is_file():
        old = [each for each in _FOLDER.glob(f"{batch}-*.npy") if len(each.name) == len(path.name)]
        with files.whole(path) as partial:
            _write(partial, photos, network, f"look at {batch}")
        for each in old:
            files.remove(each)
    return np.asarray(np.load(path, mmap_mode="r"))


def _key(batch: str, network: Extractor) -> str:
    digest = hashlib.sha256(network.key.encode())
    for part in sorted(layout.shard(batch).glob("*.parquet")):
        digest.update(f"{part.name} {files.sha256(part)}".encode())
    return digest.hexdigest()[:16]


def _write(path: Path, photos: lake.Photos, network: Extractor, title: str) -> None:
    """Write features in the order of the photos (that of the disk), a chunk in memory at a time."""
    squares = pixels.squares(photos, network.size, title)
    first = True
    with path.open("wb") as file:
        while chunk := list(islice(squares, _CHUNK)):
            found = network.run(np.stack([square for _, square, _ in chunk]))
            if first:
                header = {"descr": "<f2", "fortran_order": False, "shape": (len(photos), found.shape[1])}
                np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
                first = False
            file.write(np.clip(found, -_GREATEST, _GREATEST).astype("<f2").tobytes())
