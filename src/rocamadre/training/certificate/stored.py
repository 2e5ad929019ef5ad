"""Whether a GGUF file holds the merged weights, each rounded once to the file's format and to nothing narrower."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from rocamadre.engines.llama import gguf_weights
from rocamadre.engines.llama.gguf import dequantise
from rocamadre.training.certificate.measure import Stored

_WIDER = ("token_embd.weight", "output.weight")
"""Kept in Q8_0 where the others are Q4_0."""


def check_file(path: Path, folder: Path, kind: str) -> Stored:
    """Compare a file with the weights that it was made from.

    Args:
        path: The GGUF file.
        folder: The Hugging Face directory.
        kind: The format it should be in.
    """
    kinds = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(path).tensors}
    back = dequantise(path)
    for name, values in gguf_weights.read_safetensors(folder):
        tensor = gguf_weights.gguf_name(name)
        if tensor is None or (tensor == "output.weight" and tensor not in kinds):
            continue
        if tensor not in kinds:
            return Stored("export", f"{path.name} lacks {tensor}")
        if kinds[tensor] != _kind(tensor, values, kind):
            return Stored("dtype", f"{tensor} is kept as {kinds[tensor]} in a file of {kind}")
        found = back[name]
        if not np.isfinite(found).all():
            return Stored("dtype", f"{tensor} has numbers that {kinds[tensor]} cannot hold")
        if np.array_equal(found, _rounded(values, kinds[tensor])):
            continue
        for detour, narrow in (("bfloat16", to_bf16(values)), ("float16", _rounded(values, "F16"))):
            if np.array_equal(found, _rounded(narrow, kinds[tensor])):
                return Stored("dtype", f"{tensor} went through {detour} before it became {kinds[tensor]}")
        off = float(np.abs(found - values).max())
        return Stored("export", f"{tensor} is not the merged weight; the largest difference is {off:.3g}")
    return Stored()


def narrow_format(folder: Path) -> str:
    """The format that all matrices of a directory were rounded to; empty where they are float32 in earnest."""
    fits = {"bfloat16", "float16"}
    for _, values in gguf_weights.read_safetensors(folder):
        if values.ndim < 2:
            continue
        if not np.array_equal(values, to_bf16(values)):
            fits.discard("bfloat16")
        if not np.array_equal(values, _rounded(values, "F16")):
            fits.discard("float16")
        if not fits:
            return ""
    return sorted(fits)[0]


def to_bf16(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rounded to the nearest bfloat16, ties to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = bits + 0x7FFF + ((bits >> 16) & 1)
    return (rounded & 0xFFFF0000).astype(np.uint32).view(np.float32)


def _kind(tensor: str, values: npt.NDArray[np.float32], kind: str) -> str:
    if values.ndim < 2:
        return "F32"
    return "Q8_0" if kind == "Q4_0" and tensor in _WIDER else kind


def _rounded(values: npt.NDArray[np.float32], kind: str) -> npt.NDArray[np.float32]:
    numbers = gguf.GGMLQuantizationType[kind]
    with np.errstate(over="ignore"):
        kept: Any = gguf.dequantize(gguf.quantize(np.ascontiguousarray(values), numbers), numbers)
    return np.asarray(kept, dtype=np.float32).reshape(values.shape)
