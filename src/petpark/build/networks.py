"""Networks: our small one, and any classification model of torchvision, as a body and a linear head."""

import difflib
from itertools import pairwise
from pathlib import Path
from typing import Final

import torch
import torchvision
from torch import Tensor, nn

from petpark import files
from petpark.config.train import TrainSettings
from petpark.errors import ModelError

SMALL: Final = "small"
_WIDTH: Final = 24  # channels of the first stage of our own network
_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_AUXILIARY: Final = ("googlenet", "inception_v3")  # trained with further heads, which go
_AUXILIARY_HEADS: Final = ("aux1.", "aux2.", "AuxLogits.")
_NORMS: Final = (nn.BatchNorm2d, nn.SyncBatchNorm)


class Network(nn.Module):
    """A body that turns pixels into features, and a head that turns features into logits.

    Args:
        body: pixels [N, 3, S, S], normalised, to features [N, D].
        features: D.
        classes: K.
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        mean, std = _IMAGENET
        self.register_buffer("mean", 255 * torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(1, 3, 1, 1))
        self.body = body
        self.head = nn.Linear(features, classes)

    def features(self, pixels: Tensor) -> Tensor:
        """Features [N, D] of pixels [N, 3, S, S], 0 to 255."""
        normal = (pixels - self.get_buffer("mean")) / self.get_buffer("std")
        features: Tensor = self.body(normal)
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, K] of pixels [N, 3, S, S], 0 to 255."""
        logits: Tensor = self.head(self.features(pixels))
        return logits


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He et al., Deep Residual Learning, 2015)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.way = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(inplace=True),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        same = inside == outside and stride == 1
        short = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        self.short = nn.Identity() if same else short

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.way(x) + self.short(x))


def _small(width: int) -> nn.Module:
    """Our own network for starting from scratch: a residual one of four stages, 0.35 million weights at 24 channels."""
    widths = (width, width, 2 * width, 4 * width, 4 * width)
    stem = [nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    blocks = [_Block(a, b, 1 if i == 0 else 2) for i, (a, b) in enumerate(pairwise(widths))]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def build(model: str, classes: int, weights: dict[str, Tensor] | None = None) -> Network:
    """Build an untrained network, or one that starts from `weights` (its own head comes new).

    Args:
        model: `small`, or the name of a torchvision classification model.
        classes: K.
        weights: state of the same model as torchvision names it; none for `small`.

    Raises:
        ModelError: no such model, a model without a linear head, or weights of another model.
    """
    if model == SMALL:
        return Network(_small(_WIDTH), 4 * _WIDTH, classes)
    whole = _torchvision(model)
    if weights is not None:
        _load(whole, weights, model)
    name, head = _head(whole, model)
    parent = whole.get_submodule(name.rpartition(".")[0])
    setattr(parent, name.rpartition(".")[2], nn.Identity())
    return Network(whole, head.in_features, classes)


def start(settings: TrainSettings, classes: int) -> Network:
    """Build the network that training starts from.

    Raises:
        ModelError: no such model or weights, or weights that are not what the settings say.
    """
    if settings.model == SMALL and settings.weights is not None:
        raise ModelError("train.weights: the model 'small' starts from scratch; set weights to null.")
    return build(settings.model, classes, _weights(settings))


def freeze(network: Network, what: str) -> None:
    """Keep parts of a network as they are: `batchnorm` or `backbone`; call it again after `network.train()`."""
    for module in _parts(network, what):
        module.eval()
        module.requires_grad_(requires_grad=False)


def _parts(network: Network, what: str) -> list[nn.Module]:
    if what == "batchnorm":
        return [module for module in network.modules() if isinstance(module, _NORMS)]
    return [network.body] if what == "backbone" else []


def _known(model: str) -> None:
    """Refuse a name that torchvision does not know, and name near ones."""
    known = torchvision.models.list_models(module=torchvision.models)
    if model not in known:
        near = ", ".join(difflib.get_close_matches(model, known, n=5)) or "such as mobilenet_v2"
        raise ModelError(f"train.model: '{model}' is neither 'small' nor a torchvision model ({near}).")


def _torchvision(model: str) -> nn.Module:
    _known(model)
    extra = {"aux_logits": False, "init_weights": True, "transform_input": True} if model in _AUXILIARY else {}
    network: nn.Module = torchvision.models.get_model(model, weights=None, **extra)
    return network


def _head(whole: nn.Module, model: str) -> tuple[str, nn.Linear]:
    name, last = list(whole.named_modules())[-1]
    if not isinstance(last, nn.Linear):
        raise ModelError(f"train.model: '{model}' does not end in a linear layer, so its head cannot be replaced.")
    return name, last


def _load(whole: nn.Module, weights: dict[str, Tensor], model: str) -> None:
    wanted = whole.state_dict()
    weights = {key: value for key, value in weights.items() if not key.startswith(_AUXILIARY_HEADS)}
    odd = [key for key in wanted if key in weights and weights[key].shape != wanted[key].shape]
    lost = [key for key in wanted if key not in weights and not key.endswith("num_batches_tracked")]
    left = [key for key in weights if key not in wanted]
    if odd or lost or left:
        raise ModelError(
            f"train.weights: not the weights of '{model}' ({len(lost)} missing, {len(left)} unknown, {len(odd)} of "
            f"another shape, such as '{(odd + lost + left)[0]}')."
        )
    whole.load_state_dict(weights, strict=False)  # which widens half precision


def _weights(settings: TrainSettings) -> dict[str, Tensor] | None:
    if settings.weights is None:
        return None
    path = Path(settings.weights)
    if path.is_file():
        return _weights_file(path, settings.weights_sha256)
    return _weights_by_name(settings)


def _weights_file(path: Path, expected: str | None) -> dict[str, Tensor]:
    if expected is not None and files.sha256(path) != expected:
        raise ModelError(f"train.weights: {path} is not the file that train.weights_sha256 names; restore it.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises what the damage happens to hit
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ModelError(f"train.weights: {path} holds no weights that torch reads ({reason}).") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(f"train.weights: {path} is no state of a model (names and tensors).")
    return state


def _weights_by_name(settings: TrainSettings) -> dict[str, Tensor]:
    model, weights = settings.model, str(settings.weights)
    _known(model)
    choices = torchvision.models.get_model_weights(model)
    if weights not in choices.__members__:
        raise ModelError(
            f"train.weights: '{weights}' is neither a file nor weights of '{model}' ({', '.join(choices.__members__)})."
        )
    if settings.weights_sha256 is not None:
        raise ModelError(f"train.weights_sha256 is for a file, and '{weights}' is none: set it to null.")
    try:
        state: dict[str, Tensor] = choices[weights].get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"train.weights: '{weights}' could not be fetched ({error}); a file works offline.") from None
    return state
