"""The loop of a training: batches in, averaged weights and curves out, resumable at any step."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from petpark import images
from petpark.build import augment, networks, pixels, probe, recipe
from petpark.build.checkpoint import Checkpoint
from petpark.build.processes import Team
from petpark.config.train import TrainSettings
from petpark.errors import ModelError

_PROBED: Final = 4096  # photos that a head is fitted to; more hardly move it


@dataclasses.dataclass(frozen=True)
class Data:
    """What a training learns from and is watched on: pixels uint8 [N, S, S, 3] and the index of each label [N]."""

    train: pixels.Pixels
    targets: NDArray[np.int64]
    validation: images.Pixels
    validation_targets: NDArray[np.int64]
    classes: int


def seed_torch(number: int) -> None:
    """Let torch draw from this seed, which may be any integer."""
    torch.manual_seed(number % 2**63)


class Training:
    """One training: a network, its average, and where it stands."""

    def __init__(
        self, network: networks.Network, settings: TrainSettings, seed: int, checkpoint: Checkpoint, team: Team
    ) -> None:
        self.settings, self.seed, self.checkpoint, self.team = settings, seed, checkpoint, team
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        networks.freeze(self.network, settings.freeze)
        self.optimizer = recipe.optimizer(self.network, settings)
        self.average = recipe.Average(self.network, settings.ema)
        self.step = 0
        self.history: list[dict[str, float]] = []
        self.loss = torch.zeros((), dtype=torch.float64, device=self.device)  # sum over the steps of this epoch

    def run(
        self, data: Data, watch: Callable[[list[dict[str, float]]], None] | None = None
    ) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
        """Train to the end; returns the averaged weights and the figures of each epoch.

        Args:
            data: what it learns from.
            watch: is given the figures of all epochs after each of them, and may raise to stop the training.
        """
        if not self._resume() and self.team.leads:
            self._begin(data)
        joined = self.team.joined(self.network)
        per_epoch = max(1, len(data.targets) // self.settings.batch_size)
        steps = per_epoch * self.settings.epochs
        with tqdm(total=steps, initial=self.step, desc="train", unit="step", disable=self._silent()) as bar:
            for rows, batch in self._batches(data, per_epoch, steps):
                self._learn(joined, batch, data.targets[rows], data.classes, steps)
                bar.update()
                if self.step % per_epoch == 0:
                    self._finish_epoch(data, per_epoch, bar)
                    if watch is not None:
                        watch(self.history)
                elif self.team.leads and self.checkpoint.due():
                    self._save()
        return {name: value.cpu() for name, value in self.average.state.items()}, self.history

    def _silent(self) -> bool | None:
        return None if self.team.leads else True

    def _begin(self, data: Data) -> None:
        """Give a body that was trained elsewhere a head that suits its features, and not a random one."""
        if self.settings.weights is None:
            return
        rows = np.random.default_rng(self.seed).permutation(len(data.targets))[:_PROBED]
        parts = np.array_split(rows, math.ceil(len(rows) / self.settings.batch_size))
        batches = (self._whole(data.train[part]) for part in tqdm(parts, "probe", disable=None, leave=False))
        targets = torch.from_numpy(data.targets[rows]).to(self.device)
        probe.fit(self.network.head, probe.features(self.network, batches), targets)
        self.average = recipe.Average(self.network, self.settings.ema)

    def _whole(self, batch: images.Pixels) -> Tensor:
        """Cached pixels at the size that the model sees."""
        size = (self.settings.image_size, self.settings.image_size)
        whole = torch.nn.functional.interpolate(_tensor(batch, self.device), size, mode="bilinear", antialias=True)
        return whole.contiguous(memory_format=torch.channels_last)

    def _batches(self, data: Data, per_epoch: int, steps: int) -> Iterator[tuple[NDArray[np.int64], images.Pixels]]:
        """Read each next batch while the one before is learned."""

        def read(step: int) -> tuple[NDArray[np.int64], images.Pixels]:
            epoch, place = divmod(step, per_epoch)
            order = np.random.default_rng([self.seed, epoch]).permutation(len(data.targets))
            rows = order[place * self.settings.batch_size : (place + 1) * self.settings.batch_size]
            rows = self.team.share(rows)
            return rows, data.train[rows]

        with ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(read, self.step)
            for step in range(self.step, steps):
                batch = ahead.result()
                if step + 1 < steps:
                    ahead = pool.submit(read, step + 1)
                yield batch

    def _learn(
        self, joined: nn.Module, batch: images.Pixels, targets: NDArray[np.int64], classes: int, steps: int
    ) -> None:
        seed_torch((self.seed * 1_000_003 + self.step) * self.team.size + self.team.rank)
        self.network.train()
        networks.freeze(self.network, self.settings.freeze)
        x, y = self._augmented(_tensor(batch, self.device), torch.from_numpy(targets).to(self.device), classes)
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.learning_rate(self.step, steps, self.settings)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self._half()):
            logits = joined(x)
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

    def _finish_epoch(self, data: Data, per_epoch: int, bar: "tqdm[Any]") -> None:
        loss = float(self.team.mean(self.loss)) / per_epoch
        self.loss.zero_()
        if not self.team.leads:
            return
        accuracy, value = self._validate(data)
        figures = {"loss": loss, "accuracy": accuracy, "validation_loss": value}
        self.history.append({name: round(figure, 5) for name, figure in figures.items()})
        if not all(math.isfinite(figure) for figure in figures.values()):
            raise ModelError(
                f"training failed in epoch {len(self.history)}: its loss is no finite number. "
                "Lower train.learning_rate, or raise train.warmup."
            )
        line = f"epoch {len(self.history)} of {self.settings.epochs}: loss {loss:.3f}"
        bar.write(f"{line}, validation accuracy {accuracy:.1%}")
        self._save()

    @torch.inference_mode()
    def _validate(self, data: Data) -> tuple[float, float]:
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

    def _resume(self) -> bool:
        state = self.checkpoint.load()
        if state is None:
            return False
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.state = {name: value.to(self.device) for name, value in state["average"].items()}
        self.step, self.history, self.loss = state["step"], state["history"], state["loss"].to(self.device)
        if self.team.leads:
            print(f"Training goes on at step {self.step}.")
        return True


def _tensor(batch: images.Pixels, device: torch.device) -> Tensor:
    """Pixels uint8 [N, S, S, 3] as float [N, 3, S, S] on the device."""
    moved = torch.from_numpy(np.ascontiguousarray(batch)).to(device, non_blocking=True)
    return moved.permute(0, 3, 1, 2).float()
