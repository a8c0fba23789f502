"""Train: from the training side to weights, by one recipe, resumable at any moment."""

import dataclasses
import os
from pathlib import Path
from typing import Any, Self

import torch
from dvclive.live import Live
from scmrepo.exceptions import SCMError

from petpark import files, fingerprint, lake, layout
from petpark.build import networks, pixels, processes
from petpark.build.checkpoint import Checkpoint, mark
from petpark.build.training import Data, Training, seed_torch
from petpark.config.train import TrainSettings
from petpark.errors import ModelError, SetupError

_MARGIN = 8 / 7  # photos are cached a little larger than the model sees them, so that crops lose no detail


def train(settings: TrainSettings, seed: int) -> None:
    """Train on the training side and write the weights and the curves.

    A training that was killed goes on where it was (at most a minute earlier) and ends with the same weights: each
    step draws from its own seed, and the checkpoint holds everything else.

    Raises:
        ModelError: the model or its weights are not what the settings say, or the loss became infinite.
        DataError: the lake is incomplete.
    """
    with processes.team() as team:
        _train(settings, seed, team)


def _train(settings: TrainSettings, seed: int, team: processes.Team) -> None:
    source = Source.read()
    training, facts = prepare(source, settings, seed, team)
    with team.leader_first():
        data = load(source, settings)
    average, history = training.run(data)
    if not team.leads:
        return
    _log(history)
    with files.whole(layout.WEIGHTS) as partial:
        torch.save({"state": average, **facts}, partial)
    training.checkpoint.remove()


@dataclasses.dataclass(frozen=True)
class Source:
    """What trainings learn from: the split photos, their labels, and the fingerprints of the lake and of the code."""

    photos: lake.Photos
    labels: tuple[str, ...]
    data: str
    code: str

    @classmethod
    def read(cls) -> Self:
        """Read the split, and take the fingerprints.

        Raises:
            DataError: the lake is incomplete.
        """
        photos = lake.read_split()
        return cls(photos, lake.labels(photos), fingerprint.lake(photos), fingerprint.code())


def prepare(
    source: Source, settings: TrainSettings, seed: int, team: processes.Team, **more: object
) -> tuple[Training, dict[str, Any]]:
    """Make a training ready; returns it with the facts that its weights are written with.

    Args:
        source: what it will learn from.
        settings: the recipe.
        seed: of everything drawn at random.
        team: the processes that train together.
        more: what sets this training's checkpoint apart from that of another one with the same facts.

    Raises:
        ModelError: the model or its weights are not what the settings say.
    """
    _be_deterministic()
    seed_torch(seed)
    network = networks.start(settings, len(source.labels))
    _try(network, settings)
    facts = {
        "settings": settings.model_dump(),
        "seed": seed,
        "data": source.data,
        "code": source.code,
        "labels": source.labels,
    }
    checkpoint = Checkpoint({**facts, **more, "torch": torch.__version__, "start": mark(network.state_dict())})
    return Training(network, settings, seed, checkpoint, team), facts


def _be_deterministic() -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling memory that nothing reads costs up to 5 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # mypy sees no setter


def _try(network: networks.Network, settings: TrainSettings) -> None:
    """Fail before the data is decoded if the model cannot see pictures of this size."""
    network.eval()
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 3, settings.image_size, settings.image_size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:160]
        raise ModelError(
            f"train.image_size: '{settings.model}' takes no pictures of {settings.image_size} pixels ({reason})."
        ) from None


def load(source: Source, settings: TrainSettings, folder: Path = pixels.FOLDER) -> Data:
    """Decode the training and the validation side; a folder keeps the former apart from the cache of the stage."""
    train_side, validation = lake.side(source.photos, "train"), lake.side(source.photos, "validation")
    size, limit = settings.image_size, int(settings.cache_gb * 1e9)
    key = f"{source.data} {source.code}"
    return Data(
        pixels.cached(train_side, round(size * _MARGIN), key, limit, folder),
        train_side.targets(source.labels),
        pixels.load(validation, size, "decode"),
        validation.targets(source.labels),
        len(source.labels),
    )


def _log(history: list[dict[str, float]]) -> None:
    """Write the curves in DVCLive's form; after a resumed training they are as whole as after an undisturbed one."""
    files.remove(layout.TRAINING)
    try:
        live = Live(str(layout.TRAINING), report=None, save_dvc_exp=False, dvcyaml=None, monitor_system=False)
    except SCMError as error:  # what DVCLive meets in a repository without any commit
        raise SetupError(f"DVCLive needs a Git commit ({error}): commit, and run again.") from None
    with live:
        for figures in history:
            for name, value in figures.items():
                live.log_metric(name, value)
            live.next_step()  # type: ignore[no-untyped-call]
