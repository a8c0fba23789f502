"""Train: from the training side to weights, by one recipe, resumable at any moment."""

import dataclasses
import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from dvclive.live import Live
from numpy.typing import NDArray
from scmrepo.exceptions import SCMError
from torch import Tensor
from tqdm import tqdm

from petpark import files, fingerprint, images, lake, layout
from petpark.build import augment, networks, pixels, recipe
from petpark.build.checkpoint import Checkpoint, mark
from petpark.config.train import TrainSettings
from petpark.errors import ModelError, SetupError

_MARGIN = 8 / 7  # photos are cached a little larger than the model sees them, so that crops lose no detail


@dataclasses.dataclass(frozen=True)
class _Data:
    train: pixels.Pixels
    targets: NDArray[np.int64]
    validation: images.Pixels
    validation_targets: NDArray[np.int64]
    classes: int


def train(settings: TrainSettings, seed: int) -> None:
    """Train on the training side and write the weights and the curves.

    A training that was killed goes on where it was (at most a minute earlier) and ends with the same weights: each
    step draws from its own seed, and the checkpoint holds everything else.

    Raises:
        ModelError: the model or its weights are not what the settings say, or the loss became infinite.
        DataError: the lake is incomplete.
    """
    photos = lake.read_split()
    labels, data_mark, code_mark = lake.labels(photos), fingerprint.lake(photos), fingerprint.code()
    _be_deterministic()
    _seed(seed)
    network = networks.start(settings, len(labels))
    _probe(network, settings)
    facts = {"settings": settings.model_dump(), "seed": seed, "data": data_mark, "code": code_mark, "labels": labels}
    checkpoint = Checkpoint({**facts, "torch": torch.__version__, "start": mark(network.state_dict())})
    average, history = _Training(network, settings, seed, checkpoint).run(
        _load(photos, labels, settings, f"{data_mark} {code_mark}")
    )
    _log(history)
    with files.whole(layout.WEIGHTS) as partial:
        torch.save({"state": average, **facts}, partial)
    checkpoint.remove()


def _be_deterministic() -> None:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling memory that nothing reads costs up to 5 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # mypy sees no setter


def _seed(number: int) -> None:
    torch.manual_seed(number % 2**63)


def _probe(network: networks.Network, settings: TrainSettings) -> None:
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


def _load(photos: lake.Photos, labels: tuple[str, ...], settings: TrainSettings, key: str) -> _Data:
    train_side, validation = lake.side(photos, "train"), lake.side(photos, "validation")
    size = settings.image_size
    cache = pixels.cached(train_side, round(size * _MARGIN), key, int(settings.cache_gb * 1e9))
    return _Data(
        cache,
        train_side.targets(labels),
        pixels.load(validation, size, "decode"),
        validation.targets(labels),
        len(labels),
    )


class _Training:
    """One training: a network, its average, and where it stands."""

    def __init__(self, network: networks.Network, settings: TrainSettings, seed: int, checkpoint: Checkpoint) -> None:
        self.settings, self.seed, self.checkpoint = settings, seed, checkpoint
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        networks.freeze(self.network, settings.freeze)
        self.optimizer = recipe.optimizer(self.network, settings)
        self.average = recipe.Average(self.network, settings.ema)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.loss = torch.zeros((), dtype=torch.float64, device=self.device)  # sum over the steps of this epoch

    def run(self, data: _Data) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
        """Train to the end; returns the averaged weights and the figures of each epoch."""
        self._resume()
        per_epoch = max(1, len(data.targets) // self.settings.batch_size)
        steps = per_epoch * self.settings.epochs
        with tqdm(total=steps, initial=self.step, desc="train", unit="step", disable=None) as bar:
            for rows, batch in self._batches(data, per_epoch, steps):
                self._learn(batch, data.targets[rows], data.classes, steps)
                bar.update()
                if self.step % per_epoch == 0:
                    self._finish_epoch(data, per_epoch, bar)
                elif self.checkpoint.due():
                    self._save()
        return {name: value.cpu() for name, value in self.average.state.items()}, self.history

    def _batches(self, data: _Data, per_epoch: int, steps: int) -> Iterator[tuple[NDArray[np.int64], images.Pixels]]:
        """Read each next batch while the one before is learned."""

        def read(step: int) -> tuple[NDArray[np.int64], images.Pixels]:
            epoch, place = divmod(step, per_epoch)
            order = np.random.default_rng([self.seed, epoch]).permutation(len(data.targets))
            rows = order[place * self.settings.batch_size : (place + 1) * self.settings.batch_size]
            return rows, data.train[rows]

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, self.step)
            for step in range(self.step, steps):
                batch = ahead.result()
                if step + 1 < steps:
                    ahead = pool.submit(read, step + 1)
                yield batch

    def _learn(self, batch: images.Pixels, targets: NDArray[np.int64], classes: int, steps: int) -> None:
        _seed(self.seed * 1_000_003 + self.step)
        self.network.train()
        networks.freeze(self.network, self.settings.freeze)
        x, y = self._augmented(_tensor(batch, self.device), torch.from_numpy(targets).to(self.device), classes)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate(self.step, steps, self.settings)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half()):
            logits = self.network(x)
        value = recipe.loss(logits, y, self.settings)
        self.optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.step += 1
        self.average.update(self.network, self.step)
        self.loss += value.detach()

    def _half(self) -> bool:
        return self.device.type == "cuda"

    def _augmented(self, batch: Tensor, targets: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        batch = augment.light(augment.crop_and_flip(batch, self.settings.image_size, self.settings.crop))
        if self.settings.mixup:
            batch, targets = augment.mixup(batch, targets, self.settings.mixup, classes)
        return batch.contiguous(memory_format=torch.channels_last), targets

    def _finish_epoch(self, data: _Data, per_epoch: int, bar: "tqdm[Any]") -> None:
        accuracy, value = self._validate(data)
        figures = {"loss": float(self.loss) / per_epoch, "accuracy": accuracy, "validation_loss": value}
        self.history.append({name: round(figure, 5) for name, figure in figures.items()})
        if not all(math.isfinite(figure) for figure in figures.values()):
            raise ModelError(
                f"training failed in epoch {len(self.history)}: its loss is no finite number. "
                "Lower train.learning_rate, or raise train.warmup."
            )
        self.loss.zero_()
        line = f"epoch {len(self.history)} of {self.settings.epochs}: loss {figures['loss']:.3f}"
        bar.write(f"{line}, validation accuracy {accuracy:.1%}")
        self._save()

    @torch.inference_mode()
    def _validate(self, data: _Data) -> tuple[float, float]:
        """Accuracy and loss of the averaged weights on the validation side."""
        own = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(self.average.state)
        self.network.eval()
        size = self.settings.batch_size
        logits = torch.cat(
            [
                self.network(_tensor(data.validation[place : place + size], self.device)).float().cpu()
                for place in range(0, len(data.validation), size)
            ]
        )
        self.network.load_state_dict(own)
        targets = torch.from_numpy(data.validation_targets)
        right = (logits.argmax(1) == targets).float().mean()
        return float(right), float(torch.nn.functional.cross_entropy(logits, targets))

    def _save(self) -> None:
        self.checkpoint.save(
            {
                "network": self.network.state_dict(),
                "average": self.average.state,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "history": self.history,
                "loss": self.loss,
            }
        )

    def _resume(self) -> None:
        state = self.checkpoint.load()
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.state = {name: value.to(self.device) for name, value in state["average"].items()}
        self.step, self.history, self.loss = state["step"], state["history"], state["loss"].to(self.device)
        print(f"Training goes on at step {self.step}.")


def _tensor(batch: images.Pixels, device: torch.device) -> Tensor:
    """Pixels uint8 [N, S, S, 3] as float [N, 3, S, S] on the device."""
    moved = torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)
    return moved.permute(0, 3, 1, 2).float()


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
