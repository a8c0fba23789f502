"""HTTP by hand: connections that send what no client library would, and take what comes."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.deploy.serving import Running

PHOTO_HEAD: Final = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3}) ")


class Connection:
    """A connection to a service."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, data: bytes) -> bool:
        """Send all; false where the service has hung up."""
        try:
            self._socket.sendall(data)
        except (ConnectionResetError, BrokenPipeError):
            return False
        return True

    def read(self, seconds: float = 10) -> tuple[bytes, bool]:
        """What comes until the service closes, or for so many seconds; and whether it has closed."""
        self._socket.settimeout(seconds)
        parts: list[bytes] = []
        with contextlib.suppress(ConnectionResetError):
            while True:
                try:
                    part = self._socket.recv(1 << 16)
                except TimeoutError:
                    return b"".join(parts), False
                if not part:
                    break
                parts.append(part)
        return b"".join(parts), True

    def read_one(self, seconds: float = 10) -> bytes:
        """One answer whose length its head tells, or what comes before the service closes."""
        self._socket.settimeout(seconds)
        found = b""
        while not (length := re.search(rb"content-length: (\d+)(?s:.*?)\r\n\r\n", found, re.IGNORECASE)) or len(
            found
        ) < length.end() + int(length[1]):
            part = self._socket.recv(1 << 16)
            if not part:
                break
            found += part
        return found

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self._socket.shutdown(socket.SHUT_WR)

    def send_while_open(self, data: bytes, seconds: float, pause: float = 0.0) -> tuple[int, float]:
        """Send the same again and again; return how many bytes went, and after how many seconds it was cut off."""
        self._socket.settimeout(seconds)
        begin, sent = time.monotonic(), 0
        with contextlib.suppress(OSError):
            while time.monotonic() - begin < seconds:
                sent += self._socket.send(data)
                time.sleep(pause)
        return sent, time.monotonic() - begin


@contextmanager
def connection(service: Running, *, receive_buffer: int = 0, source: str = "127.0.0.1") -> Iterator[Connection]:
    """Open a connection, from an address of this machine, perhaps one that takes little before it is read."""
    with socket.socket() as sock:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.bind((source, 0))
        sock.settimeout(10)
        sock.connect(("127.0.0.1", int(service.url.rpartition(":")[2])))
        yield Connection(sock)


def statuses(answers: bytes) -> list[int]:
    """The status of each answer."""
    return [int(found) for found in _STATUS.findall(answers)]


def once(service: Running, request: bytes, seconds: float = 10) -> bytes:
    """What the service says to a request, until it closes the connection."""
    with connection(service) as client:
        client.send(request)
        return client.read(seconds)[0]


def photo_request(photo: bytes, *headers: bytes) -> bytes:
    """A whole request that asks what is on a photo."""
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"%b%bContent-Length: %d\r\n\r\n%b" % (PHOTO_HEAD, lines, len(photo), photo)
