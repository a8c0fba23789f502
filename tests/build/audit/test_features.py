"""Features: of which network, kept for each batch, and read by row."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from numpy.typing import NDArray

from petpark import images, layout
from petpark.build import pixels
from petpark.build.audit import features, material
from petpark.build.audit.features import Extractor, Features
from petpark.config.ingest import IngestSettings
from petpark.config.train import TrainSettings
from petpark.errors import DataError, ModelError
from tests.build.audit import planted

MODEL = "shufflenet_v2_x0_5"  # the smallest one of torchvision


@pytest.fixture
def settings(workspace: Path) -> IngestSettings:
    """A lake of two batches in the current folder."""
    photos = list(planted.clean(12).items())
    return planted.lake(first=dict(photos[::2]), second=dict(photos[1::2]))


class Counting:
    """Features that are the mean colour, and a count of the photos that were looked at."""

    def __init__(self) -> None:
        self.photos = 0

    def __call__(self, squares: images.Pixels) -> NDArray[np.float32]:
        self.photos += len(squares)
        return np.asarray(squares.mean((1, 2)), np.float32)

    def extractor(self, key: str = "mean") -> Extractor:
        return Extractor("mean", key, 16, self, independent=True)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    torch.save(torchvision.models.get_model(MODEL, weights=None).state_dict(), tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def recipe(weights: Path) -> TrainSettings:
    return TrainSettings(model=MODEL, weights=str(weights), image_size=32)


def test_each_photo_gets_its_own_features(settings: IngestSettings) -> None:
    seen = material.read(settings)
    found = features.extract(seen, Counting().extractor())
    squares = pixels.load(seen.photos, 16, "expected")
    assert len(found) == len(seen.photos)
    rows = np.array([5, 0, 30, 7])
    assert np.allclose(found[rows], squares[rows].mean((1, 2)), rtol=1e-3)


def test_features_are_computed_once_and_survive_corrections(settings: IngestSettings) -> None:
    network = Counting()
    before = features.extract(material.read(settings), network.extractor())
    assert network.photos == 36
    photo_id = material.read(settings).photos.ids[0]
    layout.CORRECTIONS.write_text(f"id,label\n{photo_id},excluded\n")
    planted.resplit(settings)
    seen = material.read(settings)
    after = features.extract(seen, network.extractor())
    assert network.photos == 36
    assert len(after) == len(before) - 1


def test_a_new_batch_is_looked_at_alone(settings: IngestSettings) -> None:
    network = Counting()
    features.extract(material.read(settings), network.extractor())
    more = {f"ash/{number}.jpg": planted.photo("ash", number) for number in range(500, 505)}
    photos = list(planted.clean(12).items())
    settings = planted.lake(first=dict(photos[::2]), second=dict(photos[1::2]), third=more)
    features.extract(material.read(settings), network.extractor())
    assert network.photos == 36 + 5


@pytest.mark.parametrize("change", ["network", "shard"])
def test_other_networks_and_other_shards_are_looked_at_anew_and_old_files_go(
    settings: IngestSettings, change: str
) -> None:
    network = Counting()
    features.extract(material.read(settings), network.extractor())
    if change == "shard":
        settings = planted.lake(first=planted.clean(13), second=planted.clean(14))
    features.extract(material.read(settings), network.extractor("other" if change == "network" else "mean"))
    assert network.photos == 36 + (36 if change == "network" else 39 + 42)
    kept = sorted(path.name.rpartition("-")[0] for path in Path(".petpark/features").iterdir())
    assert kept == ["first", "second"]


def test_a_batch_whose_name_begins_like_another_keeps_its_features(workspace: Path) -> None:
    photos = list(planted.clean(8).items())
    settings = planted.lake(**{"park": dict(photos[::2]), "park-2": dict(photos[1::2])})
    network = Counting()
    for _ in range(2):
        features.extract(material.read(settings), network.extractor())
    assert network.photos == 24


def test_features_too_large_for_16_bits_stay_finite(settings: IngestSettings) -> None:
    def run(squares: images.Pixels) -> NDArray[np.float32]:
        return np.full((len(squares), 4), 1e9, np.float32)

    found = features.extract(material.read(settings), Extractor("huge", "huge", 16, run, independent=True))
    assert np.isfinite(found[np.arange(36)]).all()


def test_features_are_of_the_body_that_training_starts_from(settings: IngestSettings, weights: Path) -> None:
    network = features.extractor(recipe(weights))
    assert network is not None
    assert network.independent
    assert MODEL in network.name
    seen = material.read(settings)
    found = features.extract(seen, network)
    body = torchvision.models.get_model(MODEL, weights=None)
    body.load_state_dict(torch.load(weights, weights_only=True))
    body.fc = torch.nn.Identity()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    squares = torch.from_numpy(pixels.load(seen.photos, 32, "expected")).float() / 255
    with torch.inference_mode():
        expected = body.eval()(((squares - mean) / std).permute(0, 3, 1, 2)).numpy()
    assert np.allclose(found[np.arange(36)], expected, rtol=2e-2, atol=2e-3)


def test_the_key_is_that_of_the_weights_and_not_of_chance(weights: Path) -> None:
    one, two = (features.extractor(recipe(weights)) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.key == two.key
    state = torch.load(weights, weights_only=True)
    torch.save({name: value + 1 if name == "conv1.0.weight" else value for name, value in state.items()}, weights)
    other = features.extractor(recipe(weights))
    assert other is not None
    assert other.key != one.key


def test_without_weights_the_packaged_model_serves_and_it_is_said_that_it_knows_the_labels(workspace: Path) -> None:
    planted.model()
    network = features.extractor(TrainSettings())
    assert network is not None
    assert not network.independent
    assert "trained on these labels" in network.name


def test_without_weights_and_model_there_is_no_network(workspace: Path) -> None:
    assert features.extractor(TrainSettings()) is None


def test_weights_that_are_not_there_are_missed(workspace: Path) -> None:
    with pytest.raises(ModelError, match=r"train\.weights"):
        features.extractor(recipe(Path("gone.pth")))


def test_a_shard_that_is_not_here_is_missed_with_the_remedy(settings: IngestSettings) -> None:
    layout.shard("second").rename("elsewhere")
    with pytest.raises(DataError, match=r"dvc pull lake/second/shard"):
        features.extract(material.read(settings), Counting().extractor())
    assert not list(Path(".petpark/features").glob("second-*"))


def test_a_split_that_is_older_than_a_manifest_is_refused(settings: IngestSettings) -> None:
    seen = material.read(settings)
    fewer = {name: table.slice(0, 3) for name, table in seen.manifests.items()}
    old = material.Material(fewer, seen.split, seen.photos, seen.labels, seen.targets, seen.settled, seen.came_under)
    with pytest.raises(DataError, match="dvc repro split"):
        features.extract(old, Counting().extractor())


def test_rows_come_from_the_part_that_holds_them() -> None:
    parts = [np.arange(6, dtype=np.float16).reshape(3, 2), np.arange(10, 16, dtype=np.float16).reshape(3, 2)]
    found = Features(parts, np.array([1, 0, 1]), np.array([0, 2, 2]))
    assert found[np.array([2, 1, 0])].tolist() == [[14, 15], [4, 5], [10, 11]]
    assert found[np.array([], np.int64)].shape == (0, 2)
