"""A BentoML service as its tutorials write it: the photo as an image in a form, a dictionary as the answer."""

import bentoml
import numpy as np
import onnxruntime as ort
from PIL.Image import Image, Resampling

LABELS = ("ash", "beech")
SIZE = 128


@bentoml.service
class Classifier:
    """Classifies photos."""

    def __init__(self) -> None:
        self.session = ort.InferenceSession("model.onnx")

    @bentoml.api  # type: ignore[untyped-decorator] # BentoML hides its types
    def classify(self, image: Image) -> dict[str, float]:
        """Probabilities by label."""
        pixels = np.asarray(image.convert("RGB").resize((SIZE, SIZE), Resampling.BILINEAR))
        (probabilities,) = self.session.run(["probabilities"], {"image": pixels[None]})
        return dict(zip(LABELS, probabilities[0].tolist(), strict=True))
