"""A page that classifies photos in its own process: the model is part of the application, and no service is asked.

Run it by `python app.py`, and open http://127.0.0.1:8000. It needs a petpark wheel with a model inside: `make wheel`.
"""  # noqa: INP001 - a program of its own, no package

import asyncio
import base64
import html
import sys
from http import HTTPStatus
from pathlib import Path
from string import Template
from typing import Final

import numpy as np
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from petpark import Classifier, images
from petpark.classifier import Prediction
from petpark.errors import PetparkError

HERE: Final = Path(__file__).parent
PAGE: Final = Template((HERE / "page.html").read_text())
MOST_BYTES: Final = 10 << 20
MOST_PIXELS: Final = 25_000_000
MOST_SECONDS: Final = 10
SIDE: Final = 480  # pixels of the picture that the page shows
FIRST: Final = 5  # labels that it names
POLICY: Final = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'"
HEADERS: Final = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def application(classifier: Classifier) -> Starlette:
    """Make the application around a classifier."""

    async def home(_: Request) -> Response:
        return page(classifier)

    async def classify(request: Request) -> Response:
        photo = await uploaded(request)
        try:
            picture, found = await run_in_threadpool(look, classifier, photo)
        except images.ImageError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, f"This file cannot be used: {error}.") from None
        return page(classifier, answer(picture, found))

    async def sorry(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        said = f'<p class="problem" role="alert">{html.escape(error.detail)}</p>'
        return page(classifier, said, error.status_code)

    async def style(_: Request) -> Response:
        return FileResponse(HERE / "style.css", headers=HEADERS)

    routes = [Route("/", home), Route("/", classify, methods=["POST"]), Route("/style.css", style)]
    return Starlette(routes=routes, exception_handlers={HTTPException: sorry})


async def uploaded(request: Request) -> bytes:
    """Read the photo of a form; its size is known before a byte is read.

    Raises:
        HTTPException: too large, too slow, no length, or no file in it.
    """
    length = request.headers.get("content-length", "")
    if not length.isdigit() or "transfer-encoding" in request.headers:
        raise HTTPException(HTTPStatus.LENGTH_REQUIRED, "Say how long the form is, as every browser does.")
    if int(length) > MOST_BYTES:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Choose a file of at most {MOST_BYTES >> 20} MiB.")
    try:
        async with asyncio.timeout(MOST_SECONDS), request.form(max_files=1, max_fields=1) as form:
            photo = form.get("photo")
            if isinstance(photo, UploadFile) and photo.filename:
                return await photo.read()
    except TimeoutError:
        raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "The photo did not arrive in time: send it again.") from None
    raise HTTPException(HTTPStatus.BAD_REQUEST, "Choose a photo first.")


def look(classifier: Classifier, photo: bytes) -> tuple[bytes, Prediction]:
    """Classify a photo, and make the small JPEG that the page shows of it: upright, and without its metadata."""
    pixels = images.decode(photo, min_side=SIDE, max_pixels=MOST_PIXELS).pixels
    picture = Image.fromarray(pixels)
    picture.thumbnail((2 * SIDE, 2 * SIDE))
    return images.encode(np.asarray(picture)), classifier.predict(photo)


def answer(picture: bytes, found: Prediction) -> str:
    """Put a prediction into HTML."""
    shares = sorted(found.probabilities.items(), key=lambda each: -each[1])[:FIRST]
    row = "<li><span>{}</span> <meter value='{:.4f}' aria-hidden='true'></meter> <span>{:.1%}</span></li>"
    bars = "".join(row.format(html.escape(label), share, share) for label, share in shares)
    title = f"Not sure: {found.label}?" if found.unsure else found.label
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return f'<img src="{source}" alt="Your photo"><h2>{html.escape(title)}</h2><ol>{bars}</ol>'


def page(classifier: Classifier, said: str = "", status: int = HTTPStatus.OK) -> HTMLResponse:
    """Fill the page with what is to be said."""
    labels = html.escape(", ".join(classifier.labels))
    return HTMLResponse(PAGE.substitute(labels=labels, answer=said), status, HEADERS)


if __name__ == "__main__":
    try:
        uvicorn.run(application(Classifier.embedded(threads=1)), host="127.0.0.1", port=8000, limit_concurrency=32)
    except PetparkError as error:
        sys.exit(f"app.py: {error}")
