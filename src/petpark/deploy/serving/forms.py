"""Photos in a form (multipart/form-data, RFC 7578), read from memory. No URL in a form is ever fetched."""

from http import HTTPStatus
from typing import NamedTuple

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from petpark.deploy.serving.http import Problem

FIELD = "image"


class Upload(NamedTuple):
    """A file of a form."""

    name: str
    data: bytes


class _Parts:
    """Collects the parts of a form as the parser finds them."""

    def __init__(self, most: int) -> None:
        self.files: list[Upload] = []
        self._most = most
        self._field = self._value = b""
        self._disposition = b""
        self._body = bytearray()
        self.count = 0

    def begin(self) -> None:
        self.count += 1
        if self.count > self._most:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {self._most} files at a time.", "too-many-files"
            )
        self._disposition = b""
        self._body.clear()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = self._value
        self._field = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        self._body += data[start:end]

    def end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name, file = options.get(b"name", b""), options.get(b"filename")
        if name != FIELD.encode():
            return
        if file is None:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"The field `{FIELD}` holds text and no file. No address is fetched: send the photo itself.",
                "no-file",
            )
        self.files.append(Upload(file.decode("utf-8", "replace")[:200], bytes(self._body)))


def uploads(body: bytes, content_type: str, most: int) -> list[Upload]:
    """The files in the field `image` of a form.

    Raises:
        Problem: 400 where it is no such form, 413 too many parts, 422 where the field is missing or holds text.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    parts = _Parts(most)
    try:
        parser = MultipartParser(
            boundary,
            callbacks={
                "on_part_begin": parts.begin,
                "on_part_data": parts.data,
                "on_part_end": parts.end,
                "on_header_field": parts.header_field,
                "on_header_value": parts.header_value,
                "on_header_end": parts.header_end,
            },
        )
        if not boundary or parser.write(body) != len(body):
            raise _malformed()
        parser.finalize()
    except FormParserError:
        raise _malformed() from None
    if not parts.files:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"The form has no file in a field `{FIELD}`.", "no-file")
    return parts.files


def _malformed() -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "The body is no well-formed multipart/form-data.", "malformed")
