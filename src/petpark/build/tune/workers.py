"""The processes of a search: each takes trials from the study until there are none left."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, TypeAlias, cast

import torch

from petpark.build.train import Source
from petpark.build.tune import studies
from petpark.build.tune.plan import Plan
from petpark.build.tune.trial import Pause, Trainer
from petpark.errors import PetparkError, SetupError

Say = Callable[[str], None]
_Connection: TypeAlias = "Connection[Any, Any]"
_MODULE: Final = __name__


def carry_out(plan: Plan, source: Source, workers: int, say: Say) -> None:
    """Carry out the trials of a plan whose study exists.

    Args:
        plan: what to do.
        source: what the trials learn from.
        workers: processes that do it; a single one is this process, and the cores are divided among several.
        say: is given a line for each trial that ended.

    Raises:
        PetparkError: no trial can be carried out.
        SetupError: a worker process was killed.
    """
    if workers == 1:
        _work(plan, source, say, quiet=False)
    else:
        _in_processes(plan, source, workers, say)


def _work(plan: Plan, source: Source, say: Say, *, quiet: bool) -> None:
    trainer = Trainer(plan, source, quiet=quiet)
    with studies.working(plan.study), studies.opened(plan.study) as study:
        while time.time() < plan.deadline:
            trial = plan.claim(study)
            if trial is None:
                return
            try:
                end = trainer.run(study, trial)
            except Pause:
                return
            tried = ", ".join(f"{name} {value}" for name, value in trial.user_attrs[studies.SETTINGS].items())
            say(f"[{len(studies.trials(study))}/{plan.most}] {tried}: {end}")


def _in_processes(plan: Plan, source: Source, workers: int, say: Say) -> None:
    with _crew(plan, source, workers) as crew:
        while crew:
            for worker in cast("list[_Connection]", wait(crew)):
                try:
                    said = worker.recv()
                except (EOFError, ConnectionError):
                    raise SetupError(
                        "a process of the search was killed, most often for want of memory: run the same command again "
                        "to go on, with fewer --workers if that was the reason."
                    ) from None
                if isinstance(said, PetparkError):
                    raise said
                if said is None:
                    crew.remove(worker)
                else:
                    say(said)


@contextmanager
def _crew(plan: Plan, source: Source, workers: int) -> Iterator[list[_Connection]]:
    """Start worker processes, forked from a clean one that imports what they need once for all.

    Each has a pipe of its own, whose end tells of its death; none survives its parent.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([_MODULE])
    threads = max(1, torch.get_num_threads() // workers)
    crew: list[_Connection] = []
    processes: list[BaseProcess] = []
    try:
        for _ in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            crew.append(ours)
            process: BaseProcess = context.Process(target=_worker, args=(theirs, plan, source, threads), daemon=True)
            process.start()
            theirs.close()
            processes.append(process)
        yield crew
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for connection in crew:
            connection.close()


def _worker(parent: _Connection, plan: Plan, source: Source, threads: int) -> None:
    """Work until no trial is left; what ended goes to the parent line by line, and None or an error at last."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    try:
        _work(plan, source, parent.send, quiet=True)
        parent.send(None)
    except PetparkError as error:
        parent.send(error)
    except KeyboardInterrupt:
        pass


def _die_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
