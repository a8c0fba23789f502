"""Networks: any classification model of torchvision under a head of ours, and one sentence for whatever is wrong."""

import pickle
import re
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from petpark import files
from petpark.build import networks
from petpark.config.train import TrainSettings
from petpark.errors import ModelError

MODEL = "shufflenet_v2_x0_5"  # the smallest one
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """Weights of a torchvision model with its own 1,000 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network: nn.Module = torchvision.models.get_model(MODEL, weights=None)
    return network.state_dict()


@pytest.fixture
def weights(state: State, tmp_path: Path) -> Path:
    """A file of those weights."""
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    return path


def settings(model: str, weights: Path | str | None, sha256: str | None = None) -> TrainSettings:
    return TrainSettings(model=model, weights=None if weights is None else str(weights), weights_sha256=sha256)


def refusal(model: str, weights: Path | str | None, sha256: str | None = None) -> str:
    """What is said of settings that are wrong: one sentence."""
    with pytest.raises(ModelError) as caught:
        networks.start(settings(model, weights, sha256), 3)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    return str(caught.value)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("model", ["small", MODEL])
def test_a_network_gives_one_logit_a_class(model: str, classes: int) -> None:
    network = networks.build(model, classes).eval()
    pixels = torch.rand(2, 3, 64, 64) * 255
    features = network.features(pixels)
    assert features.shape == (2, network.head.in_features)
    assert network(pixels).shape == (2, classes)
    torch.testing.assert_close(network.head(features), network(pixels))


@pytest.mark.parametrize("size", [16, 31, 64])
def test_the_small_network_takes_any_size(size: int) -> None:
    assert networks.build("small", 2).eval()(torch.zeros(1, 3, size, size)).shape == (1, 2)


def test_the_small_network_is_small() -> None:
    assert sum(weight.numel() for weight in networks.build("small", 2).parameters()) < 800_000


def test_pixels_are_normalised_inside() -> None:
    network = networks.build("small", 2)
    seen: list[Tensor] = []
    network.body.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    network.eval().features(255 * (mean + 2 * deviation).expand(1, 3, 16, 16))
    torch.testing.assert_close(seen[0], torch.full((1, 3, 16, 16), 2.0))


def test_weights_fill_the_body_and_leave_the_head_new(state: State, weights: Path) -> None:
    network = networks.start(settings(MODEL, weights, files.sha256(weights)), 3)
    body = network.body.state_dict()
    assert set(body) == {name for name in state if not name.startswith("fc.")}
    assert all(torch.equal(value, state[name]) for name, value in body.items())
    assert network.head.weight.shape == (3, state["fc.weight"].shape[1])


def test_weights_in_half_precision_are_widened(state: State, weights: Path) -> None:
    torch.save({name: value.half() if value.is_floating_point() else value for name, value in state.items()}, weights)
    body = networks.start(settings(MODEL, weights), 3).body.state_dict()
    assert {value.dtype for value in body.values()} == {torch.float32, torch.int64}
    assert all(torch.equal(value, state[name].half().to(value.dtype)) for name, value in body.items())


def test_weights_without_counters_of_batches_are_taken(state: State, weights: Path) -> None:
    torch.save({name: value for name, value in state.items() if "num_batches" not in name}, weights)
    body = networks.start(settings(MODEL, weights), 3).body.state_dict()
    assert torch.equal(body["conv1.0.weight"], state["conv1.0.weight"])


def test_the_real_weights_are_taken(test_data: Path) -> None:
    path = test_data / "weights" / "mobilenet_v2_imagenet_norm.pth"
    body = networks.start(settings("mobilenet_v2", path, files.sha256(path)), 2).body.state_dict()
    stored = torch.load(path, weights_only=True)
    assert body["features.0.0.weight"].dtype == torch.float32
    assert all(torch.equal(value, stored[name].to(value.dtype)) for name, value in body.items())


def test_googlenet_drops_the_heads_that_only_its_training_needed() -> None:
    with torch.random.fork_rng():
        whole: nn.Module = torchvision.models.get_model("googlenet", weights=None, init_weights=False)
    state = whole.state_dict()
    assert any(name.startswith("aux1.") for name in state)
    network = networks.build("googlenet", 3, state)
    assert torch.equal(network.body.state_dict()["conv1.conv.weight"], state["conv1.conv.weight"])
    assert network.eval()(torch.zeros(1, 3, 32, 32)).shape == (1, 3)


def test_batch_norms_can_be_kept_as_they_are() -> None:
    network = networks.build("small", 2).train()
    networks.freeze(network, "batchnorm")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learn(network)
    kept = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
    norms = {name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)}
    assert kept == {name for name in before if name.rpartition(".")[0] in norms} | {"mean", "std"}


def test_the_body_can_be_kept_as_it_is() -> None:
    network = networks.build(MODEL, 2).train()
    networks.freeze(network, "backbone")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learn(network)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_nothing_is_kept_where_nothing_is_frozen() -> None:
    network = networks.build("small", 2).train()
    networks.freeze(network, "none")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learn(network)
    assert {name for name, value in network.state_dict().items() if torch.equal(value, before[name])} == {"mean", "std"}


def learn(network: nn.Module) -> None:
    """One step of plain descent on noise."""
    pixels = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255
    nn.functional.cross_entropy(network(pixels), torch.tensor([0, 1, 0, 1])).backward()  # type: ignore[no-untyped-call]
    torch.optim.SGD([weight for weight in network.parameters() if weight.requires_grad], 0.5).step()


def test_an_unknown_model_is_answered_with_near_names() -> None:
    assert re.fullmatch(
        r"train\.model: 'resnet19' is neither 'small' nor a torchvision model \(.*resnet18.*\)\.",
        refusal("resnet19", None),
    )


def test_a_model_like_no_other_is_answered_with_an_example() -> None:
    assert refusal("qqq", None).endswith("(such as mobilenet_v2).")


def test_an_unknown_model_with_a_weights_name_is_an_unknown_model() -> None:
    assert refusal("mobilnet_v2", "DEFAULT").startswith("train.model: 'mobilnet_v2'")


@pytest.mark.parametrize("model", ["fcn_resnet50", "raft_small", "quantized_resnet18"])
def test_models_that_classify_nothing_are_unknown(model: str) -> None:
    assert "is neither 'small' nor a torchvision model" in refusal(model, None)


def test_a_model_without_a_linear_head_is_refused() -> None:
    assert refusal("squeezenet1_1", None) == (
        "train.model: 'squeezenet1_1' does not end in a linear layer, so its head cannot be replaced."
    )


@pytest.mark.parametrize("weights", ["DEFAULT", "weights.pth"])
def test_the_small_network_starts_from_scratch(weights: str) -> None:
    assert refusal("small", weights) == "train.weights: the model 'small' starts from scratch; set weights to null."


def test_a_weights_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not at all weights")
    assert refusal(MODEL, path).startswith(f"train.weights: {path} holds no weights that torch reads (")


def test_a_weights_file_that_was_cut_short_is_refused(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-5000])
    assert refusal(MODEL, weights).startswith(f"train.weights: {weights} holds no weights that torch reads (")


class Trap:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (f"open({str(self.path)!r}, 'w')",)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_weights_file_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, writer: str) -> None:
    path, trap = tmp_path / "weights.pth", tmp_path / "sprung"
    if writer == "torch":
        torch.save({"conv1.0.weight": Trap(trap)}, path)
    else:
        path.write_bytes(pickle.dumps({"conv1.0.weight": Trap(trap)}))
    assert "holds no weights that torch reads" in refusal(MODEL, path)
    assert not trap.exists()


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": {}}, {"epoch": 3}])
def test_a_weights_file_that_is_no_state_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    assert refusal(MODEL, path) == f"train.weights: {path} is no state of a model (names and tensors)."


def test_weights_of_another_model_are_refused(weights: Path) -> None:
    counts = r"\(\d+ missing, \d+ unknown, \d+ of another shape, such as '.+'\)"
    assert re.fullmatch(rf"train\.weights: not the weights of 'resnet18' {counts}\.", refusal("resnet18", weights))


def test_weights_with_keys_missing_are_refused(state: State, weights: Path) -> None:
    torch.save({name: value for name, value in state.items() if not name.startswith("conv5")}, weights)
    assert "(5 missing, 0 unknown, 0 of another shape, such as 'conv5.0.weight')" in refusal(MODEL, weights)


def test_weights_of_another_width_are_refused(weights: Path) -> None:
    assert "0 missing, 0 unknown" in refusal("shufflenet_v2_x1_0", weights)


def test_another_weights_file_than_the_settings_say_is_refused(weights: Path) -> None:
    assert refusal(MODEL, weights, "ab" * 32) == (
        f"train.weights: {weights} is not the file that train.weights_sha256 names; restore it."
    )


def test_an_unknown_weights_name_is_answered_with_the_choices() -> None:
    assert refusal("resnet50", "IMAGENET1K_V9") == (
        "train.weights: 'IMAGENET1K_V9' is neither a file nor weights of 'resnet50' "
        "(IMAGENET1K_V1, IMAGENET1K_V2, DEFAULT)."
    )


def test_a_hash_beside_a_weights_name_is_refused() -> None:
    assert refusal("resnet50", "DEFAULT", "ab" * 32) == (
        "train.weights_sha256 is for a file, and 'DEFAULT' is none: set it to null."
    )


def test_weights_that_cannot_be_fetched_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sentence = refusal(MODEL, "DEFAULT")
    assert sentence.startswith("train.weights: 'DEFAULT' could not be fetched (")
    assert sentence.endswith("; a file works offline.")
