"""Checks a fetched model and brings it into the form that an engine runs: `python -m rocamadre.jobs.launchers.child
rocamadre.customization.import_child RUN_DIR`.

The run's folder holds the files in `work/files/`; what comes of them lies in `work/model/`, its manifest last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from rocamadre.catalog.checks import read_object
from rocamadre.catalog.gguf_header import read_header
from rocamadre.catalog.pull import MANIFEST
from rocamadre.catalog.rows import Facts
from rocamadre.catalog.shapes import Wishes, shape
from rocamadre.core.errors import InvalidRequest
from rocamadre.jobs.rundir import RunDir, read_json, write_json

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "spiece.model", "vocab.json", "vocab.txt")
_PIECE = 1 << 20


def run(folder: RunDir) -> Mapping[str, Any]:
    """Check, convert, write the manifest.

    Raises:
        InvalidRequest: a check failed, or no engine runs such a model.
    """
    spec = folder.spec() or {}
    files, staged = folder.work / "files", folder.work / "model"
    manifest: dict[str, Any] | None = read_json(staged / MANIFEST)
    if manifest is None:
        manifest = _prepare(spec, files, staged)
    return manifest


def _prepare(spec: Mapping[str, Any], files: Path, staged: Path) -> dict[str, Any]:
    names: list[str] = spec["files"]
    hashes = {name: _sha256(files / name) for name in names}
    architecture, instruct = _described(files, names)
    shutil.rmtree(staged, ignore_errors=True)
    for name in names:
        target = staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(files / name)
        except OSError:  # a file system without hard links
            shutil.copyfile(files / name, target)
    shaped = shape(staged, names, Wishes(name=spec["name"], title=spec["name"], provider=spec["provider"]))
    _check_tokenizer(staged, shaped.facts)
    manifest = {
        "origin": spec["origin"],
        "revision": "",
        "sha256": hashes,
        "notes": list(shaped.notes),
        "facts": msgspec.to_builtins(shaped.facts),
        "architecture": architecture,
        "instruct": instruct,
    }
    write_json(staged / MANIFEST, manifest)
    return manifest


def _described(files: Path, names: list[str]) -> tuple[str, bool]:
    """The architecture as the model's own files name it, and whether there is a chat template."""
    ggufs = [name for name in names if name.lower().endswith(".gguf")]
    if ggufs:
        header = read_header(files / ggufs[0])
        return header.architecture, "tokenizer.chat_template" in header.metadata
    config = read_object(files, "config.json") or {}
    named = config.get("architectures")
    architecture = str(named[0]) if isinstance(named, list) and named else str(config.get("model_type") or "")
    template = "chat_template.jinja" in names or "chat_template" in (read_object(files, "tokenizer_config.json") or {})
    return architecture[:128], template


def _check_tokenizer(staged: Path, facts: Facts) -> None:
    if facts.engine != "llama" and not any((staged / name).is_file() for name in _TOKENIZERS):
        raise InvalidRequest(f"there is no tokenizer beside the weights; one of {', '.join(_TOKENIZERS)} is needed")


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            found.update(piece)
    return found.hexdigest()
