"""How fast this machine trains a model: measured for some seconds in a process of its own, and remembered.

What a step takes is fitted as seconds per pass and seconds per operation, from passes of two sizes; both hold for
other lengths of examples and other batches, so that one measurement serves many plans.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.core.errors import MissingDependency, RocamadreError
from rocamadre.jobs.rundir import read_json, write_json
from rocamadre.training.preflight.shape import ModelShape
from rocamadre.training.settings import TrainingSettings

FORM = 1
"""Raised when what is measured, or how, changes."""

LONGEST_S = 600.0
_CHILD = "rocamadre.training.preflight.calibration_child"
_RELEVANT = ("method", "method_settings", "precision", "gradient_checkpointing", "threads", "processes")


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was measured.

    Attributes:
        pass_s: Seconds that a pass takes before it computes anything.
        flop_s: Seconds per operation.
        forward_flop_s: The same, of passes that nothing is learned from.
        step_s: Seconds of an optimiser step, clipping included.
        start_s: From the start of the process until the first pass.
        framework_bytes: Memory of the libraries and the tokenizer, without the weights.
        precision: Of matrix products, as it was chosen here.
        trained_parameters: As the method counts them.
        points: Tokens and seconds of the passes that were measured.
    """

    pass_s: float
    flop_s: float
    forward_flop_s: float
    step_s: float
    start_s: float
    framework_bytes: int
    precision: str
    trained_parameters: int
    points: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be measured.

    Attributes:
        base: The model.
        settings: The run's.
        length: Tokens of an example.
        tokens: Of the largest pass.
    """

    base: Path
    settings: TrainingSettings
    length: int
    tokens: int


def rate_file(home: Path, shape: ModelShape, settings: TrainingSettings) -> Path:
    """Where a measurement is remembered: by machine, versions, shape, and what of the settings changes the speed."""
    relevant = {name: getattr(settings, name) for name in _RELEVANT}
    text = msgspec.json.encode([FORM, machine_facts(), asdict(shape), relevant], order="deterministic")
    return home / "cache" / "training-rates" / f"{hashlib.sha256(text).hexdigest()[:24]}.json"


def known_rate(home: Path, shape: ModelShape, settings: TrainingSettings) -> Rate | None:
    """A remembered measurement, or None."""
    found = read_json(rate_file(home, shape, settings))
    try:
        return None if found is None else msgspec.convert(found, Rate)
    except msgspec.ValidationError:
        return None


def measure_rate(home: Path, shape: ModelShape, wanted: Wanted) -> Rate:
    """Measure in a child and remember it; takes some ten seconds, most of them for loading.

    Raises:
        MissingDependency: the extra `train` is not installed.
        RocamadreError: the child failed; the message is its own.
    """
    if not _installed("torch"):
        raise MissingDependency("measuring needs 'torch': pip install 'rocamadre[train]'")
    path = rate_file(home, shape, wanted.settings)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    spec = {
        "base": str(wanted.base),
        "settings": wanted.settings.model_dump(mode="json"),
        "length": wanted.length,
        "tokens": wanted.tokens,
    }
    with tempfile.TemporaryDirectory(prefix="rocamadre-rate-") as folder:
        write_json(Path(folder) / "spec.json", spec)
        rate = msgspec.convert(_run_child(Path(folder)), Rate)
    write_json(path, msgspec.to_builtins(rate))
    return rate


def _run_child(folder: Path) -> Mapping[str, Any]:
    with (folder / "log").open("w+b") as log:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", _CHILD, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RocamadreError(f"measuring this machine took over {LONGEST_S:.0f} s and was ended") from error
        result: dict[str, Any] = read_json(folder / "result.json") or {}
        if "failed" in result:
            raise RocamadreError(str(result["failed"]))
        if done.returncode or "rate" not in result:
            log.seek(0)
            last = log.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise RocamadreError(f"measuring this machine failed ({done.returncode}): {last[0]}")
    found: dict[str, Any] = result["rate"]
    return found


def machine_facts() -> dict[str, Any]:
    """What the speed of training here depends on."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", ""),
        "versions": [_version(name) for name in ("torch", "transformers", "peft", "rocamadre")],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _installed(name: str) -> bool:
    return bool(_version(name))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
