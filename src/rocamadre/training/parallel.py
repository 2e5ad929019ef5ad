"""One run on several processes of this machine: rank 0 is the child that the launcher started, it starts the others.

`ddp`: each process has the whole model; gradients are summed before each step. `fsdp`: weights, gradients and optimiser
are shared out with `fully_shard` itself, since on a processor the FSDP of transformers' Trainer and of accelerate
becomes DDP without a word. In both, a step learns from the same rows in the same order as one process would with as
many passes (`accumulation`), so the losses agree.

Source: Li et al. 2020, arXiv:2006.15704 (DDP); Zhao et al. 2023, arXiv:2304.11277 (FSDP).
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.rundir import RunDir
from rocamadre.training.methods.models import blocks
from rocamadre.training.optimiser import Named
from rocamadre.training.settings import TrainingSettings

_PATIENCE = timedelta(days=30)
"""Ranks wait for rank 0 while it waits for room on the disk."""
_LOOK_S = 0.5
_SHARDED_METHODS = ("full", "lora")
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG


def check(settings: TrainingSettings) -> None:
    """Refuse what would not do what it says.

    Raises:
        InvalidRequest: the strategy does not go with the number of processes or the method.
    """
    if settings.strategy == "single" and settings.processes > 1:
        raise InvalidRequest(f"strategy is single, processes is {settings.processes}; set strategy to ddp or fsdp")
    if settings.strategy != "single" and settings.processes < 2:
        raise InvalidRequest(f"{settings.strategy} shares the work of at least 2 processes; processes is 1")
    if settings.strategy == "fsdp" and settings.method not in _SHARDED_METHODS:
        raise InvalidRequest(
            f"fsdp shares the weights of: {', '.join(_SHARDED_METHODS)}; for {settings.method!r} take ddp or single"
        )
    if settings.strategy == "fsdp" and settings.gradient_checkpointing:
        raise InvalidRequest("fsdp does not go with gradient_checkpointing here; turn one of them off")


class Together:
    """The processes of a run.

    Args:
        rank: Of this one, from 0.
        size: How many there are.
        sharded: Whether gradients are summed by `fully_shard` already.
    """

    def __init__(self, rank: int, size: int, *, sharded: bool) -> None:
        self.rank, self.size, self._sharded = rank, size, sharded

    def add_gradients(self, named: Named) -> None:
        """Sum the gradients of all processes into each, in one message."""
        if self._sharded:
            return
        weights = [weight for _, weight in named]
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        flat = torch.cat([weight.grad.flatten() for weight in weights])
        dist.all_reduce(flat)
        start = 0
        for weight in weights:
            weight.grad.copy_(flat[start : start + weight.numel()].view_as(weight))
            start += weight.numel()

    def add(self, value: float) -> float:
        """The sum of a number over all processes, in float64."""
        total = torch.tensor(value, dtype=torch.float64)
        dist.all_reduce(total)
        return float(total)

    def any(self, flag: bool) -> bool:
        """Whether it is true in one of them."""
        return self.add(float(flag)) > 0

    def whole(self, tensor: Tensor) -> Tensor:
        """A tensor in one piece; all processes must ask."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def put(self, target: Tensor, values: Tensor) -> None:
        """Put values in one piece into a tensor that may be shared out."""
        if isinstance(target, DTensor):
            values = distribute_tensor(values.to(target.dtype), target.device_mesh, target.placements)
        target.copy_(values)

    def wait(self) -> None:
        """Until all are here."""
        dist.barrier()


def shard(model: Any) -> None:
    """Share a model's weights out, block by block; gradients come back summed, not averaged.

    Args:
        model: Prepared by its method, in memory in every process; the optimiser is made afterwards.
    """
    for block in blocks(model):
        fully_shard(block)
    fully_shard(model)
    # FSDP divides by the number of processes; the loop has divided by the learned tokens of all of them already.
    for part in model.modules():
        if hasattr(part, "set_gradient_divide_factor"):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)  # gloo knows no other


@contextmanager
def joined(folder: RunDir, settings: TrainingSettings) -> Iterator[Together]:
    """The group of this run; rank 0 starts the others, and they end with it."""
    rank, size = int(os.environ.get("ROCA_RANK", "0")), settings.processes
    if rank == 0:
        meeting = folder.work / f"meeting-{secrets.token_hex(8)}"
        others = [_start(folder, index, meeting) for index in range(1, size)]
    else:
        meeting, others = Path(os.environ["ROCA_MEETING"]), []
        _end_with_parent()
    watch = _Watch(others)
    try:
        watch.start()
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=size, timeout=_PATIENCE)
        yield Together(rank, size, sharded=settings.strategy == "fsdp")
    finally:
        watch.over.set()
        if dist.is_initialized():
            dist.destroy_process_group()
        for process in others:
            process.kill()
            process.wait()
        if rank == 0:
            meeting.unlink(missing_ok=True)


class _Watch(threading.Thread):
    """Ends this process when one of the others has died: it would wait for that one for ever.

    The launcher then starts the run again, from its newest checkpoint.
    """

    def __init__(self, others: Sequence[subprocess.Popen[bytes]]) -> None:
        super().__init__(daemon=True)
        self._others = others
        self.over = threading.Event()

    def run(self) -> None:
        """Look now and then."""
        while not self.over.wait(_LOOK_S):
            for process in self._others:
                if process.poll() and not self.over.is_set():
                    sys.stderr.write(f"process {process.pid} of the run ended with {process.returncode}\n")
                    sys.stderr.flush()
                    os._exit(1)


def _start(folder: RunDir, rank: int, meeting: Path) -> subprocess.Popen[bytes]:
    environment: Mapping[str, str] = os.environ | {"ROCA_RANK": str(rank), "ROCA_MEETING": str(meeting)}
    command = [sys.executable, "-P", "-m", "rocamadre.training.rank", str(folder.path)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)


def _end_with_parent() -> None:
    """On Linux the system ends this process with rank 0; elsewhere the broken connection does."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
