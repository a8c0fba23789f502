"""Addresses that a report may send its reader to."""

import re
from typing import Final
from urllib.parse import urlsplit

from petpark.errors import SettingsError
from petpark.report.change.blocks import Link

GITHUB: Final = "https://github.com"
_PATH: Final = re.compile(r"/[A-Za-z0-9._~%/?#=&+-]*")
_LOCAL: Final = re.compile(r"(localhost|127\.0\.0\.1|[a-z0-9-]+\.localhost)(:\d+)?")


def checked(text: str, address: str, server: str = GITHUB) -> Link:
    """A link, if its address is one of the server.

    Args:
        text: what is shown.
        address: where it leads.
        server: the address of the server, such as `https://github.com`; plain http only on this computer.

    Raises:
        SettingsError: it leads anywhere else, or holds what belongs into no address.
    """
    host = server.rstrip("/")
    parts = urlsplit(host)
    secure = parts.scheme == "https" or (parts.scheme == "http" and _LOCAL.fullmatch(parts.netloc))
    if not secure or not re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?", parts.netloc):
        raise SettingsError(f"'{server[:200]}' is no https address of a server, such as {GITHUB}.")
    if not address.startswith(f"{host}/") or not _PATH.fullmatch(address.removeprefix(host)):
        raise SettingsError(f"'{address[:200]}' is no address on {host}: a report links to nothing else.")
    return Link(text, address)
