"""Who may ask, and how much at a time: decided before a byte of the body is read."""

import base64
import binascii
import hmac
import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from petpark.config.serve import ServeSettings, networks
from petpark.deploy.serving.http import Problem, Request

RETRY: Final = {"Retry-After": "1"}
# Basic alone: Chromium takes a header for one challenge, and asks nobody where that is Bearer, or Bearer follows it.
_ASK: Final = {"WWW-Authenticate": 'Basic realm="petpark: the token is the password", charset="UTF-8"'}

_BODIES: Final = 256 << 20  # bytes of all bodies that are in memory


class Guard:
    """Counts what is in work, and knows the token."""

    def __init__(self, settings: ServeSettings) -> None:
        self.in_work = 0
        self._most, self._most_each = settings.requests, settings.client_requests
        self._held, self._most_held = 0, max(_BODIES, 4 * settings.max_bytes)
        self._clients: Counter[str] = Counter()
        self._token = settings.token.encode()
        self._proxies = networks(settings.trusted_proxies)

    def authorise(self, request: Request) -> None:
        """Let pass who shows the token, as a bearer or as the password that a browser asks for.

        Raises:
            Problem: 401.
        """
        if self._token and not hmac.compare_digest(_shown(request.headers.get(b"authorization", b"")), self._token):
            raise Problem(
                HTTPStatus.UNAUTHORIZED, "Send the header `Authorization: Bearer TOKEN`.", "unauthorized", _ASK
            )

    @contextmanager
    def admitted(self, request: Request) -> Iterator[None]:
        """Hold a place while a request is in work, and count the memory of its body.

        Raises:
            Problem: 429 where this client has too many already, 503 where all together have.
        """
        if self.in_work >= self._most:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests are in work: try again.", "busy", RETRY)
        client = self.client(request)
        if self._clients[client] >= self._most_each:
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self._most_each} requests of this client are in work: wait for an answer first.",
                "too-many",
                RETRY,
            )
        self.in_work += 1
        self._clients[client] += 1
        request.hold = self._hold
        try:
            yield
        finally:
            self._held -= request.size
            self.in_work -= 1
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > self._most_held:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "Too much is being sent: try again.", "busy", RETRY)

    def client(self, request: Request) -> str:
        """The address of who asks: the peer's, or what a trusted proxy says (the last entry is the proxy's own)."""
        if self._proxies and (forwarded := request.header(b"x-forwarded-for")) and self._trusts(request.peer):
            for address in reversed([each.strip() for each in forwarded.split(",")]):
                if not self._trusts(address):
                    return address[:64]
        return request.peer

    def _trusts(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:  # who listens on `::` sees IPv4 so
            found = found.ipv4_mapped
        return any(found in network for network in self._proxies)


def _shown(header: bytes) -> bytes:
    """The token in an Authorization header (RFC 6750, and the password of RFC 7617)."""
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
