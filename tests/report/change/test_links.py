"""A report links to its own server, and nowhere else."""

import pytest

from petpark.errors import SettingsError
from petpark.report.change import links

RUN = "https://github.com/o/r/actions/runs/12/artifacts/3"


@pytest.mark.parametrize(
    ("address", "server"),
    [
        (RUN, "https://github.com"),
        (RUN, "https://github.com/"),
        ("https://git.example:8443/o/r/actions/runs/1?check_suite_focus=true#step:1", "https://git.example:8443"),
        ("http://github.localhost:18080/o/r/actions/runs/1", "http://github.localhost:18080"),
        ("http://127.0.0.1:3000/o/r", "http://127.0.0.1:3000"),
    ],
)
def test_an_address_on_the_server_is_a_link(address: str, server: str) -> None:
    if "#step:" in address:
        address = address.partition("#")[0]
    assert links.checked("run", address, server).address == address


@pytest.mark.parametrize(
    "address",
    [
        "http://github.com/o/r",
        "https://github.com.evil.example/o/r",
        "https://github.com@evil.example/o/r",
        "https://evil.example/https://github.com/",
        "//github.com/o/r",
        "javascript:alert(1)//https://github.com/",
        "https://github.com",
        "https://github.com/o/r) [x](https://evil.example",
        "https://github.com/o/r\n[x](https://evil.example/)",
        'https://github.com/o/r" onmouseover="x',
        "https://github.com/o/<b>",
        "https://github.com/o r",
        "",
    ],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="a report links to nothing else"):
        links.checked("run", address)


@pytest.mark.parametrize("server", ["http://github.com", "github.com", "https://a@b", "https://", "ftp://x", ""])
def test_a_server_is_named_by_its_https_address(server: str) -> None:
    with pytest.raises(SettingsError, match="no https address of a server"):
        links.checked("run", f"{server}/x", server)
