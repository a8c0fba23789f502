"""What BentoML's tutorial makes of the packaged model: the peer of `bento/service.py`.

`benchmarks.default_container` lays it beside the model as `service.py`.
"""

from pathlib import Path

import bentoml
import numpy as np
import onnxruntime
from PIL.Image import Image

# BentoML's recipe installs by uv, which believes a list of certificates of its own unless it is told of the system's.
CERTIFICATES = {"name": "SSL_CERT_FILE", "value": "/etc/ssl/certs/ca-certificates.crt"}


@bentoml.service(
    envs=[CERTIFICATES],
    image=bentoml.images.Image(python_version="3.11").python_packages("numpy", "onnxruntime", "pillow"),
)
class Tutorial:
    """Classifies photos, as a first attempt would."""

    def __init__(self) -> None:
        self.session = onnxruntime.InferenceSession(Path(__file__).with_name("model.onnx"))
        self.side = self.session.get_inputs()[0].shape[1]

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, image: Image) -> list[float]:
        """Answer with the probabilities."""
        pixels = np.asarray(image.convert("RGB").resize((self.side, self.side)))
        (found,) = self.session.run(["probabilities"], {"image": pixels[None]})
        return [float(each) for each in found[0]]
