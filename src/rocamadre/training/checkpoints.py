"""Checkpoints that are whole or not there.

```
checkpoints/<step>/
  weights.safetensors     what is trained
  optimiser.safetensors   its state
  rng.safetensors         random states
  state.json              step, losses, the best so far: whatever the loop counts
  manifest.json           sizes and SHA-256 of the others, written last
```

A checkpoint is written into a folder of another name, flushed, and renamed. One that does not agree with its manifest
is passed over, and the one before it used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.rundir import read_json, write_json

MANIFEST = "manifest.json"
_STATE = "state.json"
_PARTIAL = ".partial-"

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint.

    Attributes:
        step: Optimiser steps done.
        path: Its folder.
        state: What was kept in `state.json`.
    """

    step: int
    path: Path
    state: dict[str, Any]

    def tensors(self, part: str) -> dict[str, Tensor]:
        """One file of tensors, `weights` for instance; empty when there is none."""
        path = self.path / f"{part}.safetensors"
        found: dict[str, Tensor] = load_file(path) if path.is_file() else {}
        return found


class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: Made when it is needed.
        keep: How many of the newest stay.
    """

    def __init__(self, folder: Path, *, keep: int = 2) -> None:
        self.folder, self._keep = folder, keep

    def write(
        self, step: int, parts: Mapping[str, Tensors], state: Mapping[str, Any], *, protect: int | None = None
    ) -> Checkpoint:
        """Write a checkpoint, then remove the oldest.

        Args:
            step: Optimiser steps done; an existing checkpoint of this step is replaced.
            parts: Files of tensors by name.
            state: Small JSON.
            protect: A step whose checkpoint stays: the best.

        Raises:
            OSError: the disk is full or gone; what was there before is as it was.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{_PARTIAL}{step}"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            for name, tensors in parts.items():
                if tensors:
                    _save(tensors, partial / f"{name}.safetensors")
            write_json(partial / _STATE, {"step": step, **state})
            files = {path.name: _fingerprint(path) for path in sorted(partial.iterdir())}
            write_json(partial / MANIFEST, {"step": step, "files": files})
            flush(partial)
            target = self.folder / str(step)
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
            flush(self.folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        self.prune(protect)
        return Checkpoint(step, target, {"step": step, **state})

    def newest(self, warn: Callable[[str], None]) -> Checkpoint | None:
        """The newest whole checkpoint, or None.

        Args:
            warn: Told of every one that is damaged.
        """
        for step in reversed(self.steps()):
            path = self.folder / str(step)
            if (damage := damage_of(path)) is None:
                return Checkpoint(step, path, dict(read_json(path / _STATE)))
            warn(f"checkpoint {step} is damaged ({damage}); the one before it is used")
        return None

    def one(self, step: int) -> Checkpoint | None:
        """The checkpoint of a step if it is there and whole."""
        path = self.folder / str(step)
        return None if damage_of(path) else Checkpoint(step, path, dict(read_json(path / _STATE)))

    def steps(self) -> list[int]:
        """Steps that have a folder, ascending; not all need be whole."""
        try:
            return sorted(int(path.name) for path in self.folder.iterdir() if path.name.isdigit())
        except FileNotFoundError:
            return []

    def prune(self, protect: int | None = None) -> None:
        """Remove what is more than is kept, and what a killed process left half written."""
        for path in self.folder.glob(f"{_PARTIAL}*"):
            shutil.rmtree(path, ignore_errors=True)
        for step in self.steps()[: -self._keep]:
            if step != protect:
                self.remove(step)

    def remove(self, step: int) -> None:
        """Remove one; its manifest first, so that no half of it looks whole."""
        path = self.folder / str(step)
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)


def size_bytes(parts: Mapping[str, Tensors]) -> int:
    """What a checkpoint of these tensors takes on the disk, about."""
    return int(sum(tensor.nbytes for tensors in parts.values() for tensor in tensors.values())) + (1 << 20)


def damage_of(path: Path) -> str | None:
    """What is wrong with a checkpoint's folder; None when it is whole."""
    try:
        manifest = read_json(path / MANIFEST)
    except InvalidRequest as error:
        return error.message
    if manifest is None:
        return f"it has no {MANIFEST}"
    if not manifest.get("files"):
        return f"its {MANIFEST} names no files"
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != expected["size"]:
            return f"{name} has {file.stat().st_size} bytes instead of {expected['size']}"
        if _fingerprint(file) != expected:
            return f"{name} has changed"
    return None


def flush(path: Path) -> None:
    """See a file or folder onto the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _save(tensors: Tensors, path: Path) -> None:
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    flush(path)


def _fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}
