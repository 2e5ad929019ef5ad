"""LoRA adapters in PEFT's form to GGUF files that llama.cpp puts beside a base while it runs.

llama.cpp computes Wx + B(Ax) for each matrix that the file names, with one scale for the whole file. PEFT's scale
(alpha/r, or alpha/√r, or another per layer) is multiplied into B here, and the file's own is 1: `adapter.lora.alpha` is
0, at which llama.cpp divides by nothing. A Llama's query and key rows are reordered as in `gguf_weights.py`, which for
a product means the rows of B. Numbers stay float32: adapters are small, and rounding them would be felt.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.llama import gguf_weights
from rocamadre.engines.llama.header import Header, read_header

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PART = re.compile(r"^(?:base_model\.model\.)?(?P<layer>.+)\.lora_(?P<part>[AB])(?:\.default)?\.weight$")
_SUPPORTED = ("llama", "qwen2")
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AdapterSummary:
    """What an export wrote.

    Attributes:
        path: The file.
        matrices: How many of the base's it changes.
        parameters: Weights in all.
        size_bytes: Of the file.
    """

    path: Path
    matrices: int
    parameters: int
    size_bytes: int


def why_not(folder: Path, base: Path) -> str:
    """Why llama.cpp cannot serve this adapter beside this base, as a sentence; empty when it can.

    Args:
        folder: An adapter in PEFT's form.
        base: Its base: a GGUF file, or a directory (which llama.cpp does not read).
    """
    if not base.is_file():
        return "its base is a directory, and the engine puts adapters on GGUF files"
    architecture = read_header(base).values.get("general.architecture")
    if architecture not in _SUPPORTED:
        return f"its base is a {architecture!r} model; adapters go on {', '.join(_SUPPORTED)}"
    try:
        config = _config(folder)
    except InvalidRequest as error:
        return error.message
    kind = config.get("peft_type")
    if kind != "LORA":
        return f"it is an adapter of kind {kind}; the engine runs LORA"
    for name, wanted in (("use_dora", False), ("bias", "none"), ("modules_to_save", None), ("lora_bias", False)):
        if (config.get(name) or wanted) != wanted:
            return f"its {name} is {config[name]!r}, for which the engine has no place"
    return ""


def export_adapter(folder: Path, base: Path, destination: Path) -> AdapterSummary:
    """Write an adapter as one GGUF file. It appears whole or not at all.

    Args:
        folder: `adapter_config.json` and `adapter_model.safetensors`, as PEFT writes them.
        base: The GGUF file that it goes on.
        destination: The file to write; an existing one is replaced.

    Raises:
        InvalidRequest: llama.cpp cannot serve it (`why_not`), it is damaged, or it does not fit the base.
    """
    if reason := why_not(folder, base):
        raise InvalidRequest(f"the adapter in {folder} is not served unmerged: {reason}; merge it")
    header, config = read_header(base), _config(folder)
    pairs = _pairs(folder)
    shapes = {tensor.name: tuple(int(size) for size in tensor.shape) for tensor in gguf.GGUFReader(base).tensors}
    partial = destination.with_name(destination.name + ".partial")
    writer = gguf.GGUFWriter(partial, str(header.values["general.architecture"]))
    parameters = 0
    try:
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, 0.0)
        for layer, (down, up) in sorted(pairs.items()):
            name, first, second = _matrices(layer, down, up, config, header)
            if shapes.get(name) != (first.shape[1], second.shape[0]) or first.shape[0] != second.shape[1]:
                raise InvalidRequest(
                    f"{layer}: the adapter is for a matrix of {second.shape[0]} × {first.shape[1]}; {base.name} has "
                    f"{' × '.join(map(str, reversed(shapes.get(name, ())))) or 'none of this name'}"
                )
            writer.add_tensor(f"{name}.lora_a", first)
            writer.add_tensor(f"{name}.lora_b", second)
            parameters += first.size + second.size
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return AdapterSummary(destination, len(pairs), parameters, destination.stat().st_size)


def check_adapter(path: Path, base: Header) -> str:
    """Why an adapter file would keep its base from loading, as a sentence; empty when it is whole and fits.

    llama.cpp refuses the base together with a damaged adapter, so each is looked at first.
    """
    try:
        reader = gguf.GGUFReader(path)
        kind = reader.get_field("general.type")
        architecture = reader.get_field("general.architecture")
    except (OSError, ValueError, KeyError, IndexError) as error:
        return f"{path} is not a whole GGUF file ({error})"
    if kind is None or kind.contents() != "adapter" or architecture is None:
        return f"{path} is no adapter"
    if architecture.contents() != base.values.get("general.architecture"):
        return f"{path} is for a {architecture.contents()!r} model"
    names = {tensor.name for tensor in reader.tensors}
    halves = {name.removesuffix(".lora_a") for name in names if name.endswith(".lora_a")}
    if not halves or names != {f"{half}.lora_{part}" for half in halves for part in "ab"}:
        return f"{path} lacks a matrix of a pair"
    return ""


def _matrices(
    layer: str, down: Array, up: Array, config: Mapping[str, Any], header: Header
) -> tuple[str, Array, Array]:
    """GGUF's name of the matrix, A (rank, inputs), and B (outputs, rank) with its scale in it."""
    name = gguf_weights.gguf_name(f"{layer}.weight")
    if name is None or not name.startswith("blk."):
        raise InvalidRequest(f"the adapter changes {layer}, for which the engine has no place; merge it")
    if config.get("fan_in_fan_out"):
        raise InvalidRequest("the adapter is for matrices that are kept inputs by outputs; merge it")
    scaled = (up * np.float32(_scale(layer, down.shape[0], config))).astype(np.float32)
    if header.values["general.architecture"] == "llama":
        heads = header.hyperparameter("attention.head_count", 1)
        kv_heads = header.hyperparameter("attention.head_count_kv", heads)
        rows = gguf_weights.heads_of(f"{layer}.weight", heads=heads, kv_heads=kv_heads)
        if rows:
            scaled = gguf_weights.interleave(scaled, rows)
    return name, np.ascontiguousarray(down), np.ascontiguousarray(scaled)


def _scale(layer: str, rank: int, config: Mapping[str, Any]) -> float:
    """What PEFT multiplies BAx with.

    Sources: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732.
    """
    alpha = config["lora_alpha"]
    for pattern, own in (config.get("alpha_pattern") or {}).items():
        if re.match(rf"(?:.*\.)?{pattern}$", layer):
            alpha = own
            break
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _config(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise InvalidRequest(f"{folder} holds no adapter in PEFT's form: {_CONFIG}: {error}") from error


def _pairs(folder: Path) -> dict[str, tuple[Array, Array]]:
    """By layer (`model.layers.0.self_attn.q_proj`): A (rank, inputs) and B (outputs, rank).

    Raises:
        InvalidRequest: a tensor is no half of a pair, or its other half is missing.
    """
    path = folder / _WEIGHTS
    if not path.is_file():
        raise InvalidRequest(f"{folder} holds no {_WEIGHTS}")
    halves: dict[str, dict[str, Array]] = {}
    for name, values in gguf_weights.read_file(path):
        found = _PART.match(name)
        if found is None or values.ndim != 2:
            raise InvalidRequest(f"the adapter's tensor {name!r} has no place in the engine; merge the adapter")
        halves.setdefault(found["layer"], {})[found["part"]] = values
    if lacking := [layer for layer, parts in halves.items() if len(parts) != 2]:
        raise InvalidRequest(f"the adapter in {folder} lacks a matrix of {lacking[0]}")
    if not halves:
        raise InvalidRequest(f"the adapter in {folder} is empty")
    return {layer: (parts["A"], parts["B"]) for layer, parts in halves.items()}
