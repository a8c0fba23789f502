"""Tiny real ONNX models that fulfil the classifier's contract and whose answers are known beforehand."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from petpark import images
from petpark.card import METADATA, ModelCard

LABELS: Final = ("ash", "beech", "cedar")
SIZE: Final = 16
SHARPNESS: Final = 20.0
NAMES: Final = ("image", "probabilities", "embedding")


def card(labels: Sequence[str] = LABELS, **facts: Any) -> ModelCard:
    """The metadata of a model; `facts` replace some of them."""
    plain = ModelCard(tuple(labels), SIZE, 0.5, "colours", "fp32", "data", "code")
    return ModelCard(**{**asdict(plain), **facts})


def colours(labels: Sequence[str] = LABELS, bias: Sequence[float] = ()) -> list[onnx.NodeProto]:
    """Nodes that answer by a photo's mean colour: the first three labels are red, green and blue.

    `bias` is added to the scores of the first labels; the embedding is the mean colour, 0 to 1.
    """
    shift = np.zeros(len(labels), np.float32)
    shift[: len(bias)] = bias
    return [
        _constant("scale", np.array(1 / 255, np.float32)),
        _constant("weights", SHARPNESS * np.eye(3, len(labels), dtype=np.float32)),
        _constant("shift", shift),
        helper.make_node("Cast", ["image"], ["whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["whole", "scale"], ["light"]),
        helper.make_node("ReduceMean", ["light"], ["embedding"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["embedding", "weights"], ["pull"]),
        helper.make_node("Add", ["pull", "shift"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
    ]


def corner(size: int = SIZE) -> list[onnx.NodeProto]:
    """Nodes for the labels `bright` and `dark`: how bright the quarter at the top left is; nothing else counts."""
    ends = np.array([size // 2] * 2, np.int64)
    return [
        _constant("scale", np.array(1 / 255, np.float32)),
        _constant("one", np.ones((1, 1), np.float32)),
        _constant("starts", np.zeros(2, np.int64)),
        _constant("ends", ends),
        _constant("axes", np.array([1, 2], np.int64)),
        helper.make_node("Slice", ["image", "starts", "ends", "axes"], ["quarter"]),
        helper.make_node("Cast", ["quarter"], ["whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["whole", "scale"], ["light"]),
        helper.make_node("ReduceMean", ["light"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["bright"]),
        helper.make_node("Sub", ["one", "bright"], ["dark"]),
        helper.make_node("Concat", ["bright", "dark"], ["probabilities"], axis=1),
        helper.make_node("Identity", ["bright"], ["embedding"]),
    ]


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto] | None = None,
    metadata: ModelCard | str | None = None,
    *,
    size: int = SIZE,
    labels: int = 3,
    embedding: int = 3,
    names: tuple[str, str, str] = NAMES,
) -> Path:
    """Write a model file: by default one that answers by colours.

    Args:
        path: where it goes.
        nodes: what it computes.
        metadata: what it says about itself; a text is written as it is, and None writes nothing at all.
        size: side of the square that it takes.
        labels: K, the width of `probabilities`.
        embedding: E, the width of `embedding`.
        names: of its input and outputs.
    """
    taken = helper.make_tensor_value_info(names[0], TensorProto.UINT8, ["n", size, size, 3])
    widths = zip(names[1:], (labels, embedding), strict=True)
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in widths]
    body = [_renamed(node, dict(zip(NAMES, names, strict=True))) for node in nodes or colours()]
    column = numpy_helper.from_array(np.array([-1, 1], np.int64), "column")
    graph = helper.make_graph(body, "tiny", [taken], given, [column])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata is not None:
        helper.set_model_props(model, {METADATA: metadata if isinstance(metadata, str) else metadata.dump()})
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def answers(pixels: images.Pixels, labels: int = 3) -> NDArray[np.float64]:
    """What `colours` answers to prepared photos [N, S, S, 3], computed by hand: [N, labels]."""
    scores = SHARPNESS * (pixels.astype(np.float64).mean((1, 2)) / 255) @ np.eye(3, labels)
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def _constant(name: str, value: NDArray[Any]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def _renamed(node: onnx.NodeProto, names: dict[str, str]) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    for values in (copy.input, copy.output):
        new = [names.get(value, value) for value in values]
        del values[:]
        values.extend(new)
    return copy
