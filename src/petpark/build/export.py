"""From a trained network to ONNX files that fulfil the classifier's contract."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from petpark import images
from petpark.build.networks import Network
from petpark.card import INPUT, METADATA, OUTPUTS, ModelCard
from petpark.errors import ModelError

EMBEDDING: Final = 128
_OPSET: Final = 20
_BATCH: Final = 32
_PRODUCTS: Final = ("Conv", "Gemm", "MatMul")
_NORMS: Final = ("LayerNormalization", "Softmax")


class Exported(nn.Module):
    """The network as it ships: uint8 pixels in, probabilities and a small embedding out.

    Args:
        network: the trained network.
        centre: [D] mean of the features.
        basis: [D, E] directions that the embedding keeps.
    """

    def __init__(self, network: Network, centre: Tensor, basis: Tensor) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("centre", centre)
        self.register_buffer("basis", basis)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities [N, K] and embeddings [N, E] of pixels uint8 [N, S, S, 3]."""
        features = self.network.features(image.permute(0, 3, 1, 2).float())
        probabilities = torch.softmax(self.network.head(features), dim=1)
        return probabilities, (features - self.get_buffer("centre")) @ self.get_buffer("basis")

    @torch.inference_mode()
    def run(self, pixels: images.Pixels) -> NDArray[np.float32]:
        """Probabilities [N, K] by torch itself."""
        steps = range(0, len(pixels), _BATCH)
        return np.concatenate([self(torch.from_numpy(pixels[i : i + _BATCH].copy()))[0].numpy() for i in steps])


@torch.inference_mode()
def wrap(network: Network, pixels: images.Pixels) -> Exported:
    """Fit the embedding's projection: the principal components of the features (Pearson, 1901), signs fixed.

    Args:
        network: the trained network.
        pixels: training photos, uint8 [N, S, S, 3].
    """
    network.eval()
    steps = range(0, len(pixels), _BATCH)
    parts = [
        network.features(torch.from_numpy(pixels[i : i + _BATCH].copy()).permute(0, 3, 1, 2).float()) for i in steps
    ]
    features = torch.cat(parts)
    centre = features.mean(0)
    if features.shape[1] <= EMBEDDING:
        return Exported(network, centre, torch.eye(features.shape[1]))
    directions = torch.linalg.svd(features.double() - centre, full_matrices=False).Vh[:EMBEDDING]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return Exported(network, centre, (directions * largest.sign()).float().T.contiguous())


def to_onnx(model: Exported, size: int, path: Path) -> None:
    """Export to ONNX (fp32) with a free batch dimension."""
    example = torch.zeros(2, size, size, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter speaks of its own inner deprecations
        program = torch.onnx.export(
            model.eval(),
            (example,),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=_OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    onnx.save(_bare(program.model_proto), path)


def to_int8(source: Path, pixels: images.Pixels, path: Path) -> None:
    """Quantise the body to int8, statically: per channel, ranges measured on training photos.

    (Jacob et al., Quantization and Training of Neural Networks, 2017.) Weights keep to 7 bits, since processors
    without VNNI overflow on 8. The head and the embedding stay fp32: they are small and probabilities need them.

    Args:
        source: the fp32 file.
        pixels: photos to calibrate on, uint8 [N, S, S, 3].
        path: where the int8 file goes.

    Raises:
        ModelError: onnxruntime cannot quantise this architecture, or cannot run what comes out.
    """
    try:
        _quantise(source, pixels, path)
        ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - the quantiser raises whatever it stumbles over
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ModelError(f"no int8 form can be made of this architecture ({reason})") from None


def _quantise(source: Path, pixels: images.Pixels, path: Path) -> None:
    ready = path.with_suffix(".ready.onnx")
    quant_pre_process(source, ready, skip_symbolic_shape=True)
    graph = onnx.load(ready).graph
    quantize_static(
        ready,
        path,
        _Reader(pixels),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=_fp32_nodes(graph),
        extra_options={"ActivationSymmetric": False},
    )
    ready.unlink()
    onnx.save(_bare(onnx.load(path)), path)


def stamp(path: Path, card: ModelCard) -> None:
    """Write the card into a model file."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA: card.dump()})
    onnx.save(model, path)


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: images.Pixels) -> None:
        self._batches: Iterator[images.Pixels] = iter(pixels[i : i + 16] for i in range(0, len(pixels), 16))

    def get_next(self) -> dict[str, images.Pixels] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def _fp32_nodes(graph: onnx.GraphProto) -> list[str]:
    """Names of the nodes that are not quantised: those around the body's sums of products, and norms inside."""
    *body, _, _ = (i for i, node in enumerate(graph.node) if node.op_type in _PRODUCTS)  # then head and embedding
    inside = range(body[0], body[-1] + 1)
    return [node.name for i, node in enumerate(graph.node) if i not in inside or node.op_type in _NORMS]


def _bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what only the machine that exported knows: stack traces, names of temporary values, producers."""
    del model.metadata_props[:]
    model.producer_name = model.producer_version = model.doc_string = ""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for values in (model.graph.value_info, model.graph.input, model.graph.output):
        for value in values:
            del value.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    for function in model.functions:
        del function.metadata_props[:]
    return model
