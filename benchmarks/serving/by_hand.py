"""FastAPI and uvicorn as one would write them by hand who minds the time: raw body, scaled decoding, one thread."""

import os

import numpy as np
import onnxruntime as ort
import simplejpeg
from fastapi import FastAPI, HTTPException, Request
from PIL import Image

LABELS = ("ash", "beech")

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
size = session.get_inputs()[0].shape[1]
app = FastAPI()


async def predict(request: Request) -> dict[str, object]:
    """Decode and classify on the event loop: another thread would cost more, and nothing else is to be done."""
    photo = await request.body()
    try:
        pixels = simplejpeg.decode_jpeg(photo, "RGB", min_height=size, min_width=size)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    small = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
    (probabilities,) = session.run(["probabilities"], {"image": small[None]})
    shares = probabilities[0].tolist()
    best = max(range(len(shares)), key=shares.__getitem__)
    return {"label": LABELS[best], "confidence": shares[best], "probabilities": dict(zip(LABELS, shares, strict=True))}


app.post("/predict")(predict)
