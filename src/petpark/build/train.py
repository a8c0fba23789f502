"""Train: from the training side to weights, by one recipe, resumable at any moment."""

import os

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
    photos = lake.read_split()
    labels, data_mark, code_mark = lake.labels(photos), fingerprint.lake(photos), fingerprint.code()
    _be_deterministic()
    seed_torch(seed)
    network = networks.start(settings, len(labels))
    _try(network, settings)
    facts = {"settings": settings.model_dump(), "seed": seed, "data": data_mark, "code": code_mark, "labels": labels}
    checkpoint = Checkpoint({**facts, "torch": torch.__version__, "start": mark(network.state_dict())})
    with team.leader_first():
        data = _load(photos, labels, settings, f"{data_mark} {code_mark}")
    average, history = Training(network, settings, seed, checkpoint, team).run(data)
    if not team.leads:
        return
    _log(history)
    with files.whole(layout.WEIGHTS) as partial:
        torch.save({"state": average, **facts}, partial)
    checkpoint.remove()


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


def _load(photos: lake.Photos, labels: tuple[str, ...], settings: TrainSettings, key: str) -> Data:
    train_side, validation = lake.side(photos, "train"), lake.side(photos, "validation")
    size = settings.image_size
    cache = pixels.cached(train_side, round(size * _MARGIN), key, int(settings.cache_gb * 1e9))
    return Data(
        cache,
        train_side.targets(labels),
        pixels.load(validation, size, "decode"),
        validation.targets(labels),
        len(labels),
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
