"""The socket of the service."""

import socket

from petpark.errors import SetupError


def listen(host: str, port: int) -> socket.socket:
    """Open the socket, before anything is started that would be in vain.

    Raises:
        SetupError: the port is taken, or the address is not this machine's.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # the latter for names that no host can have
        why = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise SetupError(f"{host}:{port} cannot be served ({why}): choose another --host or --port.") from None
