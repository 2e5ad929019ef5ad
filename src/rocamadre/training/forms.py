"""The files that a trained model is served from: a Hugging Face directory, GGUF files, an adapter."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.llama.gguf import check_kind, export_gguf
from rocamadre.training.model import Base

WEIGHTS = "weights"
"""The merged model as a Hugging Face directory, float32: what later forms are made from."""
ADAPTER = "adapter"
"""The adapter as it was trained."""
ADAPTER_FILE = "adapter.gguf"
"""The adapter as llama.cpp reads it."""
_BYTES_OF = {"F32": 4.0, "F16": 2.0, "Q8_0": 1.07, "Q4_0": 0.6}
_SPARE_BYTES = 50_000_000


def check_kinds(kinds: Sequence[str]) -> None:
    """Refuse formats that we cannot write, and none at all.

    Raises:
        InvalidRequest: not one of those we write.
    """
    if not kinds:
        raise InvalidRequest("kinds is empty; name the GGUF formats to write, F16 for the usual one")
    for kind in kinds:
        check_kind(kind)


def check_room(parent: Path, parameters: int, kinds: Sequence[str]) -> None:
    """Refuse to begin what would fill the disk.

    Raises:
        InvalidRequest: too little is free, with the figures.
    """
    needed = int(parameters * (4 + sum(_BYTES_OF[kind] for kind in kinds))) + _SPARE_BYTES
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise InvalidRequest(
            f"publishing the model takes about {needed / 1e9:.1f} GB on the disk of {parent}; {free / 1e9:.1f} GB are "
            "free. Make room and start the job again: it goes on from here"
        )


def write_weights(model: Any, base: Base, folder: Path) -> None:
    """Write a merged model as a Hugging Face directory: float32 safetensors, tokenizer, template, ends of answers.

    Args:
        model: In the base's own shape.
        base: Whose tokenizer it has.
        folder: Made; must not be there.
    """
    model.config.use_cache = True
    model.save_pretrained(folder)
    write_reading(base, folder)


def write_reading(base: Base, folder: Path) -> None:
    """Put the tokenizer's files into a folder, and which marks end an answer."""
    base.write_tokenizer(folder)
    ends = sorted(base.tokenizer.ends)
    settings: dict[str, Any] = {"eos_token_id": ends if len(ends) > 1 else ends[0]}
    if base.tokenizer.bos is not None:
        settings["bos_token_id"] = base.tokenizer.bos
    (folder / "generation_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def write_gguf(weights: Path, folder: Path, kinds: Sequence[str], *, name: str) -> dict[str, Path]:
    """Export a directory in each format; returns the files by format.

    Raises:
        InvalidRequest: a shape or tokenizer that the engine's files cannot hold.
    """
    made = {}
    for kind in kinds:
        path = folder / gguf_name(kind)
        export_gguf(weights, path, kind=kind, name=name)
        made[kind] = path
    return made


def gguf_name(kind: str) -> str:
    """The file's name in its model's folder.

    >>> gguf_name("Q8_0")
    'model-q8_0.gguf'
    """
    return f"model-{kind.lower()}.gguf"


def write_adapter(trained: Path, folder: Path) -> None:
    """Keep an adapter as it was trained."""
    shutil.copytree(trained, folder, ignore=shutil.ignore_patterns(".*"))


def flush_tree(folder: Path) -> None:
    """Bring every file of a folder, and the folders themselves, to the disk."""
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def size_bytes(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
