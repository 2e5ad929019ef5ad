"""Accelerators to plan for, by their makers' data sheets.

Dense figures: without structured sparsity. What a program reaches of them is the plan's `mfu`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rocamadre.core.errors import NotFound
from rocamadre.training.preflight.states import Dtype

GIB = 2**30
DEFAULT_MFU = 0.4
"""Share of the peak that training reaches where nothing else is said. LLaMA-65B on 2,048 A100: 0.47 (Touvron et al.
2023, from its 1,022,362 GPU hours); small models and slow networks reach much less."""


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator.

    Attributes:
        name: As `--hardware` takes it.
        title: As its maker calls it.
        memory_bytes: Of the device.
        peak: Dense floating-point operations per second, by dtype; see `speed` for those that are absent.
        watts: Its limit.
    """

    name: str
    title: str
    memory_bytes: float
    watts: float
    peak: dict[Dtype, float] = field(default_factory=dict)

    def speed(self, dtype: Dtype) -> tuple[float, Dtype]:
        """Peak for a dtype, and the dtype that is really computed in where the device has no units for that one."""
        order: dict[Dtype, tuple[Dtype, ...]] = {
            "fp32": ("fp32",),
            "fp16": ("fp16", "fp32"),
            "bf16": ("bf16", "fp32"),
            "fp8": ("fp8", "bf16", "fp16", "fp32"),
            # Gradients need floating point: int8 weights are widened, and multiplied in bf16.
            "int8": ("bf16", "fp16", "fp32"),
        }
        used = next(each for each in order[dtype] if each in self.peak)
        return self.peak[used], used


def _tera(fp32: float, half: float, *, fp8: float = 0.0, bf16: bool = True) -> dict[Dtype, float]:
    peak: dict[Dtype, float] = {"fp32": fp32 * 1e12, "fp16": half * 1e12}
    if bf16:
        peak["bf16"] = half * 1e12
    if fp8:
        peak["fp8"] = fp8 * 1e12
    return peak


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        Device("t4", "NVIDIA T4", 16 * GIB, 70, _tera(8.1, 65, bf16=False)),
        Device("v100-32g", "NVIDIA V100 SXM2 32 GB", 32 * GIB, 300, _tera(15.7, 125, bf16=False)),
        Device("a10", "NVIDIA A10", 24 * GIB, 150, _tera(31.2, 125)),
        Device("l4", "NVIDIA L4", 24 * GIB, 72, _tera(30.3, 121, fp8=242)),
        Device("l40s", "NVIDIA L40S", 48 * GIB, 350, _tera(91.6, 362, fp8=733)),
        Device("rtx4090", "NVIDIA GeForce RTX 4090", 24 * GIB, 450, _tera(82.6, 165, fp8=330)),
        Device("a100-40g", "NVIDIA A100 SXM 40 GB", 40 * GIB, 400, _tera(19.5, 312)),
        Device("a100-80g", "NVIDIA A100 SXM 80 GB", 80 * GIB, 400, _tera(19.5, 312)),
        Device("h100-80g", "NVIDIA H100 SXM", 80 * GIB, 700, _tera(67, 989.4, fp8=1978.9)),
        Device("h200-141g", "NVIDIA H200 SXM", 141e9, 700, _tera(67, 989.4, fp8=1978.9)),
        Device("b200-180g", "NVIDIA B200", 180e9, 1000, _tera(75, 2250, fp8=4500)),
        Device("mi300x", "AMD Instinct MI300X", 192e9, 750, _tera(163.4, 1307.4, fp8=2614.9)),
    )
}
"""By name."""


def find_device(name: str) -> Device:
    """A device by its name.

    Raises:
        NotFound: none has it; the message lists what exists.
    """
    device = DEVICES.get(name.lower())
    if device is None:
        raise NotFound(f"no hardware {name!r}; known: {', '.join(DEVICES)}")
    return device
