"""The service described for programs: OpenAPI 3.1."""

from collections.abc import Sequence
from typing import Any, Final

from petpark.config.serve import ServeSettings

Schema = dict[str, Any]
_TEXT: Final[Schema] = {"type": "string"}
_ID: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    "description": "A UUID of version 7.",
}
_SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}
_PHOTO: Final[Schema] = {
    "type": "string",
    "format": "binary",
    "description": "The file: JPEG, PNG, WebP, GIF, BMP, TIFF.",
}


def document(version: str, labels: Sequence[str], settings: ServeSettings) -> Schema:
    """Describe the service of one model."""
    secured: list[Schema] = [{"bearer": []}, {"basic": []}] if settings.token else []
    return {
        "openapi": "3.1.0",
        "info": {"title": "petpark", "version": version, "description": "Classifies photos.", "license": _LICENSE},
        "paths": {
            "/predict": {"post": _predict(settings.max_files)},
            "/explain": {"post": _explain(labels)},
            "/feedback": {"post": _feedback()},
            "/version": {"get": _get("The build manifest", {"$ref": "#/components/schemas/Version"})},
            "/metrics": {"get": _get("Figures for Prometheus", _TEXT, "text/plain")},
            "/docs.json": {"get": _get("This document", {"type": "object"})},
            "/livez": {"get": _health("Whether the service is alive")},
            "/readyz": {"get": _health("Whether a worker is ready for photos")},
            "/healthz": {"get": _health("The same as /readyz")},
        },
        "components": {"schemas": _schemas(list(labels)), "securitySchemes": _SCHEMES, "responses": _problems()},
        "security": secured,
    }


_LICENSE: Final = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_SCHEMES: Final = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
_REFUSALS: Final = {
    400: "The request is malformed",
    401: "The token is missing or wrong",
    404: "Nothing is here",
    405: "Another method is needed",
    408: "The body did not arrive in time",
    413: "The body is too large, or holds too many files",
    415: "The body is of another kind",
    422: "The photo cannot be used; `reason` says why",
    429: "This client has too many requests in work",
    503: "Too much is in work, or a worker was lost; try again after `Retry-After` seconds",
}


def _predict(most: int) -> Schema:
    files = {"type": "array", "items": _PHOTO, "minItems": 1, "maxItems": most}
    several = {"type": "object", "required": ["image"], "properties": {"image": files}}
    found = {"oneOf": [_ref("Prediction"), _ref("Predictions")]}
    return {
        "operationId": "predict",
        "summary": "Say what is on a photo",
        "parameters": [_SOURCE],
        "requestBody": {
            "required": True,
            "content": {
                **_RAW,
                "multipart/form-data": {"schema": several, "encoding": {"image": {"contentType": "image/*"}}},
            },
        },
        "responses": _responses(
            "200", "What is on it", {"application/json": {"schema": found}}, (400, 408, 413, 415, 422)
        ),
    }


def _explain(labels: Sequence[str]) -> Schema:
    wanted = {
        "name": "label",
        "in": "query",
        "schema": {"type": "string", "enum": ["", *labels]},
        "description": "Explain this one, not the predicted one.",
    }
    content = {"application/json": {"schema": _ref("Explanation")}, "image/png": {"schema": _PHOTO}}
    return {
        "operationId": "explain",
        "summary": "Show where the model looks, and which training photos look alike to it",
        "parameters": [wanted],
        "requestBody": {"required": True, "content": _RAW},
        "responses": _responses("200", "The explanation", content, (400, 408, 413, 415, 422)),
    }


def _feedback() -> Schema:
    return {
        "operationId": "feedback",
        "summary": "Tell the true label of a predicted photo",
        "parameters": [_SOURCE],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Feedback")}}},
        "responses": _responses(
            "202", "Taken", {"application/json": {"schema": _ref("Feedback")}}, (400, 404, 408, 413, 415, 422)
        ),
    }


_RAW: Final = {"image/*": {"schema": _PHOTO}, "application/octet-stream": {"schema": _PHOTO}}
_SOURCE: Final = {
    "name": "Petpark-Source",
    "in": "header",
    "description": "Where the photo comes from, for the prediction log: a camera's name, say.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{0,64}$", "default": "api"},
}


def _get(summary: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"summary": summary, "responses": _responses("200", summary, {kind: {"schema": schema}}, ())}


def _health(summary: str) -> Schema:
    responses = {"200": {"description": "Yes", "content": {"application/json": {"schema": {"type": "object"}}}}}
    return {"summary": summary, "security": [], "responses": responses | {"503": _problem(503)}}


def _responses(status: str, text: str, content: Schema, refusals: Sequence[int]) -> Schema:
    found: Schema = {status: {"description": text, "content": content, "headers": _VERSION}}
    return found | {str(code): _problem(code) for code in (*refusals, 401, 405, 429, 503)}


_VERSION: Final = {"Petpark-Version": {"schema": _TEXT}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _problem(code: int) -> Schema:
    return {"$ref": f"#/components/responses/{code}"}


def _problems() -> Schema:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {str(code): {"description": text, "content": content} for code, text in _REFUSALS.items()}


def _object(required: Sequence[str], **properties: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


def _schemas(labels: list[str]) -> Schema:
    label = {"type": "string", "enum": labels}
    prediction = {
        "id": _ID,
        "version": _TEXT,
        "label": label,
        "confidence": _SHARE,
        "unsure": {"type": "boolean", "description": "The confidence is below the model's threshold."},
        "probabilities": _object(labels, **dict.fromkeys(labels, _SHARE)),
    }
    item = prediction | {"file": _TEXT, "problem": _ref("Problem")}
    near = _object(["id", "label", "similarity"], id=_TEXT, label=_TEXT, similarity={"type": "number"})
    return {
        "Prediction": _object(list(prediction), **prediction),
        "Predictions": _object(
            ["version", "predictions"],
            version=_TEXT,
            predictions={"type": "array", "items": _object(["file"], **item)},
        ),
        "Explanation": _object(
            ["version", "label", "probability", "heat_map", "nearest"],
            version=_TEXT,
            label=label,
            probability=_SHARE,
            heat_map={"type": "string", "description": "A PNG as a data URL."},
            nearest={"type": "array", "items": near},
        ),
        "Feedback": _object(["id", "label"], id=_ID, label=label),
        "Problem": _object(
            ["type", "title", "status", "detail"],
            type=_TEXT,
            title=_TEXT,
            status={"type": "integer"},
            detail=_TEXT,
            reason=_TEXT,
        ),
        "Version": _object(["schema", "version", "model", "labels"], version=_TEXT, model=_TEXT),
    }
