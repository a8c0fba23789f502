"""The linear probe: the head that a solver elsewhere finds too."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor, nn

from petpark.build import networks, probe


@pytest.fixture
def seen() -> tuple[Tensor, Tensor]:
    """Features [300, 5] far from zero, and targets [300] of three labels that depend on them."""
    rng = torch.Generator().manual_seed(1)
    features = 7 + 3 * torch.randn(300, 5, generator=rng)
    noise = 2 * torch.randn(300, 3, generator=rng)
    return features, (features[:, :3] + noise).argmax(1)


def test_the_head_is_the_penalised_logistic_regression(seen: tuple[Tensor, Tensor]) -> None:
    features, targets = seen
    head = nn.Linear(5, 3)
    probe.fit(head, features, targets)
    x = ((features - features.mean(0)) / features.std()).double().numpy()
    y = targets.numpy()

    def objective(flat: np.ndarray) -> float:
        logits = x @ flat[:15].reshape(3, 5).T + flat[15:]
        logits -= logits.max(1, keepdims=True)
        chosen = logits[np.arange(300), y] - np.log(np.exp(logits).sum(1))
        return float(-chosen.mean() + probe._PENALTY * (flat[:15] ** 2).sum())

    best = minimize(objective, np.zeros(18))
    expected = torch.softmax(torch.tensor(x @ best.x[:15].reshape(3, 5).T + best.x[15:]), 1)
    with torch.no_grad():
        found = torch.softmax(head(features), 1)
    assert np.allclose(found.numpy(), expected.numpy(), atol=1e-3)


def test_what_a_head_was_before_does_not_matter(seen: tuple[Tensor, Tensor]) -> None:
    heads = [nn.Linear(5, 3), nn.Linear(5, 3)]
    for head in heads:
        probe.fit(head, *seen)
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert torch.equal(heads[0].bias, heads[1].bias)


def test_features_that_are_all_alike_give_the_frequencies() -> None:
    head = nn.Linear(4, 2)
    targets = torch.tensor([0] * 30 + [1] * 10)
    probe.fit(head, torch.ones(40, 4), targets)
    with torch.no_grad():
        assert torch.softmax(head(torch.ones(1, 4)), 1)[0, 0].item() == pytest.approx(0.75, abs=1e-3)


def test_features_are_those_of_the_network_that_answers() -> None:
    torch.manual_seed(0)
    network = networks.build("small", 2).train()
    photos = 255 * torch.rand(5, 3, 32, 32)
    found = probe.features(network, [photos[:3], photos[3:]])
    with torch.inference_mode():
        assert torch.allclose(network.eval().features(photos), found, atol=1e-5)
