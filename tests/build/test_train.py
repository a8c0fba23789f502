"""Training: learns, is the same each time, goes on after `kill -9`, and says what it cannot do."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from petpark import fingerprint, lake, layout
from petpark.build import networks
from petpark.build import train as trainer
from petpark.build.checkpoint import Checkpoint
from petpark.build.processes import Team
from petpark.build.train import train
from petpark.build.training import Training
from petpark.errors import DataError, ModelError
from tests.build import killed, lakes
from tests.build.conftest import SEED, SETTINGS, one_thread

State = dict[str, Tensor]
SHORT = SETTINGS.model_copy(update={"epochs": 1, "image_size": 16})
PIXELS = Path(".petpark/pixels")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(path, weights_only=True)
    return loaded


def learned(seed: int = SEED, **changes: object) -> State:
    """Train on the lake that is here."""
    train(SHORT.model_copy(update=changes), seed)
    state: State = load(layout.WEIGHTS)["state"]
    return state


def equal(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def curve(folder: Path, name: str) -> list[float]:
    """The values that DVCLive wrote, one an epoch."""
    rows = (folder / layout.TRAINING / "plots" / "metrics" / f"{name}.tsv").read_text().splitlines()
    assert rows[0].split("\t") == ["step", name]
    assert [row.split("\t")[0] for row in rows[1:]] == [str(step) for step in range(len(rows) - 1)]
    return [float(row.split("\t")[1]) for row in rows[1:]]


# What it writes


def test_it_learns(trained: Path) -> None:
    losses = curve(trained, "loss")
    assert losses[-1] < 0.8 * losses[0]
    assert curve(trained, "accuracy")[-1] >= 0.9


def test_the_curves_hold_each_epoch_and_the_metrics_the_last(trained: Path) -> None:
    metrics = json.loads((trained / layout.TRAINING / "metrics.json").read_text())
    assert metrics.keys() == {"loss", "accuracy", "validation_loss", "step"}
    assert metrics["step"] == SETTINGS.epochs - 1
    for name in ("loss", "accuracy", "validation_loss"):
        assert len(curve(trained, name)) == SETTINGS.epochs
        assert curve(trained, name)[-1] == pytest.approx(metrics[name], rel=1e-3)


def test_the_weights_say_where_they_come_from(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    written = load(layout.WEIGHTS)
    assert written["settings"] == SETTINGS.model_dump()
    assert written["labels"] == lakes.LABELS
    assert written["seed"] == SEED
    assert written["data"] == fingerprint.lake(lake.read_split())
    assert re.fullmatch("[0-9a-f]{64}", written["code"])


def test_the_last_accuracy_is_that_of_the_weights_written(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from petpark.build import pixels

    monkeypatch.chdir(trained)
    photos = lake.side(lake.read_split(), "validation")
    network = networks.build("small", 3).eval()
    network.load_state_dict(load(layout.WEIGHTS)["state"])
    squares = torch.from_numpy(pixels.load(photos, SETTINGS.image_size, "validation"))
    with torch.inference_mode():
        guesses = network(squares.permute(0, 3, 1, 2).float()).argmax(1)
    hits = guesses == torch.from_numpy(photos.targets(lakes.LABELS))
    assert curve(trained, "accuracy")[-1] == pytest.approx(float(hits.float().mean()), abs=1e-4)


def test_only_the_training_and_the_validation_side_are_read(lake_here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    stored = lake.Photos.stored

    def listen(photos: lake.Photos) -> Iterator[tuple[int, bytes]]:
        seen.update(photos.column("side").tolist())
        return stored(photos)

    monkeypatch.setattr(lake.Photos, "stored", listen)
    learned()
    assert seen == {"train", "validation"}


def test_what_an_earlier_training_wrote_is_replaced(lake_here: Path) -> None:
    learned(epochs=2)
    learned()
    assert len(curve(lake_here, "loss")) == 1
    assert load(layout.WEIGHTS)["settings"]["epochs"] == 1


def test_it_says_what_each_epoch_brought(lake_here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learned(epochs=2)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_looking_at_the_validation_side_leaves_the_training_as_it_was(lake_here: Path) -> None:
    settings = SHORT.model_copy(update={"ema": 0.9})
    data = trainer.load(trainer.Source.read(), settings)
    training = Training(networks.build("small", 3), settings, SEED, Checkpoint({}), Team())
    for name in ("head.weight", "body.0.weight"):
        training.average.state[name] += 1
    before = {name: value.clone() for name, value in training.network.state_dict().items()}
    first = training._validate(data)
    assert equal(dict(training.network.state_dict()), before)
    training.average.state["head.bias"] += torch.tensor([0.0, 50.0, 0.0])  # the average is what is looked at
    beeches = (data.validation_targets == 1).mean()
    assert training._validate(data)[0] == pytest.approx(beeches) != first[0]


# The same each time


def test_the_same_seed_gives_the_same_weights_and_another_one_others(lake_here: Path) -> None:
    first = learned(3)
    written = layout.WEIGHTS.read_bytes()
    assert equal(first, learned(3))
    assert layout.WEIGHTS.read_bytes() == written
    other = learned(4)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert not torch.equal(first["body.0.weight"], other["body.0.weight"])


def test_a_huge_seed_is_a_seed(lake_here: Path) -> None:
    assert learned(2**80)["head.weight"].isfinite().all()


def test_the_size_of_the_cache_changes_no_weight(lake_here: Path) -> None:
    whole = learned(cache_gb=1.0)
    assert equal(whole, learned(cache_gb=0.0))
    assert equal(whole, learned(cache_gb=20e-6))


@pytest.mark.parametrize(
    "change",
    [
        {"mixup": 0.4},
        {"ema": 0.0},
        {"crop": 1.0},
        {"label_smoothing": 0.3},
        {"weight_decay": 0.9},
        {"warmup": 0.9},
        {"learning_rate": 1e-4},
        {"batch_size": 20},
        {"freeze": "batchnorm"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_knob_turns_something(lake_here: Path, change: dict[str, Any], plain: State) -> None:
    state = learned(**change)
    assert all(value.isfinite().all() for value in state.values())
    assert not torch.equal(state["head.weight"], plain["head.weight"])


@pytest.fixture(scope="module")
def plain(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> State:
    with pytest.MonkeyPatch.context() as patch, one_thread():
        patch.chdir(lakes.copy(grown, tmp_path_factory.mktemp("plain")))
        return learned()


def test_a_side_smaller_than_a_batch_is_one_step(lake_here: Path, plain: State) -> None:
    assert not torch.equal(learned(batch_size=1000)["head.weight"], plain["head.weight"])


# What stays


@pytest.fixture
def start_weights(tmp_path: Path) -> tuple[Path, State]:
    """A file of weights of a torchvision model, and what it holds."""
    import torchvision

    torch.manual_seed(8)
    state: State = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None).state_dict()
    torch.save(state, tmp_path / "start.pth")
    return tmp_path / "start.pth", state


def test_a_frozen_backbone_stays_as_the_weights_have_it(lake_here: Path, start_weights: tuple[Path, State]) -> None:
    path, start = start_weights
    state = learned(model="shufflenet_v2_x0_5", weights=str(path), image_size=32, freeze="backbone", epochs=2)
    body = {name.removeprefix("body."): value for name, value in state.items() if name.startswith("body.")}
    assert len(body) > 100
    assert all(torch.equal(value, start[name]) for name, value in body.items())


def test_frozen_batch_norms_stay_as_the_weights_have_them(lake_here: Path, start_weights: tuple[Path, State]) -> None:
    path, start = start_weights
    state = learned(model="shufflenet_v2_x0_5", weights=str(path), image_size=32, freeze="batchnorm")
    norms = {name.rpartition(".")[0] for name in start if name.endswith("running_mean")}
    for name, value in start.items():
        if not name.startswith("fc."):
            assert torch.equal(state[f"body.{name}"], value) == (name.rpartition(".")[0] in norms), name


def test_a_body_that_was_trained_elsewhere_begins_with_a_head_that_suits_it(
    lake_here: Path, start_weights: tuple[Path, State], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a learning rate of almost nothing, what the model knows in the end is what its head began with."""
    still: dict[str, Any] = {"model": "shufflenet_v2_x0_5", "image_size": 32, "epochs": 1, "learning_rate": 1e-9}
    learned(**still, weights=str(start_weights[0]), freeze="batchnorm")
    assert curve(Path(), "accuracy")[-1] > 0.6, "random features tell colours apart"
    learned(**still, freeze="batchnorm")
    assert curve(Path(), "accuracy")[-1] < 0.6


# After kill -9


@pytest.fixture(scope="module")
def moments(grown: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each moment at which a training was killed, in which another one went on."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "tests.build.killed", str(grown), str(folder)]
    done = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, cwd=Path(__file__).parents[2], check=False, timeout=300
    )
    assert done.returncode == 0
    return folder


def outputs(folder: Path) -> dict[str, bytes]:
    """Everything that a training writes."""
    files = [folder / layout.WEIGHTS, *(folder / layout.TRAINING).rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("after a save", f"Training goes on at step {killed.SAVES}."),
        ("in a save", f"Training goes on at step {killed.SAVES - 1}."),
        ("after the last epoch", "Training goes on at step 10."),
        ("damaged", "is damaged: training starts anew."),
    ],
)
def test_a_killed_training_ends_as_an_undisturbed_one(moments: Path, moment: str, said: str) -> None:
    assert said in (moments / moment / "second.txt").read_text()
    expected = outputs(moments / "undisturbed")
    assert len(expected) == 5
    assert outputs(moments / moment) == expected


def test_the_kills_come_in_the_middle_of_an_epoch(moments: Path) -> None:
    side = lake.side(lake.read_split(moments / "undisturbed" / layout.SPLIT), "train")
    assert len(side) // killed.SETTINGS.batch_size == 5
    for moment in ("after a save", "in a save"):
        assert (moments / moment / "first.txt").read_text() == ""


@pytest.mark.parametrize("moment", [moment for moment in killed.MOMENTS if moment != "another seed"])
def test_a_finished_training_leaves_no_checkpoint_and_nothing_half_written(moments: Path, moment: str) -> None:
    folder = moments / moment
    assert list((folder / ".petpark" / "checkpoints").iterdir()) == []
    assert list(folder.rglob("*.partial")) == []


def test_another_seed_neither_takes_a_checkpoint_nor_removes_it(moments: Path) -> None:
    folder = moments / "another seed"
    assert "goes on" not in (folder / "second.txt").read_text()
    assert len(list((folder / ".petpark" / "checkpoints").iterdir())) == 1
    assert load(folder / layout.WEIGHTS)["seed"] == killed.SEED + 1
    assert outputs(folder)["models/model.pt"] != outputs(moments / "undisturbed")["models/model.pt"]


def test_other_facts_are_another_checkpoint(workspace: Path) -> None:
    Checkpoint({"epochs": 3, "seed": 0}).save({"step": 7})
    assert Checkpoint({"seed": 0, "epochs": 3}).load() == {"step": 7}
    assert Checkpoint({"epochs": 4, "seed": 0}).load() is None
    Checkpoint({"epochs": 4, "seed": 0}).remove()
    Checkpoint({"epochs": 3, "seed": 0}).remove()
    assert Checkpoint({"epochs": 3, "seed": 0}).load() is None


def test_other_weights_under_the_same_name_are_another_training(
    lake_here: Path, start_weights: tuple[Path, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, start = start_weights
    seen: list[Path] = []
    save = Checkpoint.save

    def listen(self: Checkpoint, state: dict[str, Any]) -> None:
        seen.append(self.path)
        save(self, state)

    monkeypatch.setattr(Checkpoint, "save", listen)
    for factor in (1.0, 0.5):
        torch.save({name: (value * factor).to(value.dtype) for name, value in start.items()}, path)
        learned(model="shufflenet_v2_x0_5", weights=str(path), image_size=32)
    assert len(set(seen)) == 2


# What it cannot do


def test_a_size_that_the_model_does_not_take_is_said_before_any_photo_is_read(lake_here: Path) -> None:
    sentence = r"^train\.image_size: 'vit_b_32' takes no pictures of 64 pixels \(.*224.*\)\.$"
    with pytest.raises(ModelError, match=sentence):
        learned(model="vit_b_32", image_size=64)
    assert not PIXELS.exists()


def test_a_size_too_small_for_the_model_is_said(lake_here: Path) -> None:
    with pytest.raises(ModelError, match=r"^train\.image_size: 'alexnet' takes no pictures of 16 pixels \(.+\)\.$"):
        learned(model="alexnet")


def test_a_training_that_explodes_says_what_to_lower(lake_here: Path) -> None:
    with pytest.raises(ModelError, match=r"^training failed in epoch 1: its loss is no finite number\. Lower train"):
        learned(learning_rate=1e30)
    assert not layout.WEIGHTS.exists()


def test_a_missing_split_is_one_sentence(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"^lake/split\.parquet is missing: "):
        learned()


def test_a_missing_shard_is_one_sentence_and_leaves_nothing(lake_here: Path) -> None:
    next(layout.shard("second").iterdir()).unlink()
    with pytest.raises(DataError, match=r"lake/second/shard/part-00000\.parquet is missing: fetch it"):
        learned()
    assert not layout.WEIGHTS.exists()
    assert list(PIXELS.iterdir()) == []
