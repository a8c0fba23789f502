"""A linear probe: the head that suits the features of a body that was trained elsewhere.

Fine-tuning that begins with a random head bends good features before the head knows them; beginning with a probe
keeps them (Kumar et al., Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution, 2022).
"""

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor, nn

from petpark.build.networks import Network

_PENALTY: Final = 0.1  # of the squared weights, on features of unit deviation
_STEPS: Final = 200


@torch.inference_mode()
def features(network: Network, batches: Iterable[Tensor]) -> Tensor:
    """What the body sees, [N, D], on the network's device; batches are pixels [B, 3, S, S], 0 to 255."""
    network.eval()
    return torch.cat([network.features(batch).float() for batch in batches])


def fit(head: nn.Linear, seen: Tensor, targets: Tensor) -> None:
    """Set a head to the logistic regression of targets [N] on features [N, D], found by L-BFGS."""
    mean, deviation = seen.mean(0), seen.std().clamp_min(1e-6)
    scaled = ((seen - mean) / deviation).clone()  # a tensor of inference mode takes no part in gradients
    probe = nn.Linear(head.in_features, head.out_features).to(scaled.device)
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    optimizer = torch.optim.LBFGS(probe.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(probe(scaled), targets) + _PENALTY * probe.weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(objective)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.weight.copy_(probe.weight / deviation)
        head.bias.copy_(probe.bias - probe.weight @ mean / deviation)
