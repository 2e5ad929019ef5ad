"""Hugging Face directories to GGUF files, and our GGUF files back to weights.

Llama and Qwen2 shapes, as F32, F16, Q8_0 or Q4_0. Norms and biases stay float32. The K formats (Q4_K and the like) have
no encoder in Python, so they are refused rather than imitated.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt

from rocamadre.core.errors import InvalidRequest
from rocamadre.engines.llama import gguf_weights
from rocamadre.engines.llama.gguf_tokenizer import GgufTokenizer, read_tokenizer

KINDS = ("F32", "F16", "Q8_0", "Q4_0")
_BLOCK = 32
"""Weights that share one scale in Q8_0 and Q4_0; a row must be a multiple of it."""
_ARCHITECTURES = {"llama": "llama", "qwen2": "qwen2"}


@dataclass(frozen=True, slots=True)
class GgufSummary:
    """What an export wrote.

    Attributes:
        path: The file.
        kind: One of `KINDS`.
        architecture: `llama` or `qwen2`.
        tensors: How many.
        parameters: Weights in all.
        size_bytes: Of the file.
        pre: llama.cpp's name of the tokenizer's splitting.
    """

    path: Path
    kind: str
    architecture: str
    tensors: int
    parameters: int
    size_bytes: int
    pre: str


_LARGEST_F16 = float(np.finfo(np.float16).max)


def export_gguf(folder: Path, destination: Path, *, kind: str = "Q8_0", name: str | None = None) -> GgufSummary:
    """Write a model folder (config.json, safetensors, tokenizer.json, chat template) as one GGUF file.

    The file appears whole or not at all. With Q4_0 the embedding and the output matrix are Q8_0: they are read for
    every token and lose most.

    Args:
        folder: Holds the model.
        destination: The file to write; an existing one is replaced.
        kind: One of `KINDS`.
        name: `general.name`; the folder's name unless given.

    Raises:
        InvalidRequest: a kind, shape or tokenizer that is not exported, or a damaged file.
    """
    check_kind(kind)
    config = _config(folder)
    architecture = _architecture(config)
    tokenizer = read_tokenizer(folder, vocabulary=int(config["vocab_size"]), config=config)
    partial = destination.with_name(destination.name + ".partial")
    writer = gguf.GGUFWriter(partial, architecture)
    tensors = parameters = 0
    try:
        writer.add_name(name or folder.resolve().name)
        writer.add_file_type(gguf.LlamaFileType[f"{'ALL' if kind == 'F32' else 'MOSTLY'}_{kind}"])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        _add_shape(writer, config)
        _add_tokenizer(writer, tokenizer)
        for tensor, values in _tensors(folder, config, architecture):
            tensor_kind = gguf.GGMLQuantizationType[_kind_of(tensor, values, kind)]
            _check_range(tensor, values, tensor_kind.name)
            writer.add_tensor(tensor, gguf.quantize(values, tensor_kind), raw_dtype=tensor_kind)
            tensors, parameters = tensors + 1, parameters + values.size
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return GgufSummary(destination, kind, architecture, tensors, parameters, destination.stat().st_size, tokenizer.pre)


def check_kind(kind: str) -> None:
    """Refuse formats that we cannot write.

    Raises:
        InvalidRequest: not one of `KINDS`.
    """
    if "_K" in kind:
        raise InvalidRequest(
            f"{kind}: the K formats have no encoder in Python (gguf-py only reads them, the engine's wheel has no "
            f"quantiser); take one of {', '.join(KINDS)}, or bring a GGUF file that is in {kind} already"
        )
    if kind not in KINDS:
        raise InvalidRequest(f"{kind!r} is no format we write; take one of {', '.join(KINDS)}")


def dequantise(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """The weights of one of our GGUF files under their Hugging Face names, float32, rows in Hugging Face's order.

    Quantising them again gives the same bytes, so what is tuned starts from exactly what is served. Keep them in
    float32: bfloat16 would change nearly all of them.

    Raises:
        InvalidRequest: not a readable GGUF of a Llama or Qwen2 shape, or in a format we do not write.
    """
    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, KeyError, IndexError, OSError) as error:
        raise InvalidRequest(f"{path.name} is not a readable GGUF file: {error}") from error
    architecture = _text(reader, "general.architecture")
    if architecture not in _ARCHITECTURES.values():
        raise InvalidRequest(f"{path.name} holds a {architecture!r} model; only llama and qwen2 are read back")
    heads = int(_field(reader, f"{architecture}.attention.head_count"))
    kv_heads = int(_field(reader, f"{architecture}.attention.head_count_kv"))
    weights = {}
    for tensor in reader.tensors:
        if tensor.name == "rope_freqs.weight":
            continue
        if tensor.tensor_type.name not in KINDS:
            raise InvalidRequest(f"tensor {tensor.name!r} is {tensor.tensor_type.name}; read back: {', '.join(KINDS)}")
        name = gguf_weights.hugging_face_name(tensor.name)
        shape = tuple(int(size) for size in reversed(tensor.shape))
        values = gguf.dequantize(tensor.data, tensor.tensor_type).reshape(shape)
        rows = gguf_weights.heads_of(name, heads=heads, kv_heads=kv_heads) if architecture == "llama" else None
        weights[name] = np.array(gguf_weights.halve(values, rows) if rows else values, dtype=np.float32)
    return weights


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise InvalidRequest(f"{folder} holds no config.json; a Hugging Face model folder is needed")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _architecture(config: dict[str, Any]) -> str:
    kind = str(config.get("model_type"))
    if kind not in _ARCHITECTURES:
        raise InvalidRequest(f"model_type {kind!r} is not exported to GGUF; exported are {', '.join(_ARCHITECTURES)}")
    if config.get("mlp_bias"):
        raise InvalidRequest("a Llama with mlp_bias is not exported to GGUF: the engine reads no such biases")
    if config.get("use_sliding_window"):
        raise InvalidRequest("a Qwen2 with a sliding window is not exported to GGUF: the engine would attend to all")
    if config.get("hidden_act", "silu") != "silu":
        raise InvalidRequest(f"hidden_act {config['hidden_act']!r} is not exported to GGUF; the engine computes silu")
    return _ARCHITECTURES[kind]


def _head_size(config: dict[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _rope(config: dict[str, Any]) -> dict[str, Any]:
    """Rotary settings in one form: transformers 5 nests them, before that they lay flat."""
    nested = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    nested.setdefault("rope_theta", config.get("rope_theta", 10000.0))
    nested["rope_type"] = nested.get("rope_type") or nested.get("type") or "default"
    if nested["rope_type"] not in ("default", "linear", "llama3"):
        raise InvalidRequest(
            f"rotary scaling {nested['rope_type']!r} is not exported to GGUF; exported: default, linear, llama3"
        )
    return nested


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    rope, head_size = _rope(config), _head_size(config)
    writer.add_vocab_size(int(config["vocab_size"]))
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(int(config["num_attention_heads"]))
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or config["num_attention_heads"]))
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_rope_freq_base(float(rope["rope_theta"]))
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(float(rope["factor"]))


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: GgufTokenizer) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tokenizer.pre)
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types(tokenizer.kinds)
    writer.add_token_merges(tokenizer.merges)
    writer.add_add_bos_token(tokenizer.add_bos)
    if tokenizer.bos is not None:
        writer.add_bos_token_id(tokenizer.bos)
    if tokenizer.eos is not None:
        writer.add_eos_token_id(tokenizer.eos)
    if tokenizer.pad is not None:
        writer.add_pad_token_id(tokenizer.pad)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _tensors(folder: Path, config: dict[str, Any], architecture: str) -> Any:
    """Pairs of GGUF name and float32 values, rows as llama.cpp wants them."""
    heads = int(config["num_attention_heads"])
    kv_heads = int(config.get("num_key_value_heads") or heads)
    tied = bool(config.get("tie_word_embeddings"))
    if _rope(config)["rope_type"] == "llama3":
        yield "rope_freqs.weight", _llama3_factors(config)
    for name, values in gguf_weights.read_safetensors(folder):
        tensor = gguf_weights.gguf_name(name)
        if tensor is None or (tied and tensor == "output.weight"):
            continue
        rows = gguf_weights.heads_of(name, heads=heads, kv_heads=kv_heads) if architecture == "llama" else None
        yield tensor, np.ascontiguousarray(gguf_weights.interleave(values, rows) if rows else values)


def _llama3_factors(config: dict[str, Any]) -> npt.NDArray[np.float32]:
    """What each rotary frequency is divided by: (head_size / 2,).

    Source: `rope_type: llama3` of Hugging Face transformers.
    """
    rope, size = _rope(config), _head_size(config)
    factor, low, high = float(rope["factor"]), float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    context = float(rope["original_max_position_embeddings"])
    frequencies = float(rope["rope_theta"]) ** -(np.arange(0, size, 2, dtype=np.float64) / size)
    turns = context * frequencies / (2 * np.pi)
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return (1 / (smooth + (1 - smooth) / factor)).astype(np.float32)


def _check_range(tensor: str, values: npt.NDArray[np.float32], kind: str) -> None:
    most = _LARGEST_F16 if kind == "F16" else float(np.finfo(np.float32).max)
    largest = float(np.abs(values).max(initial=0.0))
    if not largest <= most:
        raise InvalidRequest(
            f"{tensor} holds numbers up to {largest:.3g}; {kind} holds up to {most:.3g}. A training that diverged "
            "makes such weights: lower learning_rate, or keep the weights as F32"
        )


def _kind_of(tensor: str, values: npt.NDArray[np.float32], kind: str) -> str:
    if values.ndim < 2 or kind == "F32":
        return "F32"
    if kind == "F16":
        return "F16"
    if values.shape[-1] % _BLOCK:
        raise InvalidRequest(
            f"tensor {tensor!r} has rows of {values.shape[-1]}, not a multiple of {_BLOCK}, so it cannot be {kind}; "
            "take F16 or F32"
        )
    return "Q8_0" if tensor in ("token_embd.weight", "output.weight") else kind


def _field(reader: gguf.GGUFReader, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise InvalidRequest(f"the GGUF file lacks {key}")
    return field.contents()


def _text(reader: gguf.GGUFReader, key: str) -> str:
    return str(_field(reader, key))
