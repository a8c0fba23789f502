"""FastAPI and uvicorn as one would write them by hand who minds the time: raw body, scaled decoding, one thread."""

import os

import numpy as np
import onnxruntime as ort
import simplejpeg
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from PIL import Image

LABELS = ("ash", "beech")
WORKER = {"worker": str(os.getpid())}  # who answers, for the row that counts it

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
session = ort.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
size = session.get_inputs()[0].shape[1]
app = FastAPI()


def classify(photo: bytes) -> JSONResponse:
    """Decode and classify."""
    try:
        pixels = simplejpeg.decode_jpeg(photo, "RGB", min_height=size, min_width=size)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    small = np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))
    (probabilities,) = session.run(["probabilities"], {"image": small[None]})
    shares = probabilities[0].tolist()
    best = max(range(len(shares)), key=shares.__getitem__)
    found = {"label": LABELS[best], "confidence": shares[best], "probabilities": dict(zip(LABELS, shares, strict=True))}
    return JSONResponse(found, headers=WORKER)


async def predict(request: Request) -> JSONResponse:
    """Answer on the event loop: the cheapest way, and meanwhile the process answers nobody else."""
    return classify(await request.body())


async def predict_in_thread(request: Request) -> JSONResponse:
    """Answer from a thread, as FastAPI's manual advises for what takes the processor's time."""
    return await run_in_threadpool(classify, await request.body())


app.post("/predict", response_model=None)(predict)
app.post("/predict-in-thread", response_model=None)(predict_in_thread)
