"""What methods share: facts as attributes, seeds, and folders that appear whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import BaseModel
from torch import nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.methods.facts import Form, MethodFacts

RECORD = "method.json"
"""In every saved folder: the method's name and settings, from which `load` builds the same module."""


class MethodBase:
    """The part of `protocol.Method` that follows from `facts`; a method adds prepare, save, load and merge."""

    facts: ClassVar[MethodFacts]

    @property
    def name(self) -> str:
        """As in the registry."""
        return self.facts.name

    @property
    def form(self) -> Form:
        """What it leaves."""
        return self.facts.form

    @property
    def mergeable(self) -> bool:
        """Whether `merge` works."""
        return self.facts.mergeable

    @property
    def packs(self) -> bool:
        """Whether a row may hold several examples."""
        return self.facts.packs

    @property
    def checkpoints(self) -> bool:
        """Whether gradient checkpointing may be on."""
        return self.facts.checkpoints

    @property
    def settings(self) -> type[BaseModel]:
        """The model of its settings."""
        return self.facts.settings

    def trainable(self, module: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """What the optimiser moves: whatever asks for a gradient."""
        return [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]

    def merge(self, module: nn.Module) -> Any:
        """Refused here; methods that can merge override it."""
        raise InvalidRequest(
            f"{self.facts.title} cannot be merged: what it adds has no place in the base's own weights. "
            "Serve it with the torch engine"
        )


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from a seed, and leave the random state outside as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def freeze(model: nn.Module) -> None:
    """Let nothing of a model move."""
    model.requires_grad_(requires_grad=False)


def remember(module: nn.Module, **things: Any) -> None:
    """Keep things with a module that are no part of its state."""
    module.__dict__.setdefault("_rocamadre", {}).update(things)


def recall(module: nn.Module, name: str) -> Any:
    """What `remember` kept.

    Raises:
        InvalidRequest: the module was not made by this method.
    """
    kept = module.__dict__.get("_rocamadre", {})
    if name not in kept:
        raise InvalidRequest("the module was not prepared by this method")
    return kept[name]


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of `folder` when all of it is on the disk.

    Killed between the two renames, `folder` is absent and the old one lies beside it: nobody reads a half.
    """
    partial, old = (folder.with_name(f".{folder.name}.{end}") for end in ("partial", "old"))
    for left in (partial, old):
        shutil.rmtree(left, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    for path in partial.rglob("*"):
        _flush(path)
    _flush(partial)
    if folder.exists():
        os.replace(folder, old)
    os.replace(partial, folder)
    shutil.rmtree(old, ignore_errors=True)
    _flush(folder.parent)


def write_record(folder: Path, method: str, settings: BaseModel, **more: Any) -> None:
    """Write `method.json`."""
    record = {"method": method, "settings": settings.model_dump(mode="json"), **more}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path, method: str) -> dict[str, Any]:
    """Read `method.json`.

    Raises:
        InvalidRequest: it is missing, damaged or of another method.
    """
    try:
        record = dict(json.loads((folder / RECORD).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{folder} holds no result of a training method: {RECORD}: {error}") from error
    if record.get("method") != method:
        raise InvalidRequest(f"{folder} holds a result of {record.get('method')!r}, not of {method!r}")
    return record


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
