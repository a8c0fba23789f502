"""The service, asked over HTTP as clients ask it."""

import io

import numpy as np
from PIL import Image

from tests.deploy.serving import Running


def photo(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((64, 96, 3), colour, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_photo_as_the_body_gets_a_prediction(service: Running) -> None:
    answer = service.predict(photo((220, 20, 20)))
    assert answer.status_code == 200
    assert answer.json()["label"] == "ash"
    assert answer.headers["petpark-prediction-id"] == answer.json()["id"]
