"""Whether a training fits: looked at before it begins, and while it runs.

Memory that it can never have is refused. Memory that others hold now is waited for, visibly; so is a disk that has no
room for the checkpoints. A disk that fills up later pauses the trainer itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from rocamadre.catalog.types import Model
from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.types import Job
from rocamadre.engines.memory import available_bytes, figure
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import RunStopped, Work
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.settings import TrainingSettings

_POLL_S = 2.0
_LOOK_S = 0.5
_SCARCE_BYTES = 128 << 20
_PROCESS_BYTES = 500 << 20
"""Of a trainer that holds no model yet."""
_COPIES = 3
"""Of the weights on disk: what was trained, merged, and as served."""


class Need(NamedTuple):
    """What a training takes, in bytes."""

    memory: int
    disk: int


def need_of(job: Job, base: Model) -> Need:
    """What a job takes at least: weights, gradients and optimiser in fp32; activations come on top."""
    settings = TrainingSettings.model_validate(job.settings)
    parameters = base.parameters or base.size_bytes
    full = FACTS[settings.method].form == "full"
    states = 3 * 4 * parameters if full else 0
    kept = settings.keep_checkpoints + 1
    checkpoints = kept * 3 * 4 * parameters if full else kept * (parameters // 10)
    return Need(_PROCESS_BYTES + 4 * parameters + states, checkpoints + _COPIES * 4 * parameters)


def wait_for_room(work: Work, job: Job, base: Model, folder: RunDir) -> None:
    """Return when memory and disk are there.

    Raises:
        InvalidRequest: the machine has not that much.
        RunStopped: it was asked to stop meanwhile.
    """
    need = need_of(job, base)
    total = psutil.virtual_memory().total
    if need.memory > total:
        raise InvalidRequest(
            f"training {base.id} takes at least {figure(need.memory)} of memory, and this machine has {figure(total)}; "
            "choose a smaller base, or a method that trains fewer weights"
        )
    said = ""
    while reason := _lack(need, folder):
        if work.stop_requested():
            raise RunStopped
        if reason.partition(",")[0] != said:
            said = reason.partition(",")[0]
            folder.note(work.platform.clock, {"event": "paused", "reason": reason})
        time.sleep(_POLL_S)
    if said:
        folder.note(work.platform.clock, {"event": "continued"})


def watching(work: Work, folder: RunDir) -> Callable[[], bool]:
    """Whether the run was asked to stop, asked often and looked up now and then; warns when memory runs short."""
    looked = stop = warned = False
    last_s = 0.0

    def stop_requested() -> bool:
        nonlocal looked, stop, warned, last_s
        now_s = work.platform.clock.monotonic()
        if stop or (looked and now_s - last_s < _LOOK_S):
            return stop
        looked, last_s = True, now_s
        free = available_bytes()
        if free < _SCARCE_BYTES and not warned:
            warned = True
            message = f"only {figure(free)} of memory are left; if the system ends the trainer, it goes on from there"
            folder.note(work.platform.clock, {"event": "warning", "message": message})
        stop = work.stop_requested()
        return stop

    return stop_requested


def _lack(need: Need, folder: RunDir) -> str:
    """What is not there, for people; empty when all is."""
    free = available_bytes()
    if free < need.memory:
        return f"waiting for memory, {figure(need.memory)} are needed and {figure(free)} are free"
    free = shutil.disk_usage(folder.path).free
    if free < need.disk:
        return f"waiting for disk space, {figure(need.disk)} are needed and {figure(free)} are free"
    return ""
