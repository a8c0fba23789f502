"""Photos in a form (multipart/form-data, RFC 7578), read from memory. No URL in a form is ever fetched.

Cut at its boundaries as a whole: parsers that go byte by byte take seconds for ten megabytes that were made for it, and
the front answers nobody else meanwhile.
"""

import re
from http import HTTPStatus
from typing import Final, NamedTuple

from python_multipart.multipart import parse_options_header

from petpark.deploy.serving.http import Problem

FIELD: Final = "image"
_NAME: Final = 200  # characters that are told of a file's name
_HEAD: Final = 8 << 10  # bytes of a part's headers
_DISPOSITION: Final = re.compile(rb"(?:^|\r\n)content-disposition:[ \t]*([^\r\n]*)", re.IGNORECASE)
_PHOTO: Final = re.compile(rb"\r\ncontent-type:[ \t]*(?:image/|application/octet-stream)", re.IGNORECASE)
_BOUNDARY: Final = 70  # RFC 2046, section 5.1.1


class Upload(NamedTuple):
    """A file of a form."""

    name: str
    data: bytes


def uploads(body: bytes, content_type: str, most: int) -> list[Upload]:
    """The files in the field `image` of a form.

    Raises:
        Problem: 400 where it is no whole form, 413 too many parts, 422 where the field is missing or holds text.
    """
    files = [found for part in _parts(body, _boundary(content_type), most) if (found := _upload(part)) is not None]
    if not files:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The form has no file in a field `{FIELD}`.", "no-file")
    return files


def _boundary(content_type: str) -> bytes:
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"") if len(content_type) < _HEAD else b""
    if not 0 < len(boundary) <= _BOUNDARY:
        raise _malformed()
    return boundary


def _parts(body: bytes, boundary: bytes, most: int) -> list[bytes]:
    """What stands between the boundaries, with its headers."""
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 1)[1:]  # the first one comes before the form
    ends = [number for number, piece in enumerate(pieces) if piece.startswith(b"--")]
    if not ends and len(pieces) > most:
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {most} files at a time.", "too-many-files")
    if not ends:
        raise _malformed()
    parts = [piece.lstrip(b" \t") for piece in pieces[: ends[0]]]
    if not all(part.startswith(b"\r\n") for part in parts):
        raise _malformed()
    return parts


def _upload(part: bytes) -> Upload | None:
    """The file in a part; None where it is of another field."""
    end = part.find(b"\r\n\r\n", 0, _HEAD)
    if end < 0:
        raise _malformed()
    disposition = _DISPOSITION.search(part, 0, end)
    options = parse_options_header(disposition[1])[1] if disposition else {}
    if options.get(b"name") != FIELD.encode():
        return None
    name = options.get(b"filename")
    if name is None and _PHOTO.search(part, 0, end):  # generated clients leave the name out
        name = b""
    if name is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The field `{FIELD}` holds text and no file. No address is fetched: send the photo itself.",
            "no-file",
        )
    return Upload(name.decode("utf-8", "replace")[:_NAME], part[end + 4 :])


def _malformed() -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "The body is no well-formed multipart/form-data.", "malformed")
