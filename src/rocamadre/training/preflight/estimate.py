"""What a training will take, before it begins; and, when it is over, what it took beside that."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rocamadre.catalog.prices import price
from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.memory import available_bytes
from rocamadre.training.methods.registry import check_settings, facts_of
from rocamadre.training.preflight.calibration import Rate
from rocamadre.training.preflight.memory import FP32, FRAMEWORK_BYTES, PEFT_BYTES, Memory, process_memory
from rocamadre.training.preflight.shape import ModelShape
from rocamadre.training.preflight.trained import Trained, trained
from rocamadre.training.preflight.work import forward_pass_flops, pass_flops
from rocamadre.training.preflight.workload import DataFacts, Workload, workload
from rocamadre.training.settings import TrainingSettings

WATTS_PER_CORE = 10.0
"""Of a core at work with its share of memory and fans: an assumption, not a measurement. Servers are below (some 5),
desktops above (some 15)."""

MEMORY_BAR, TIME_BAR = 0.20, 0.30
"""How far a prediction may be off."""

_WITHOUT_PEFT = frozenset({"full", "loreft"})
_CHECKPOINT_EVERY_S = 30.0
_DISK_BYTES_PER_S = 150e6
"""Written, flushed and hashed; an assumption."""


class AwsCost(NamedTuple):
    """What the same job would cost as a customization job on AWS, by the price file.

    Attributes:
        training_usd: None where it is not known.
        storage_usd_per_month: Of the custom model; None where it is not known.
        reason: Where the figure comes from, or why there is none.
    """

    training_usd: float | None
    storage_usd_per_month: float | None
    reason: str


class Disk(NamedTuple):
    """Bytes on disk.

    Attributes:
        checkpoints: At most, while it trains.
        result: What was trained.
        served: The model that answers in the end.
    """

    checkpoints: float
    result: float
    served: float

    @property
    def total(self) -> float:
        """All of it at once."""
        return self.checkpoints + self.result + self.served


class Machine(NamedTuple):
    """Where it will run.

    Attributes:
        memory_bytes: That a new process could take now.
        disk_bytes: Free below ROCA_HOME.
        cores: That a process may use.
    """

    memory_bytes: int
    disk_bytes: int
    cores: int


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a training will take.

    Attributes:
        method: Its name.
        precision: `fp32` or `bf16`, or `auto` while it is not measured.
        strategy: How processes share the work.
        processes: How many.
        parameters: Of the base.
        trained_parameters: What moves.
        examples: Of the training data.
        steps: Optimiser steps.
        tokens: Read in training.
        flops: Operations of training, validation left out.
        memory: Of one process, by part.
        memory_bytes: Of all processes.
        available_bytes: What the machine has left.
        training_s: Seconds in optimiser steps; None where this machine's speed is not known.
        total_s: With start, validation and checkpoints; publishing comes on top.
        disk: By part.
        free_disk_bytes: What is left.
        watts: Assumed, of all cores at work.
        kilowatt_hours: `watts` for `total_s`.
        aws: What AWS would ask.
        notes: What a person should know, one sentence each.
    """

    method: str
    precision: str
    strategy: str
    processes: int
    parameters: int
    trained_parameters: int
    examples: int
    steps: int
    tokens: int
    flops: float
    memory: Memory
    memory_bytes: float
    available_bytes: int
    training_s: float | None
    total_s: float | None
    disk: Disk
    free_disk_bytes: int
    watts: float
    kilowatt_hours: float | None
    aws: AwsCost
    notes: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """Whether memory and disk are there now."""
        return self.memory_bytes <= self.available_bytes and self.disk.total <= self.free_disk_bytes

    def as_json(self) -> dict[str, Any]:
        """All of it, as JSON can hold it."""
        found = asdict(self)
        found["memory"]["total"] = self.memory.total
        found["disk"] = {**self.disk._asdict(), "total": self.disk.total}
        found["aws"] = self.aws._asdict()
        return {**found, "notes": list(self.notes), "fits": self.fits}


def this_machine(home: Path) -> Machine:
    """What there is here and now."""
    place = next(each for each in (home, *home.parents) if each.exists())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return Machine(available_bytes(), shutil.disk_usage(place).free, cores)


def estimate(
    shape: ModelShape,
    settings: TrainingSettings,
    data: DataFacts,
    *,
    machine: Machine,
    rate: Rate | None = None,
    validation: DataFacts | None = None,
    aws_model_id: str = "",
) -> Preflight:
    """What a run will take.

    Args:
        shape: The base's.
        settings: The run's.
        data: What is trained on.
        machine: Where.
        rate: How fast it is there; None leaves time and energy open.
        validation: Looked at now and then.
        aws_model_id: The model that the client named, for AWS's price.

    Raises:
        InvalidRequest: settings of the method are wrong, or the model has no such layers.
    """
    own = check_settings(settings.method, settings.method_settings)
    moved, facts = trained(shape, own), facts_of(settings.method)
    if settings.gradient_checkpointing and not facts.checkpoints:
        raise InvalidRequest(f"{facts.title} does not go with gradient_checkpointing; turn it off")
    work = workload(data, settings, packs=facts.packs, virtual_tokens=moved.virtual_tokens, validation=validation)
    chosen = rate.precision if rate else settings.precision
    memory = process_memory(
        shape,
        moved,
        tokens=work.training.most_tokens,
        targets=work.training.most_targets,
        examples=work.training.most_examples,
        checkpointing=settings.gradient_checkpointing,
        half=chosen == "bf16",
        four_bits=settings.method == "qlora",
        shares=settings.processes if settings.strategy == "fsdp" else 1,
        framework_bytes=rate.framework_bytes if rate else _framework_bytes(settings.method),
    )
    disk = _disk(shape, moved, settings, form=facts.form, mergeable=facts.mergeable)
    training_s, total_s = _seconds(shape, moved, work, settings, rate)
    watts = WATTS_PER_CORE * min(machine.cores, max(1, settings.threads or machine.cores) * settings.processes)
    memory_bytes = memory.total * settings.processes
    return Preflight(
        method=settings.method,
        precision=chosen,
        strategy=settings.strategy,
        processes=settings.processes,
        parameters=shape.parameters,
        trained_parameters=moved.parameters,
        examples=data.examples,
        steps=work.steps,
        tokens=round(work.read),
        flops=pass_flops(shape, moved, work.training, checkpointing=settings.gradient_checkpointing)
        * settings.processes,
        memory=memory,
        memory_bytes=memory_bytes,
        available_bytes=machine.memory_bytes,
        training_s=training_s,
        total_s=total_s,
        disk=disk,
        free_disk_bytes=machine.disk_bytes,
        watts=watts,
        kilowatt_hours=None if total_s is None else watts * total_s / 3.6e6,
        aws=aws_cost(aws_model_id, work.read),
        notes=_notes(machine, memory_bytes=memory_bytes, disk=disk, settings=settings, rate=rate, data=data),
    )


def aws_cost(model_id: str, tokens: float) -> AwsCost:
    """What AWS lists for a customization of a model, if the price file knows."""
    if not model_id:
        return AwsCost(None, None, "unknown: the base is no model of AWS")
    found = price(model_id)
    if found is None:
        return AwsCost(None, None, f"unknown: the price file has no row for {model_id}")
    if found.training is None:
        return AwsCost(None, found.storage, f"unknown: the price file has no price for training {found.id}")
    return AwsCost(
        found.training * tokens / 1e6,
        found.storage,
        f"{found.training:g} USD per million tokens of {found.id}, by our tokens",
    )


def _framework_bytes(method: str) -> float:
    return FRAMEWORK_BYTES + (0 if method in _WITHOUT_PEFT else PEFT_BYTES)


def _seconds(
    shape: ModelShape, moved: Trained, work: Workload, settings: TrainingSettings, rate: Rate | None
) -> tuple[float | None, float | None]:
    if rate is None:
        return None, None
    flops = pass_flops(shape, moved, work.training, checkpointing=settings.gradient_checkpointing)
    training_s = work.training.count * rate.pass_s + flops * rate.flop_s + work.steps * rate.step_s
    looking = forward_pass_flops(shape, moved, work.validation) * rate.forward_flop_s
    looking += work.validation.count * rate.pass_s / 3
    each = 3 * FP32 * moved.parameters / _DISK_BYTES_PER_S + 0.02
    kept = 1 + training_s / max(_CHECKPOINT_EVERY_S, 20 * each)
    if settings.checkpoint_every:
        kept = 1 + work.steps / settings.checkpoint_every
    return training_s, rate.start_s + training_s + looking + kept * each


def _disk(shape: ModelShape, moved: Trained, settings: TrainingSettings, *, form: str, mergeable: bool) -> Disk:
    checkpoint = 3 * FP32 * moved.parameters
    # One more while it is written, and the best beside the newest.
    kept = settings.keep_checkpoints + (2 if settings.validation_share or settings.early_stopping else 1)
    result = FP32 * (shape.parameters if form == "full" else moved.parameters)
    # Merged in fp32 on the way, then F16 with norms in fp32.
    served = (FP32 + 2) * shape.parameters if mergeable else result
    return Disk(float(kept * checkpoint), float(result), float(served))


def _notes(
    machine: Machine,
    *,
    memory_bytes: float,
    disk: Disk,
    settings: TrainingSettings,
    rate: Rate | None,
    data: DataFacts,
) -> tuple[str, ...]:
    notes = []
    if memory_bytes > machine.memory_bytes:
        notes.append("The memory is not there now: lower batch_size or max_length, or set gradient_checkpointing.")
    if disk.total > machine.disk_bytes:
        notes.append("The disk is too full: the job would pause until there is room.")
    if rate is None:
        notes.append("How fast this machine is was not measured, so time and energy are open.")
    if settings.processes > 1:
        notes.append("What the processes tell each other takes time too, and is not counted.")
    if settings.processes * max(1, settings.threads) > machine.cores:
        notes.append(f"There are {machine.cores} cores: so many threads will be slower than assumed.")
    if data.scale > 1:
        notes.append(f"Tokens are counted on {len(data.lengths)} of {data.examples} examples.")
    notes.append(f"Energy is {WATTS_PER_CORE:.0f} W for each core at work: an assumption, not a measurement.")
    return tuple(notes)


class Compared(NamedTuple):
    """One prediction and what happened.

    Attributes:
        name: Of the figure, with its unit.
        predicted: Before.
        happened: After.
        error: (predicted - happened) / happened.
        bar: Largest error that is promised; None where nothing is.
    """

    name: str
    predicted: float
    happened: float
    error: float
    bar: float | None

    @property
    def within(self) -> bool:
        """Whether the promise was kept; true where there is none."""
        return self.bar is None or abs(self.error) <= self.bar


_FIGURES = (
    ("trained_parameters", "trainable", 0.0),
    ("steps", "steps", 0.0),
    ("tokens", "tokens", None),
    ("memory_bytes", "peak_memory_bytes", MEMORY_BAR),
    ("training_s", "seconds", TIME_BAR),
)


def compare(predicted: Preflight | Mapping[str, Any], happened: Mapping[str, Any]) -> tuple[Compared, ...]:
    """What was predicted beside what happened.

    Args:
        predicted: A preflight, or its JSON.
        happened: What `training.run` returned, and where it is known `trainable` of its first event.

    Returns:
        Figures that both sides have. Memory is of one process.
    """
    known = predicted.as_json() if isinstance(predicted, Preflight) else dict(predicted)
    known["memory_bytes"] = known["memory"]["total"]
    found = []
    for mine, theirs, bar in _FIGURES:
        before, after = known.get(mine), happened.get(theirs)
        if before is None or after is None or not math.isfinite(float(after)) or not after:
            continue
        found.append(Compared(mine, float(before), float(after), (before - after) / after, bar))
    return tuple(found)
