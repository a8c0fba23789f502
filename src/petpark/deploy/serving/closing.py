"""How a connection is closed: so that the last answer arrives, and so that no client can hold it open."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

_PATIENCE: Final = 2.0  # seconds for the client to read on, or to stop sending


class ClosingTransport(asyncio.Transport):
    """A transport that closes as a server should (RFC 9112, section 9.6).

    Closing a socket on which unread bytes have come resets it, and the client may lose the answer that says why. So
    where a request has not been read to its end, our side alone is shut, and the rest is thrown away for a while.
    A transport of asyncio closes when all is sent, which a client that does not read can put off for ever.

    Args:
        inner: the transport of the connection.
        unread: tells whether the client may still be sending.
    """

    def __init__(self, inner: asyncio.Transport, unread: Callable[[], bool]) -> None:
        super().__init__()
        self._inner, self._unread = inner, unread
        self._closing = False
        self._left = 0
        self._alarm: asyncio.TimerHandle | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the inner one has it."""
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self._closing or self._inner.is_closing()

    def write(self, data: Any) -> None:
        """Send, or forget what comes too late."""
        if not self._closing:
            self._inner.write(data)

    def pause_reading(self) -> None:
        """Read no more for now."""
        if not self.is_closing():
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        if not self.is_closing():
            self._inner.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._inner.abort()

    def close(self) -> None:
        """Send what is left, and close; at once where the client neither reads nor ends."""
        if self.is_closing():
            return
        self._closing = True
        if self._unread():
            self._inner.write_eof()
            self._inner.resume_reading()
        else:
            self._inner.close()
        self._wait()

    def lost(self) -> None:
        """The connection is closed: wait no more."""
        if self._alarm is not None:
            self._alarm.cancel()

    def _wait(self) -> None:
        self._left = self._inner.get_write_buffer_size()
        self._alarm = asyncio.get_running_loop().call_later(_PATIENCE, self._look)

    def _look(self) -> None:
        if 0 < self._inner.get_write_buffer_size() < self._left:
            self._wait()
        else:
            self._inner.abort()
