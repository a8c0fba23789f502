"""The whole way on real photos: from archives to a verdict, and what happens when more photos come."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

from petpark import lake, layout, shards
from petpark.build.evaluate import evaluate
from petpark.build.ingest import ingest
from petpark.build.package import package
from petpark.build.split import split
from petpark.build.train import train
from petpark.config.evaluate import EvaluateSettings
from petpark.config.ingest import Batch, IngestSettings
from petpark.config.package import PackageSettings
from petpark.config.policy import Cost
from petpark.config.split import SplitSettings
from petpark.config.train import TrainSettings
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.package import Package

SPLIT = SplitSettings()


def settings(batches: dict[str, Path], **roles: Any) -> IngestSettings:
    named = {
        name: Batch(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), role=roles.get(name, "train"))
        for name, path in batches.items()
    }
    return IngestSettings(short_side=160, batches=named)


def take_in(sources: dict[str, Path]) -> IngestSettings:
    """Ingest some archives into the current folder, and split them."""
    for name, source in sources.items():
        layout.archive(name).parent.mkdir(exist_ok=True)
        shutil.copy(source, layout.archive(name))
    chosen = settings({name: layout.archive(name) for name in sources})
    for name, batch in chosen.batches.items():
        ingest(name, batch.sha256, chosen)
    split(chosen, SPLIT)
    return chosen


@pytest.fixture(scope="module")
def first(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the first 3,600 photos were taken in."""
    folder = tmp_path_factory.mktemp("real")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        take_in({"first": test_data / "data" / "pets-train.tar"})
    return folder


def test_a_second_batch_moves_nothing_from_test_to_train_and_leaves_the_first_as_it_is(
    first: Path, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = set(lake.side(lake.read_split(), "test").ids)
    shutil.copy(test_data / "data" / "pets-extra.tar", layout.archive("second"))
    both = settings({name: layout.archive(name) for name in ("first", "second")})
    ingest("second", both.batches["second"].sha256, both)
    split(both, SPLIT)
    after = lake.read_split()
    assert before <= set(lake.side(after, "test").ids)
    assert len(after) == 4200
    assert set(after.column("batch").tolist()) == {"first", "second"}


def test_photos_that_look_alike_are_never_on_two_sides(first: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(first)
    photos = lake.read_split()
    table = shards.read_table(layout.manifest("first"))
    hashes = dict(zip(table.column("id").to_pylist(), table.column("phash").to_pylist(), strict=True))
    side: dict[str, NDArray[np.uint64]] = {
        name: np.array([hashes[each] for each in lake.side(photos, name).ids], np.uint64) for name in lake.SIDES
    }
    for one, other in (("train", "test"), ("train", "validation"), ("validation", "test")):
        distance = np.bitwise_count(side[one][:, None] ^ side[other][None])
        assert distance.min() > SPLIT.near_duplicate_distance


def test_a_network_that_has_seen_photos_tells_the_pets_apart(
    first: Path, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a minute of the real thing: only the head learns, on small pictures."""
    monkeypatch.chdir(first)
    weights = test_data / "weights" / "mobilenet_v2_imagenet_norm.pth"
    recipe = TrainSettings(
        model="mobilenet_v2", weights=str(weights), freeze="backbone", image_size=128, epochs=1, learning_rate=1e-4
    )
    train(recipe, seed=0)
    package(PackageSettings(), 0.005, ["first"], seed=0)
    evaluate(EvaluateSettings(), Cost().matrix, seed=0)
    found = Evaluation.read(layout.EVALUATION)
    assert found.photos > 700
    assert found.accuracy.low > 0.93
    rows = Package.read(layout.PACKAGE).golden
    assert rows.torch_fp32 < 1e-4
    assert rows.ingest_shift < 0.1


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_recipe_of_the_readme_is_as_good_as_it_says(
    first: Path, test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    block = readme.split("```yaml\ntrain:", 1)[1].split("```", 1)[0]
    monkeypatch.chdir(first)
    recipe = TrainSettings(**YAML(typ="safe").load("train:" + block)["train"])
    weights = test_data / "weights" / "mobilenet_v2_imagenet_norm.pth"
    train(recipe.model_copy(update={"weights": str(weights)}), seed=0)
    package(PackageSettings(), 0.005, ["first"], seed=0)
    evaluate(EvaluateSettings(), Cost().matrix, seed=0)
    assert Evaluation.read(layout.EVALUATION).accuracy.value >= 0.98
