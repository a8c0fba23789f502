"""Settings of the service: environment variables, since they belong to where it runs and not to what it is."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field

from petpark.config.settings import Settings, parse

PREFIX: Final = "PETPARK_"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _are_networks(text: str) -> str:
    networks(text)
    return text


def _token(text: str) -> str:
    """Without the line's end that a file of secrets has: no header could carry it."""
    token = text.strip()
    if text and not token:
        raise ValueError("a token of blanks opens nothing, and none at all lets everybody in")
    return token


class ServeSettings(Settings):
    """What `petpark serve` reads from variables `PETPARK_…`."""

    model_config = ConfigDict(strict=False)  # a variable is always text

    model: str = ""
    """Path of the ONNX file. Empty: the model inside the installed wheel, or else `models/model.onnx`."""
    workers: int = Field(0, ge=0, le=256)
    """Inference workers, a process each; 0 starts one per core that may be used."""
    queue: int = Field(0, ge=0, le=10_000)
    """Photos that may wait for a worker; a further one is answered 503 at once. 0 means eight per worker."""
    requests: int = Field(256, ge=1, le=10_000)
    """Requests in work at a time, from all clients; more are answered 503."""
    client_requests: int = Field(64, ge=1, le=10_000)
    """Requests in work at a time from one client; more are answered 429."""
    connections: int = Field(1000, ge=1, le=60_000)
    """Open connections at a time; more are answered 503."""
    max_bytes: int = Field(10 << 20, ge=1024, le=64 << 20)
    """Bytes of a request's body; more are answered 413."""
    max_megapixels: float = Field(25, gt=0, le=200)
    """Size of a photo; a larger one is answered 422 before it is decoded."""
    max_files: int = Field(32, ge=1, le=1000)
    """Photos in one form."""
    header_seconds: int = Field(5, ge=1, le=600)
    """Time to send the head of a request, and to send another one on an open connection."""
    body_seconds: float = Field(10, gt=0, le=600)
    """Time to send a body; a slower client is answered 408."""
    photo_seconds: float = Field(10, gt=0, le=600)
    """Time for one photo; a worker that takes longer is replaced."""
    drain_seconds: int = Field(20, ge=1, le=600)
    """After SIGTERM: time to finish what is in work."""
    token: Annotated[str, AfterValidator(_token)] = Field("", repr=False)
    """Bearer token that every request but those for health must carry; empty: none."""
    trusted_proxies: Annotated[str, AfterValidator(_are_networks)] = ""
    """Addresses or networks, with commas between, whose `X-Forwarded-For` tells the client."""
    log: str = Field("sqlite:///state/predictions.db", repr=False)
    """Where predictions are logged: an SQLAlchemy URL (SQLite or PostgreSQL); empty: nowhere."""
    photo_share: float = Field(0, ge=0, le=1)
    """Share of the photos that is kept in the log. None by default: they show people."""
    photo_days: int = Field(7, ge=1, le=3650)
    """Days after which a kept photo is deleted."""


def networks(text: str) -> list[Network]:
    """Read addresses and networks with commas between.

    Raises:
        ValueError: one is neither.
    """
    return [ipaddress.ip_network(each) for each in filter(None, map(str.strip, text.split(",")))]


def read(environment: Mapping[str, str]) -> ServeSettings:
    """Read the settings from an environment; variables of other names are not looked at.

    Raises:
        SettingsError: a variable holds what is not possible.
    """
    names = {name: f"{PREFIX}{name.upper()}" for name in ServeSettings.model_fields}
    values = {name: environment[variable] for name, variable in names.items() if variable in environment}
    return parse(ServeSettings, values, f"environment ({PREFIX}…)")
