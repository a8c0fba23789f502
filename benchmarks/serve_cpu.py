"""CPU time of the server for one request, beside that of decoding and onnxruntime alone."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import harness, result
from benchmarks.serving import inside, load, material, servers

_COUNT: Final = 500  # requests of one measurement
_ROUNDS: Final = 7
CONNECTIONS: Final = (1, 4)
_FACTOR: Final = 1.25
PETPARK: Final = "petpark"
LOGGED: Final = "petpark with its log"
BENTO: Final = "BentoML as generated"
BY_HAND: Final = "FastAPI by hand"
JUDGED: Final = (BENTO, BY_HAND)
SHOWN: Final = (BENTO, f"{BENTO}, one thread", BY_HAND, f"{BY_HAND}, in a thread")


def run() -> result.Result:
    """Have all contenders answer, by turns."""
    cores, count = servers.cores(), harness.scaled(_COUNT, least=20)
    with harness.scratch("serve-cpu") as folder, ExitStack() as stack:
        found = material.lay(folder)
        racers: dict[str, Callable[[], Sequence[float]]] = {
            name: partial(milliseconds, server, cores.client, request, count)
            for name, (server, request) in _contenders(folder, found, cores.server, stack).items()
        }
        racers["limit"] = lambda: [harness.apart(inside.milliseconds, cores.server, found.model, found.photo, count)]
        took = harness.alternate(racers, harness.rounds(_ROUNDS))
        return judge(took, f"{material.describe(found)}; {cores}")


def _contenders(
    folder: Path, found: material.Material, place: Sequence[int], stack: ExitStack
) -> dict[str, tuple[servers.Server, str]]:
    """Start all servers, and name the request that each one understands."""
    model, log = found.model, f"sqlite:///{folder / 'log.db'}"
    by_hand = stack.enter_context(servers.by_hand(folder, model, place))
    return {
        PETPARK: (stack.enter_context(servers.petpark(folder, model, place)), found.raw),
        LOGGED: (stack.enter_context(servers.petpark(folder, model, place, log=log)), found.raw),
        SHOWN[0]: (stack.enter_context(servers.bento(folder, model, place)), found.form),
        SHOWN[1]: (stack.enter_context(servers.bento(folder, model, place, threads=1)), found.form),
        SHOWN[2]: (by_hand, found.raw),
        SHOWN[3]: (by_hand, found.thread),
    }


def milliseconds(server: servers.Server, client: Sequence[int], request: str, count: int) -> list[float]:
    """CPU time of all processes of a server for one request, with one and with four connections.

    Raises:
        RuntimeError: a request failed.
    """
    return [_milliseconds(server, client, request, connections, count) for connections in CONNECTIONS]


def _milliseconds(server: servers.Server, client: Sequence[int], request: str, connections: int, count: int) -> float:
    harness.apart(load.closed, client, server.port, request, connections, max(connections, count // 10))
    begin = server.cpu()
    answers = harness.apart(load.closed, client, server.port, request, connections, count)["answers"]
    if {status for _, _, status, _ in answers} != {200}:
        raise RuntimeError(f"a server of the row does not answer: {answers[-1]}")
    return 1000 * (server.cpu() - begin) / count


def judge(took: Mapping[str, Sequence[Sequence[float]]], pictures: str) -> result.Result:
    """Make a row of milliseconds; what is harder for petpark counts, one connection or four, round by round."""
    ours, (limit,) = took[PETPARK], zip(*took["limit"], strict=True)
    figure = harness.ratio([max(each) for each in ours], limit)
    peers = {name: harness.spread(_times(took[name], ours)) for name in SHOWN}
    middles = {
        name: " and ".join(harness.describe(harness.spread(each).middle) for each in zip(*took[name], strict=True))
        for name in (PETPARK, LOGGED, "limit")
    }
    return result.made(
        "serve_cpu",
        figure,
        "of the limit",
        goal=f"≤ {_FACTOR:g}, and less than {' and '.join(JUDGED)}",
        met=figure.middle <= _FACTOR and all(peers[name].middle > 1 for name in JUDGED),
        limit=f"decode + onnxruntime in process: {middles['limit']} ms",
        peers=peers,
        pictures=f"{pictures}; {middles[PETPARK]} ms with 1 and 4 connections, {middles[LOGGED]} ms with the log",
    )


def _times(theirs: Sequence[Sequence[float]], ours: Sequence[Sequence[float]]) -> list[float]:
    """How many times as much a peer takes, where it comes closest, in each round."""
    return [min(a / b for a, b in zip(*each, strict=True)) for each in zip(theirs, ours, strict=True)]
