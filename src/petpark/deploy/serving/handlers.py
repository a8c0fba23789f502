"""What the service does for its clients: predict, explain, take feedback."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs

from petpark.config.serve import ServeSettings
from petpark.deploy.serving import forms, wire
from petpark.deploy.serving.guard import RETRY
from petpark.deploy.serving.http import Answer, Problem, Request, as_json, cut_short
from petpark.deploy.serving.metrics import Metrics
from petpark.deploy.serving.team import Busy, Left, Lost, Team
from petpark.deploy.serving.wire import Kind
from petpark.predictionlog.rows import Logged, is_prediction_id, packed, prediction_id
from petpark.predictionlog.writer import Writer

_DIGITS: Final = 6
_SOURCE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FORM: Final = "multipart/form-data"
_FEEDBACK_BYTES: Final = 10_000
_RETRYABLE: Final = HTTPStatus.SERVICE_UNAVAILABLE


@dataclass(frozen=True)
class Model:
    """What the front knows of the model."""

    labels: tuple[str, ...]
    threshold: float
    version: str
    sha256: str


class Handlers:
    """Turns requests into answers, by the team of workers and the prediction log."""

    def __init__(self, settings: ServeSettings, model: Model, team: Team, metrics: Metrics, log: Writer | None) -> None:
        self._settings, self._model, self._team = settings, model, team
        self._metrics, self._log = metrics, log
        self._explaining = False

    async def predict(self, request: Request) -> Answer:
        """`POST /predict`: a photo as the body, or several in a form."""
        source = _source(request)
        if request.kind != _FORM:
            found = await self._predict(request, await self._photo(request), source)
            return as_json(found, {"Petpark-Prediction-Id": found["id"]})
        body = await request.body(self._settings.max_bytes, self._settings.body_seconds)
        sent = forms.uploads(body, request.header(b"content-type"), self._settings.max_files)
        rows = await self._predict_all(request, sent, source)
        problems = [row["problem"] for row in rows if isinstance(row["problem"], Problem)]
        if len(problems) == len(rows):
            raise problems[0]
        return _several(rows, self._model.version)

    async def explain(self, request: Request) -> Answer:
        """`POST /explain`: where the model looks, and which training photos look alike to it."""
        target = self._target(request)
        photo = await self._photo(request)
        if self._explaining:
            raise Problem(_RETRYABLE, "Another photo is being explained: try again.", "busy", RETRY)
        self._explaining = True  # one at a time: it takes as long as some sixty predictions
        try:
            kind, payload = await self._ask(request, Kind.EXPLAIN, wire.pack_target(target) + photo)
        finally:
            self._explaining = False
        if kind == Kind.REFUSED:
            raise self._refused(payload)
        facts, png = wire.unpack_explained(payload)
        if "image/png" in request.header(b"accept"):
            return Answer(png, "image/png", {"Petpark-Nearest": ",".join(each["id"] for each in facts["nearest"])})
        picture = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        return as_json({"version": self._model.version, **facts, "heat_map": picture})

    async def feedback(self, request: Request) -> Answer:
        """`POST /feedback`: the true label of a photo that was predicted."""
        body = await request.body(_FEEDBACK_BYTES, self._settings.body_seconds)
        if request.kind != "application/json":
            raise _unsupported("application/json")
        found, label = _feedback(body)
        if label not in self._model.labels:
            known = ", ".join(self._model.labels[:20])
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The label is none of {known}.", "unknown-label")
        if self._log is None:
            raise Problem(HTTPStatus.NOT_FOUND, "This service keeps no prediction log.", "no-log")
        self._log.feedback(found, label, _source(request))
        self._metrics.feedback(label)
        return as_json({"id": found, "label": label}, status=HTTPStatus.ACCEPTED)

    async def _photo(self, request: Request) -> bytes:
        if not request.kind.startswith("image/") and request.kind != "application/octet-stream":
            raise _unsupported("image/jpeg (the photo as the body), or multipart/form-data with files in `image`")
        return await request.body(self._settings.max_bytes, self._settings.body_seconds)

    async def _predict_all(self, request: Request, sent: Sequence[forms.Upload], source: str) -> list[dict[str, Any]]:
        """Predict the files of a form, no more at a time than there are workers: a form jumps no queue."""
        places = asyncio.Semaphore(self._team.size)

        async def one(upload: forms.Upload) -> dict[str, Any]:
            try:
                async with places:
                    return {"file": upload.name, "problem": None, **await self._predict(request, upload.data, source)}
            except Problem as problem:
                return {"file": upload.name, "problem": problem}

        return await asyncio.gather(*(one(upload) for upload in sent))

    async def _predict(self, request: Request, photo: bytes, source: str) -> dict[str, Any]:
        begin = time.perf_counter()
        kind, payload = await self._ask(request, Kind.PREDICT, photo)
        if kind == Kind.REFUSED:
            raise self._refused(payload)
        answer = wire.unpack_answer(payload, len(self._model.labels))
        seconds = time.perf_counter() - begin
        waited = max(0.0, seconds - answer.decode_seconds - answer.model_seconds)
        best = max(range(len(answer.probabilities)), key=answer.probabilities.__getitem__)
        label, confidence = self._model.labels[best], answer.probabilities[best]
        unsure = confidence < self._model.threshold
        found = prediction_id()
        self._metrics.prediction(answer, best, confidence, unsure=unsure, queue_seconds=waited)
        if self._log is not None:
            self._log.put(_row(found, self._model, source, answer, best, len(photo), seconds), photo)
        shares = [round(share, _DIGITS) for share in answer.probabilities]
        return {
            "id": found,
            "version": self._model.version,
            "label": label,
            "confidence": shares[best],
            "unsure": unsure,
            "probabilities": dict(zip(self._model.labels, shares, strict=True)),
        }

    async def _ask(self, request: Request, kind: Kind, payload: bytes) -> tuple[Kind, bytes]:
        try:
            return await self._team.ask(kind, payload, request.partings)
        except Busy:
            raise Problem(_RETRYABLE, "Too many photos wait: try again.", "busy", RETRY) from None
        except Left:
            raise cut_short() from None
        except Lost as lost:
            if lost.slow:
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    f"The photo takes longer than {self._settings.photo_seconds:g} s: save it anew as a plain JPEG.",
                    "too-slow",
                ) from None
            raise Problem(_RETRYABLE, "The photo's worker was lost: send it again.", "worker-lost", RETRY) from None

    def _refused(self, payload: bytes) -> Problem:
        refusal = json.loads(payload)
        self._metrics.refused(refusal["reason"])
        return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, refusal["detail"], refusal["reason"])

    def _target(self, request: Request) -> int:
        """The index of the label to explain; -1 for the predicted one."""
        wanted = parse_qs(request.query.decode("latin-1")).get("label", [""])[-1]
        if not wanted:
            return -1
        if wanted not in self._model.labels:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The model does not know that label.", "unknown-label")
        return self._model.labels.index(wanted)


def _row(found: str, model: Model, source: str, answer: wire.Answer, best: int, size: int, seconds: float) -> Logged:
    confidence = answer.probabilities[best]
    return Logged(
        id=found,
        version=model.version,
        model=model.sha256,
        source=source,
        image=answer.sha256.hex(),
        label=model.labels[best],
        confidence=confidence,
        unsure=confidence < model.threshold,
        probabilities=packed(answer.probabilities),
        embedding=answer.embedding,
        width=answer.width,
        height=answer.height,
        format=answer.format,
        bytes=size,
        brightness=answer.brightness,
        contrast=answer.contrast,
        saturation=answer.saturation,
        latency_ms=round(1000 * seconds, 3),
    )


def _source(request: Request) -> str:
    wanted = request.header(b"petpark-source")
    if wanted and not _SOURCE.fullmatch(wanted):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "Petpark-Source is 1 to 64 letters, digits, dots, dashes and underscores.", "source"
        )
    return wanted or "api"


def _feedback(body: bytes) -> tuple[str, str]:
    try:
        value = json.loads(body)
        found, label = value["id"], value["label"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, 'Send JSON: {"id": "…", "label": "…"}.', "malformed") from None
    if not isinstance(found, str) or not is_prediction_id(found) or not isinstance(label, str):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The id is not that of a prediction.", "unknown-id")
    return found, label


def _several(rows: Sequence[dict[str, Any]], version: str) -> Answer:
    shown = []
    for row in rows:
        problem = row.pop("problem")
        shown.append(row | {"problem": problem.members()} if problem else row)
    ids = ",".join(row["id"] for row in shown if "id" in row)
    return as_json({"version": version, "predictions": shown}, {"Petpark-Prediction-Id": ids})


def _unsupported(wanted: str) -> Problem:
    return Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Send {wanted}.", "media-type")
