"""What the serving rows send and serve: one photo, its requests, and a model with random weights."""

import math
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
import simplejpeg

from benchmarks import harness, pictures

SIZE: Final = 128
WIDTH, HEIGHT = 640, 480
BYTES: Final = 48_000
ARCHITECTURE: Final = "mobilenet_v2"
_BOUNDARY: Final = "petpark-benchmark"
_FORM: Final = (
    f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
    "Content-Type: image/jpeg\r\n\r\n"
)


class Material(NamedTuple):
    """Paths of files: the model, the photo, and requests with it."""

    model: str
    photo: str
    raw: str
    """The photo as the body, to `/predict`."""
    thread: str
    """The same to `/predict-in-thread`."""
    form: str
    """The photo in a form, to `/classify`."""


def lay(folder: Path) -> Material:
    """Make all that a serving row needs, in a folder."""
    found = Material(
        *(str(folder / name) for name in ("model.onnx", "photo.jpg", "raw.http", "thread.http", "form.http"))
    )
    harness.apart(model, found.model)
    data = photo()
    Path(found.photo).write_bytes(data)
    Path(found.raw).write_bytes(_request("/predict", "image/jpeg", data))
    Path(found.thread).write_bytes(_request("/predict-in-thread", "image/jpeg", data))
    form = _FORM.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()
    Path(found.form).write_bytes(_request("/classify", f"multipart/form-data; boundary={_BOUNDARY}", form))
    return found


def model(path: str) -> None:
    """Package a MobileNetV2 with two labels and random weights, as the stage `package` would."""
    import torch

    from petpark.build import export, networks
    from petpark.card import ModelCard

    torch.manual_seed(0)
    noise = np.random.default_rng(0).integers(0, 256, (2 * export.EMBEDDING, SIZE, SIZE, 3), np.uint8)
    network = networks.build(ARCHITECTURE, len(pictures.LABELS))
    export.to_onnx(export.wrap(network, noise), SIZE, Path(path))
    export.stamp(Path(path), ModelCard(pictures.LABELS, SIZE, 0.6, ARCHITECTURE, "fp32", "none", "none"))


def photo() -> bytes:
    """A JPEG of 640 x 480 pixels: the middle of four photos side by side, of about as many bytes as a camera gives."""
    four = [simplejpeg.decode_jpeg(data) for _, data in pictures.photos(4)]
    mosaic = cv2.vconcat([cv2.hconcat(four[:2]), cv2.hconcat(four[2:])])
    top, left = (mosaic.shape[0] - HEIGHT) // 2, (mosaic.shape[1] - WIDTH) // 2
    pixels = np.ascontiguousarray(mosaic[top : top + HEIGHT, left : left + WIDTH])
    encoded = [simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420") for quality in range(50, 99)]
    return bytes(min(encoded, key=lambda data: abs(len(data) - BYTES)))


def describe(found: Material) -> str:
    """Say in words what is served and sent."""
    size = math.floor(Path(found.photo).stat().st_size / 1000)
    return f"MobileNetV2 at {SIZE} px; one JPEG of {WIDTH} x {HEIGHT} pixels and {size} kB of {pictures.source()}"


def _request(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
