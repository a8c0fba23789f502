"""One step by several processes, compared with the same step by one; torchrun starts it.

The leader prints how far the gradients lie apart, and whether the weights of the others became its own.
"""

import numpy as np
import torch
from torch import nn

from petpark.build import networks, processes


def gradients(network: nn.Module, weighed: nn.Module, rows: list[int]) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    photos, targets = 255 * torch.rand(8, 3, 32, 32, generator=rng), torch.arange(8) % 3
    network.zero_grad()
    nn.functional.cross_entropy(weighed(photos[rows]), targets[rows]).backward()  # type: ignore[no-untyped-call]
    return [each.grad.clone() for each in network.parameters() if each.grad is not None]


def main() -> None:
    """Compare."""
    with processes.team() as team:
        torch.manual_seed(team.rank)  # other weights in each process: those of the leader are to count
        network = networks.build("small", 3).train()
        networks.freeze(network, "batchnorm")
        joined = team.joined(network)
        shared = gradients(network, joined, team.share(np.arange(8)).tolist())
        whole = gradients(network, network, list(range(8)))
        apart = torch.tensor(max(float((a - b).abs().max()) for a, b in zip(shared, whole, strict=True)))
        mean = team.mean(torch.tensor(float(team.rank)))
        if team.leads:
            print(f"{team.size} processes, apart {float(apart):.9f}, mean rank {float(mean)}, {len(shared)} gradients")


if __name__ == "__main__":
    main()
