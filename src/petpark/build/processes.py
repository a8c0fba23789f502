"""Several processes that train one network: torchrun starts them, gloo or NCCL joins them."""

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn

_SIZE: Final = "WORLD_SIZE"  # torchrun sets it


@dataclass(frozen=True)
class Team:
    """A process among all that train together; the one of rank 0 leads."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that reads and writes checkpoints, validates, and speaks."""
        return self.rank == 0

    def share(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Its part of a batch; all parts together are the batch."""
        return rows[self.rank :: self.size]

    def joined(self, network: nn.Module) -> nn.Module:
        """The network, its weights those of the leader, its gradients the mean over all processes."""
        if self.size == 1:
            return network
        return nn.parallel.DistributedDataParallel(network)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a figure over all processes."""
        if self.size > 1:
            distributed.all_reduce(value)
        return value / self.size

    @contextmanager
    def leader_first(self) -> Iterator[None]:
        """Let the leader go first: what it writes, the others find."""
        if not self.leads:
            distributed.barrier()
        yield
        if self.leads and self.size > 1:
            distributed.barrier()


@contextmanager
def team() -> Iterator[Team]:
    """Join the processes that torchrun started; a process that it did not start is a team of its own."""
    size = int(os.environ.get(_SIZE, "1"))
    if size == 1:
        yield Team()
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo")
    yield Team(distributed.get_rank(), size)
    distributed.destroy_process_group()  # not after an error: the process that met it has to be the first that ends


def started() -> bool:
    """Whether torchrun started this process."""
    return _SIZE in os.environ


def launch(count: int, *arguments: str) -> int:
    """Run a `petpark` command in several processes on this machine, as torchrun does.

    Each gets an equal part of the cores, and only the leader speaks.

    Returns:
        the exit status.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    cores = len(os.sched_getaffinity(0))
    if count > max(cores, torch.cuda.device_count()):
        print(
            f"petpark: {count} processes for {cores} core{'' if cores == 1 else 's'}: that is slower than one a core "
            "(params.yaml: train.processes).",
            file=sys.stderr,
        )
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores // count))
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # it would bury our sentence
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            1,
            1,
            count,
            run_id="petpark",
            max_restarts=0,
            monitor_interval=0.1,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            logs_specs=DefaultLogsSpecs(folder, local_ranks_filter={0}),
        )
        try:
            elastic_launch(config, sys.executable)("-m", "petpark", *arguments)
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            if rank:
                print(f"petpark: process {rank} of {count} ended with status {failure.exitcode}.", file=sys.stderr)
            return failure.exitcode if failure.exitcode > 0 else 1
    return 0
