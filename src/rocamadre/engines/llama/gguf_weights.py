"""Weights between Hugging Face safetensors and GGUF tensors, with numpy alone.

llama.cpp turns neighbouring pairs of a Llama's query and key rows, Hugging Face turns the two halves of each head; the
rows are reordered on the way in and put back on the way out. Qwen2 keeps halves on both sides.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest

Array = npt.NDArray[Any]
MAX_HEADER_BYTES = 100_000_000
_TYPES: dict[str, tuple[str, int]] = {"F64": ("<f8", 8), "F32": ("<f4", 4), "F16": ("<f2", 2), "BF16": ("<u2", 2)}

_OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
_INNER = {
    "input_layernorm.weight": "attn_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_proj.bias": "attn_q.bias",
    "self_attn.k_proj.bias": "attn_k.bias",
    "self_attn.v_proj.bias": "attn_v.bias",
    "self_attn.o_proj.bias": "attn_output.bias",
    "post_attention_layernorm.weight": "ffn_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
}
_INNER_BACK = {gguf: name for name, gguf in _INNER.items()}
_OUTER_BACK = {gguf: name for name, gguf in _OUTER.items()}
_IGNORED = ("rotary_emb.inv_freq",)


def gguf_name(name: str) -> str | None:
    """The GGUF name of a Hugging Face tensor; None for one that is computed, not stored.

    Raises:
        InvalidRequest: no Llama or Qwen2 has a tensor of this name.

    >>> gguf_name("model.layers.3.mlp.up_proj.weight")
    'blk.3.ffn_up.weight'
    """
    if name.endswith(_IGNORED):
        return None
    if name in _OUTER:
        return _OUTER[name]
    head, _, rest = name.removeprefix("model.layers.").partition(".")
    if name.startswith("model.layers.") and head.isdigit() and rest in _INNER:
        return f"blk.{head}.{_INNER[rest]}"
    raise InvalidRequest(f"tensor {name!r} belongs to no Llama or Qwen2 model; only these two shapes are exported")


def hugging_face_name(name: str) -> str:
    """The Hugging Face name of a GGUF tensor.

    Raises:
        InvalidRequest: not a tensor of our Llama or Qwen2 files.
    """
    if name in _OUTER_BACK:
        return _OUTER_BACK[name]
    head, _, rest = name.removeprefix("blk.").partition(".")
    if name.startswith("blk.") and head.isdigit() and rest in _INNER_BACK:
        return f"model.layers.{head}.{_INNER_BACK[rest]}"
    raise InvalidRequest(f"tensor {name!r} belongs to no Llama or Qwen2 model; only these two shapes are read back")


def heads_of(name: str, *, heads: int, kv_heads: int) -> int | None:
    """How many heads the rows of this Hugging Face tensor hold if they are reordered in a Llama file, else None."""
    if ".self_attn.q_proj." in name:
        return heads
    return kv_heads if ".self_attn.k_proj." in name else None


def interleave(rows: Array, heads: int) -> Array:
    """Reorder each head's rows from halves to pairs: (heads * size, ...) to the same shape.

    >>> interleave(np.array([0, 1, 2, 3]), 1).tolist()
    [0, 2, 1, 3]
    """
    size = rows.shape[0] // heads
    return rows.reshape(heads, 2, size // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def halve(rows: Array, heads: int) -> Array:
    """Undo `interleave`.

    >>> halve(interleave(np.arange(8), 2), 2).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    size = rows.shape[0] // heads
    return rows.reshape(heads, size // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def read_safetensors(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Every tensor of a model folder as float32, one at a time, by name.

    Reads `model.safetensors`, or the parts that `model.safetensors.index.json` names.

    Raises:
        InvalidRequest: no weights, a damaged file, or a number type other than F64, F32, F16, BF16.
    """
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        parts = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        if any(Path(part).name != part for part in parts):
            raise InvalidRequest(f"{index} names a file outside its folder")
    else:
        parts = ["model.safetensors"]
    for part in parts:
        path = folder / part
        if not path.is_file():
            raise InvalidRequest(f"{folder} holds no {part}; only safetensors weights are exported")
        yield from read_file(path)


def read_file(path: Path) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Every tensor of one safetensors file as float32, one at a time, by name.

    Raises:
        InvalidRequest: it is damaged, or holds a number type other than F64, F32, F16, BF16.
    """
    header, start = safetensors_header(path)
    data = np.memmap(path, dtype=np.uint8, mode="r")
    for name in sorted(header):
        entry = header[name]
        code, _ = _TYPES[entry["dtype"]]
        first, last = entry["data_offsets"]
        raw = data[start + first : start + last].view(code).reshape(entry["shape"])
        if entry["dtype"] == "BF16":
            yield name, (raw.astype(np.uint32) << 16).view(np.float32)
        else:
            yield name, raw.astype(np.float32)


def safetensors_header(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """The checked header of a safetensors file and the offset, in bytes, of its data.

    Raises:
        InvalidRequest: the header does not fit the file.

    Source: the safetensors format (eight bytes of length, JSON, data).
    """
    size = path.stat().st_size
    with path.open("rb") as opened:
        prefix = opened.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
        if length > min(MAX_HEADER_BYTES, size - 8):
            raise InvalidRequest(f"{path.name} is damaged: its header is longer than the file or than 100 MB")
        try:
            header: Mapping[str, dict[str, Any]] = json.loads(opened.read(length))
        except ValueError as error:
            raise InvalidRequest(f"{path.name} is damaged: its header is not JSON") from error
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    for name, entry in tensors.items():
        if entry.get("dtype") not in _TYPES:
            raise InvalidRequest(f"tensor {name!r} has type {entry.get('dtype')}; taken: {', '.join(_TYPES)}")
        first, last = entry["data_offsets"]
        wanted = math.prod(entry["shape"]) * _TYPES[entry["dtype"]][1]
        if min(entry["shape"], default=0) < 0 or not 0 <= first <= last <= size - 8 - length or last - first != wanted:
            raise InvalidRequest(f"{path.name} is damaged: tensor {name!r} does not fit the file")
    return tensors, 8 + length
