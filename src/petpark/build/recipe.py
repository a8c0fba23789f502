"""The recipe: AdamW, linear warm-up and cosine decay, averaged weights."""

import math

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from petpark.config.train import TrainSettings


def optimizer(network: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter, 2017) whose decay spares biases and norms."""
    free = [weight for weight in network.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in free if weight.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in free if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def learning_rate(step: int, steps: int, settings: TrainSettings) -> float:
    """The learning rate of a step: a linear rise, then half a cosine down to zero."""
    rise = max(1, round(settings.warmup * steps))
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))


class Average:
    """The exponential moving average of a network's weights (Polyak & Juditsky, 1992).

    Early in the training it forgets faster, so that the first random weights do not linger.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.state = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards the weights after `step`."""
        decay = min(self._decay, (1 + step) / (10 + step))
        values = network.state_dict()
        moving = [name for name, value in values.items() if value.is_floating_point()]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call] # torch leaves it so
        move([self.state[name] for name in moving], [values[name] for name in moving], step)
        for name in values.keys() - set(moving):
            self.state[name].copy_(values[name])


def loss(logits: Tensor, targets: Tensor, settings: TrainSettings) -> Tensor:
    """Cross entropy with label smoothing; targets are [N] indices or [N, K] shares."""
    return nn.functional.cross_entropy(logits.float(), targets, label_smoothing=settings.label_smoothing)
