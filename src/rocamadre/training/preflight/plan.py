"""Training that may not fit here: what it needs of which hardware, for how long."""

from __future__ import annotations

from dataclasses import dataclass

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.preflight.activations import activation_numbers, forward_flops
from rocamadre.training.preflight.hardware import DEFAULT_MFU, Device
from rocamadre.training.preflight.scaling import expected_loss, optimal_tokens
from rocamadre.training.preflight.shape import ModelShape
from rocamadre.training.preflight.states import RECIPES, SHARDINGS, Dtype, Sharding, model_states

RESERVED_BYTES = 1.5e9
"""Of a device, for its driver, kernels, communication buffers and fragmentation: an assumption."""

_LOGITS_BYTES = 8
"""Per logit, beside the number itself: its fp32 copy and that one's gradient."""

_BUCKET_BYTES = 25 * 2**20
_MOST_DEVICES = 65_536


@dataclass(frozen=True, slots=True)
class PlanWish:
    """What somebody would like to train.

    Attributes:
        shape: Of the model.
        tokens: To train on, repeats counted.
        device: One of `hardware.DEVICES`.
        count: How many of them.
        dtype: How numbers are stored.
        sharding: How the devices share the model's numbers.
        sequence: Tokens of a row.
        micro_batch: Rows of a pass on one device.
        checkpointing: Whether activations are computed again.
        mfu: Share of the peak that is reached, of all operations that are really done.
        dollars_per_hour: Of one device; None where it is not known.
    """

    shape: ModelShape
    tokens: float
    device: Device
    count: int = 1
    dtype: Dtype = "bf16"
    sharding: Sharding = "zero3"
    sequence: int = 2048
    micro_batch: int = 1
    checkpointing: bool = True
    mfu: float = DEFAULT_MFU
    dollars_per_hour: float | None = None


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Bytes on one device, by part.

    Attributes:
        temporary: Logits, gathered layers, buckets.
        reserved: See `RESERVED_BYTES`.
    """

    weights: float
    gradients: float
    optimiser: float
    activations: float
    temporary: float
    reserved: float

    @property
    def total(self) -> float:
        """All parts."""
        return self.states + self.activations + self.temporary + self.reserved

    @property
    def states(self) -> float:
        """Weights, gradients and optimiser."""
        return self.weights + self.gradients + self.optimiser


@dataclass(frozen=True, slots=True)
class Plan:
    """What it takes.

    Attributes:
        wish: What was asked.
        memory: On one device.
        fits: Whether the device has so much.
        least_count: Fewest devices, by doubling, on which it fits; None where no number helps.
        computed_as: Dtype of the arithmetic, where the device has no units for the one asked.
        flops: Operations in all, recomputed ones included.
        hours: From start to end.
        device_hours: Of all devices.
        kilowatt_hours: At the devices' limit of power, nothing else of the machine counted.
        dollars: None where the price is not known.
        steps: Optimiser steps without accumulation.
        optimal_tokens: Compute-optimal for this size.
        loss: By the scaling law, after `wish.tokens`, in nats per token of its data.
        optimal_loss: The same at `optimal_tokens`.
    """

    wish: PlanWish
    memory: DeviceMemory
    fits: bool
    least_count: int | None
    computed_as: Dtype
    flops: float
    hours: float
    device_hours: float
    kilowatt_hours: float
    dollars: float | None
    steps: int
    optimal_tokens: float
    loss: float
    optimal_loss: float


def device_memory(wish: PlanWish, *, dtype: Dtype, sharding: Sharding, count: int, checkpointing: bool) -> DeviceMemory:
    """Bytes on one device of a variant of a wish."""
    shape, recipe = wish.shape, RECIPES[dtype]
    states = model_states(shape.parameters, recipe, sharding, count)
    tokens = wish.micro_batch * wish.sequence
    kept = activation_numbers(shape, tokens, checkpointing=checkpointing) * recipe.activations
    temporary = float(tokens * shape.vocabulary * (recipe.activations + _LOGITS_BYTES))
    if count > 1 and sharding in ("zero3", "fsdp"):
        # The layer at work and the one that is fetched ahead, as they are computed with, and the gradients of one.
        temporary += shape.layer_parameters * (2 * recipe.weights + recipe.gradients)
    elif count > 1 and sharding != "single":
        temporary += 2 * _BUCKET_BYTES
    return DeviceMemory(*states, activations=float(kept), temporary=temporary, reserved=RESERVED_BYTES)


def make_plan(wish: PlanWish) -> Plan:
    """Count memory, time, energy and cost of a wish.

    Raises:
        InvalidRequest: a number of the wish is out of range, or several devices are asked to work as one does.
    """
    _check(wish)
    memory = _memory(wish, wish.count)
    passes = 4 if wish.checkpointing else 3  # Forward once, backward twice as much; once more forward.
    flops = passes * forward_flops(wish.shape, 1, wish.sequence) * wish.tokens
    peak, computed_as = wish.device.speed(wish.dtype)
    device_hours = flops / (peak * wish.mfu) / 3600
    best = optimal_tokens(wish.shape.parameters)
    return Plan(
        wish=wish,
        memory=memory,
        fits=memory.total <= wish.device.memory_bytes,
        least_count=_least_count(wish),
        computed_as=computed_as,
        flops=flops,
        hours=device_hours / wish.count,
        device_hours=device_hours,
        kilowatt_hours=device_hours * wish.device.watts / 1000,
        dollars=None if wish.dollars_per_hour is None else device_hours * wish.dollars_per_hour,
        steps=max(1, round(wish.tokens / (wish.micro_batch * wish.sequence * wish.count))),
        optimal_tokens=best,
        loss=expected_loss(wish.shape.parameters, wish.tokens),
        optimal_loss=expected_loss(wish.shape.parameters, best),
    )


def _check(wish: PlanWish) -> None:
    if wish.count > 1 and wish.sharding == "single":
        raise InvalidRequest(
            f"strategy single is for one device, and {wish.count} were given; "
            f"choose {', '.join(each for each in SHARDINGS if each != 'single')}"
        )
    if not 0 < wish.mfu <= 1:
        raise InvalidRequest(f"mfu is {wish.mfu}; it is a share, above 0 and at most 1")
    for name in ("tokens", "count", "sequence", "micro_batch"):
        if getattr(wish, name) < 1:
            raise InvalidRequest(f"{name} is {getattr(wish, name)}; it must be at least 1")


def _memory(wish: PlanWish, count: int) -> DeviceMemory:
    return device_memory(wish, dtype=wish.dtype, sharding=wish.sharding, count=count, checkpointing=wish.checkpointing)


def _least_count(wish: PlanWish) -> int | None:
    count = 1
    while count <= _MOST_DEVICES:
        if _memory(wish, count).total <= wish.device.memory_bytes:
            return count
        if wish.sharding in ("single", "ddp"):
            return None
        count *= 2
    return None


def by_dtype(wish: PlanWish) -> dict[Dtype, tuple[DeviceMemory, DeviceMemory]]:
    """Memory under every dtype: with activations kept, and with them computed again."""
    return {dtype: _pair(wish, dtype, wish.sharding) for dtype in RECIPES}


def by_sharding(wish: PlanWish) -> dict[Sharding, tuple[DeviceMemory, DeviceMemory]]:
    """Memory under every way to share the work: with activations kept, and with them computed again."""
    ways = ("single",) if wish.count == 1 else SHARDINGS[1:]
    return {sharding: _pair(wish, wish.dtype, sharding) for sharding in ways}


def _pair(wish: PlanWish, dtype: Dtype, sharding: Sharding) -> tuple[DeviceMemory, DeviceMemory]:
    kept, again = (
        device_memory(wish, dtype=dtype, sharding=sharding, count=wish.count, checkpointing=checkpointing)
        for checkpointing in (False, True)
    )
    return kept, again
