"""CPU time of the server for one request, beside that of decoding and onnxruntime alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Final

from benchmarks import harness, result
from benchmarks.serving import inside, load, material, servers

_COUNT: Final = 500  # requests of one measurement
_ROUNDS: Final = 7
_CONNECTIONS: Final = (1, 4)
_FACTOR: Final = 1.25
LIMIT: Final = "limit"
PETPARK: Final = "petpark"
LOGGED: Final = "petpark with its log"
PEERS: Final = ("BentoML as generated", "BentoML as generated, one thread", "FastAPI by hand")

Took = Mapping[str, Sequence[float]]  # milliseconds of CPU time of a request, by contender and connections


def run() -> result.Result:
    """Have all contenders answer, by turns."""
    cores = servers.cores()
    with harness.scratch("serve-cpu") as folder, ExitStack() as stack:
        found = material.lay(folder)
        model, place = found.model, cores.server
        log = f"sqlite:///{folder / 'log.db'}"
        running = {
            PETPARK: stack.enter_context(servers.petpark(folder, model, place)),
            LOGGED: stack.enter_context(servers.petpark(folder, model, place, log=log)),
            PEERS[0]: stack.enter_context(servers.bento(folder, model, place)),
            PEERS[1]: stack.enter_context(servers.bento(folder, model, place, threads=1)),
            PEERS[2]: stack.enter_context(servers.by_hand(folder, model, place)),
        }
        count = harness.scaled(_COUNT, least=20)
        racers: dict[str, Callable[[], float]] = {
            LIMIT: partial(harness.apart, inside.milliseconds, place, model, found.photo, count)
        }
        for name, server in running.items():
            request = found.form if name.startswith("BentoML") else found.raw
            for connections in _CONNECTIONS:
                racers[_named(name, connections)] = partial(
                    milliseconds, server, cores.client, request, connections, count
                )
        took = harness.alternate(racers, harness.rounds(_ROUNDS))
        return judge(took, f"{material.describe(found)}; {cores}")


def milliseconds(server: servers.Server, client: Sequence[int], request: str, connections: int, count: int) -> float:
    """CPU time of all processes of a server for one request.

    Raises:
        RuntimeError: a request failed.
    """
    harness.apart(load.closed, client, server.port, request, connections, max(connections, count // 10))
    begin = server.cpu()
    answers = harness.apart(load.closed, client, server.port, request, connections, count)["answers"]
    if {status for _, _, status, _ in answers} != {200}:
        raise RuntimeError(f"a server of the row does not answer: {answers[-1]}")
    return 1000 * (server.cpu() - begin) / count


def judge(took: Took, pictures: str) -> result.Result:
    """Make a row of milliseconds; the harder of one and of four connections counts, round by round."""
    ours = [took[_named(PETPARK, connections)] for connections in _CONNECTIONS]
    worst = [max(each) for each in zip(*ours, strict=True)]
    figure = harness.ratio(worst, took[LIMIT])
    peers = {
        _named(name, connections): harness.ratio(took[_named(name, connections)], took[_named(PETPARK, connections)])
        for name in PEERS
        for connections in _CONNECTIONS
    }
    middle = {name: harness.describe(harness.spread(each).middle) for name, each in took.items()}
    logged = " and ".join(middle[_named(LOGGED, connections)] for connections in _CONNECTIONS)
    without = " and ".join(middle[_named(PETPARK, connections)] for connections in _CONNECTIONS)
    return result.made(
        "serve_cpu",
        figure,
        "of the limit",
        goal=f"≤ {_FACTOR:g}, and less than both peers",
        met=figure.middle <= _FACTOR and all(each.middle > 1 for each in peers.values()),
        limit=f"decode + onnxruntime in process: {middle[LIMIT]} ms",
        peers=peers,
        pictures=f"{pictures}; {without} ms with 1 and 4 connections, with the prediction log {logged} ms",
    )


def _named(name: str, connections: int) -> str:
    return f"{name}, {connections} connection{'s' * (connections > 1)}"
