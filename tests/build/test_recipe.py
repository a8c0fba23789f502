"""The recipe: which weights decay, how the rate moves, what the average remembers."""

import math

import pytest
import torch
from torch import Tensor, nn

from petpark.build import recipe
from petpark.config.train import TrainSettings

SETTINGS = TrainSettings(learning_rate=0.01, warmup=0.2, weight_decay=0.3, label_smoothing=0.1)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.9])
def test_the_rate_rises_to_its_peak_and_falls_towards_zero(steps: int, warmup: float) -> None:
    settings = TrainSettings(learning_rate=0.01, warmup=warmup)
    rates = [recipe.learning_rate(step, steps, settings) for step in range(steps)]
    peak = max(1, round(warmup * steps))
    assert max(rates) == pytest.approx(0.01)
    assert rates[peak - 1] == pytest.approx(0.01)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert min(rates) > 0


def test_the_rise_is_linear_and_the_fall_half_a_cosine() -> None:
    rates = [recipe.learning_rate(step, 100, SETTINGS) for step in range(100)]
    assert rates[:20] == pytest.approx([0.01 * (step + 1) / 20 for step in range(20)])
    assert rates[60] == pytest.approx(0.005)
    assert rates[40] == pytest.approx(0.01 * (1 + math.cos(math.pi / 4)) / 2)


def test_a_long_training_ends_at_almost_nothing() -> None:
    assert recipe.learning_rate(9999, 10_000, SETTINGS) < 0.01 * 1e-6


def test_only_matrices_and_kernels_decay() -> None:
    network = Net()
    decayed, spared = recipe.optimizer(network, SETTINGS).param_groups
    assert decayed["weight_decay"] == 0.3
    assert [weight is network.layer.weight for weight in decayed["params"]] == [True]
    assert spared["weight_decay"] == 0
    assert {id(weight) for weight in spared["params"]} == {
        id(weight) for weight in (network.layer.bias, network.norm.weight, network.norm.bias)
    }


def test_decay_shrinks_a_kernel_without_a_gradient_and_leaves_a_bias() -> None:
    network = Net()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    recipe.optimizer(network, SETTINGS).step()
    torch.testing.assert_close(network.layer.weight.detach(), before["layer.weight"] * (1 - 0.01 * 0.3))
    assert torch.equal(network.layer.bias, before["layer.bias"])


def test_frozen_weights_are_not_optimised() -> None:
    network = Net()
    network.norm.requires_grad_(requires_grad=False)
    groups = recipe.optimizer(network, SETTINGS).param_groups
    assert sum(len(group["params"]) for group in groups) == 2


def move(network: Net, value: float) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight.fill_(value)


def test_the_average_moves_by_the_decay() -> None:
    network = Net()
    move(network, 0.0)
    average = recipe.Average(network, 0.9)
    move(network, 1.0)
    average.update(network, 1_000_000)
    assert average.state["layer.weight"].unique().tolist() == pytest.approx([0.1])
    average.update(network, 1_000_000)
    assert average.state["layer.weight"].unique().tolist() == pytest.approx([0.19])


def test_the_average_forgets_the_first_weights_faster() -> None:
    network = Net()
    move(network, 0.0)
    average = recipe.Average(network, 0.99)
    move(network, 1.0)
    average.update(network, 1)
    assert average.state["layer.bias"].unique().tolist() == pytest.approx([1 - 2 / 11])


def test_an_average_without_memory_is_the_network() -> None:
    network = Net()
    average = recipe.Average(network, 0.0)
    with torch.no_grad():
        network.layer.weight.normal_()
        network.norm.running_mean = torch.tensor([0.1, -3.0, 1e7])
    average.update(network, 1)
    assert all(torch.equal(average.state[name], value) for name, value in network.state_dict().items())


def test_the_average_of_weights_that_stay_is_exact() -> None:
    network = Net()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    average = recipe.Average(network, 0.97)
    for step in range(1, 40):
        average.update(network, step)
    assert all(torch.equal(average.state[name], value) for name, value in before.items())


def test_counters_are_copied_and_statistics_averaged() -> None:
    network = Net()
    average = recipe.Average(network, 0.5)
    network.norm.num_batches_tracked = torch.tensor(7)
    network.norm.running_mean = torch.full((3,), 8.0)
    average.update(network, 100)
    assert average.state["norm.num_batches_tracked"].item() == 7
    assert average.state["norm.running_mean"].tolist() == [4.0] * 3


def test_the_average_is_its_own_copy() -> None:
    network = Net()
    average = recipe.Average(network, 0.5)
    before = average.state["layer.weight"].clone()
    move(network, 5.0)
    assert torch.equal(average.state["layer.weight"], before)


def smoothed(logits: Tensor, shares: Tensor) -> Tensor:
    wanted = 0.9 * shares + 0.1 / logits.shape[1]
    return -(wanted * logits.log_softmax(1)).sum(1).mean()


def test_the_loss_is_cross_entropy_with_smoothed_targets() -> None:
    logits, targets = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 3, 0])
    shares = nn.functional.one_hot(targets, 4).float()
    expected = smoothed(logits, shares)
    torch.testing.assert_close(recipe.loss(logits, targets, SETTINGS), expected)
    torch.testing.assert_close(recipe.loss(logits, shares, SETTINGS), expected)


def test_the_loss_of_mixed_targets_is_the_mixed_loss() -> None:
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.0, 0.5, 0.5]])
    torch.testing.assert_close(recipe.loss(logits, shares, SETTINGS), smoothed(logits, shares))


def test_the_loss_is_computed_in_full_precision() -> None:
    logits = torch.tensor([[3.0, -1.0]], dtype=torch.bfloat16)
    assert recipe.loss(logits, torch.tensor([0]), SETTINGS).dtype == torch.float32
