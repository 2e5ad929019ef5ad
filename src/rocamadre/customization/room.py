"""Whether a training fits: looked at before it begins, and while it runs.

Memory that it can never have is refused. Memory that others hold now is waited for, visibly; so is a disk that has no
room for the checkpoints. A disk that fills up later pauses the trainer itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import psutil

from rocamadre.catalog.types import Model
from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.types import Job
from rocamadre.datasets.canonical import read
from rocamadre.engines.memory import available_bytes, figure
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import RunStopped, Work
from rocamadre.training.preflight.prospect import look_ahead
from rocamadre.training.settings import TrainingSettings

_POLL_S = 2.0
_LOOK_S = 0.5
_SCARCE_BYTES = 128 << 20


class Need(NamedTuple):
    """What a training takes, in bytes."""

    memory: int
    disk: int


def foresee(work: Work, job: Job, base: Model, folder: RunDir) -> dict[str, Any]:
    """What the training will take, as `training.preflight` reckons; written into the folder, once.

    Raises:
        InvalidRequest: the settings do not go with this base.
    """
    place = folder.work / "preflight.json"
    known: dict[str, Any] | None = read_json(place)
    if known is None:
        assert base.path is not None
        settings = TrainingSettings.model_validate(job.settings)
        validation = [example for path in sorted(folder.work.glob("validation-*.jsonl")) for example in read(path)]
        examples = read(folder.work / "train.jsonl")
        home = work.platform.settings.home
        known = look_ahead(
            home, base.path, settings, examples, validation=validation or None, aws_model_id=job.base_id
        ).as_json()
        write_json(place, known)
    return known


def wait_for_room(work: Work, base: Model, folder: RunDir, foreseen: Mapping[str, Any]) -> None:
    """Return when memory and disk are there.

    Args:
        work: The run.
        base: What is trained.
        folder: Of the run.
        foreseen: See `foresee`.

    Raises:
        InvalidRequest: the machine has not that much.
        RunStopped: it was asked to stop meanwhile.
    """
    need = Need(int(foreseen["memory_bytes"]), int(foreseen["disk"]["total"]))
    total = psutil.virtual_memory().total
    if need.memory > total:
        raise InvalidRequest(
            f"training {base.id} takes some {figure(need.memory)} of memory, and this machine has {figure(total)}; "
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
