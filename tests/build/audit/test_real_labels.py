"""Label suspects among real photos, compared with a list that another model made."""

import csv
import tarfile
from pathlib import Path

import numpy as np

from petpark.build.audit import features, material, suspects
from petpark.config.train import TrainSettings
from tests.build.audit import planted
from tests.build.audit.planted import identity

OTHERS = 280


def chosen(data: Path) -> tuple[dict[str, bytes], set[str]]:
    """The listed photos among the first 3,600 and some others, evenly of both labels; and the ids of the listed."""
    with (data / "label_suspects.csv").open(newline="") as file:
        listed = {row["path"] for row in csv.DictReader(file) if row["pack"] == "train"}
    with tarfile.open(data / "pets-train.tar") as archive:
        names = [name for name in archive.getnames() if name.endswith(".jpg")]
        others = [name for name in names if name not in listed]
        wanted = [*listed, *others[:: len(others) // OTHERS]]
        members = {name: archive.extractfile(name).read() for name in sorted(wanted)}  # type: ignore[union-attr] # files
    return members, {identity(members[name]) for name in listed}


def test_listed_suspects_rank_far_above_chance(test_data: Path, workspace: Path) -> None:
    members, listed = chosen(test_data / "data")
    weights = test_data / "weights" / "mobilenet_v2_imagenet_norm.pth"
    seen = material.read(planted.lake(None, 160, pets=members))
    network = features.extractor(TrainSettings(model="mobilenet_v2", weights=str(weights), image_size=128))
    assert network is not None
    known, ids = features.extract(seen, network), seen.photos.ids
    probabilities = suspects.out_of_fold(known, seen.targets, ids, seen.groups, len(seen.labels))
    assert (probabilities.argmax(1) == seen.targets).mean() > 0.8
    margin = suspects.opinions(probabilities, seen.targets).margin
    rank = np.argsort(np.argsort(margin)) / (len(margin) - 1)
    suspected = np.array([photo_id in listed for photo_id in ids])
    assert suspected.sum() > 35
    assert rank[suspected].mean() > 0.75  # 0.86 seen; chance is a half
    first = np.argsort(-margin)[: suspected.sum()]
    assert suspected[first].mean() > 3 * suspected.mean()  # 64 % seen, and 13 % would be chance
