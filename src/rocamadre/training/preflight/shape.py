"""The shape of a decoder: what its memory and its arithmetic are counted from. Reads headers only, never weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from rocamadre.catalog.checks import read_object
from rocamadre.catalog.gguf_header import GgufHeader, read_header
from rocamadre.catalog.safetensors_header import read_safetensors_header
from rocamadre.core.errors import InvalidRequest

_GGUF_LINEARS = {
    "attn_q": "q_proj",
    "attn_k": "k_proj",
    "attn_v": "v_proj",
    "attn_output": "o_proj",
    "ffn_gate": "gate_proj",
    "ffn_up": "up_proj",
    "ffn_down": "down_proj",
}
_HEAD_DIM = 128
_MULTIPLE = 128


class Linear(NamedTuple):
    """A matrix of a layer.

    Attributes:
        name: Last part of its module's name, for example `q_proj`.
        inputs: Features that it reads.
        outputs: Features that it makes.
    """

    name: str
    inputs: int
    outputs: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder-only model.

    Attributes:
        architecture: For example `llama`; empty for an invented one.
        vocabulary: Rows of the token embedding.
        hidden: Width of the residual stream.
        layers: How many.
        heads: Query heads.
        kv_heads: Key and value heads.
        head_dim: Features of a head.
        inner: Width of the feed-forward part.
        gated: Whether that part has a gate (SwiGLU), so three matrices, not two.
        tied: Whether the head is the token embedding.
        parameters: All weights, each counted once.
        linears: Matrices of one layer.
        context_length: In tokens; 0 if not known.
    """

    architecture: str
    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    gated: bool
    tied: bool
    parameters: int
    linears: tuple[Linear, ...]
    context_length: int = 0

    @property
    def query(self) -> int:
        """Features of all query heads."""
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        """Features of all key heads; as many as of all value heads."""
        return self.kv_heads * self.head_dim

    @property
    def embedding_parameters(self) -> int:
        """Weights of the token embedding."""
        return self.vocabulary * self.hidden

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer, about."""
        return sum(linear.inputs * linear.outputs for linear in self.linears)

    @property
    def matrix_parameters(self) -> int:
        """Weights that every token is multiplied with: those of the layers and the head, not the embedding's lookup."""
        return self.layers * self.layer_parameters + self.embedding_parameters


def read_shape(path: Path) -> ModelShape:
    """The shape of a model on disk.

    Args:
        path: A GGUF file, or a Hugging Face directory with `config.json`; safetensors beside it are counted exactly.

    Raises:
        InvalidRequest: it is no decoder, or its files do not say what is needed.
    """
    if path.is_file():
        return _from_gguf(read_header(path), path.name)
    config = read_object(path, "config.json")
    if config is None:
        raise InvalidRequest(f"{path.name} has no config.json; give a GGUF file or a Hugging Face directory")
    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(path.glob("*.safetensors")):
        shapes |= read_safetensors_header(file).shapes
    return _from_config(config, shapes, path.name)


def _from_gguf(header: GgufHeader, name: str) -> ModelShape:
    tensors = {tensor.name: tensor.dimensions for tensor in header.tensors}
    embedding = tensors.get("token_embd.weight")
    values = {
        key: header.of_architecture(key)
        for key in ("embedding_length", "block_count", "feed_forward_length", "attention.head_count", "context_length")
    }
    if embedding is None or len(embedding) != 2 or any(not isinstance(value, int) for value in values.values()):
        raise InvalidRequest(f"{name} does not say the shape of a decoder; a text generator's GGUF file is needed")
    heads, hidden = values["attention.head_count"], values["embedding_length"]
    shared, head_dim = header.of_architecture("attention.head_count_kv"), header.of_architecture("attention.key_length")
    found = (
        (key.split(".")[2], tensors[key]) for key in tensors if key.startswith("blk.0.") and key.endswith("weight")
    )
    linears = tuple(Linear(_GGUF_LINEARS.get(key, key), *sizes) for key, sizes in found if len(sizes) == 2)
    return ModelShape(
        architecture=header.architecture,
        vocabulary=embedding[1],
        hidden=hidden,
        layers=values["block_count"],
        heads=heads,
        kv_heads=shared if isinstance(shared, int) else heads,
        head_dim=head_dim if isinstance(head_dim, int) else hidden // max(heads, 1),
        inner=values["feed_forward_length"],
        gated="blk.0.ffn_gate.weight" in tensors,
        tied="output.weight" not in tensors,
        parameters=header.parameters,
        linears=linears,
        context_length=values["context_length"],
    )


def _from_config(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], name: str) -> ModelShape:
    def value(*keys: str) -> int | None:
        return next((config[key] for key in keys if isinstance(config.get(key), int)), None)

    vocabulary, hidden = value("vocab_size"), value("hidden_size", "n_embd", "d_model")
    layers, heads = value("num_hidden_layers", "n_layer", "num_layers"), value("num_attention_heads", "n_head")
    if vocabulary is None or hidden is None or layers is None or heads is None or min(hidden, layers, heads) < 1:
        raise InvalidRequest(f"config.json of {name} does not say the shape of a decoder (hidden_size, layers, heads)")
    if config.get("num_local_experts") or config.get("num_experts"):
        raise InvalidRequest(f"{name} is a mixture of experts; its training is not planned here")
    inner = value("intermediate_size", "n_inner", "ffn_dim", "d_ff") or 4 * hidden
    kv_heads, head_dim = value("num_key_value_heads") or heads, value("head_dim") or hidden // heads
    gated = "hidden_act" in config and config.get("model_type") not in ("gpt_neox", "phi", "bert")
    # GPT-2's family ties unless it says otherwise; the newer ones say.
    tied = bool(config.get("tie_word_embeddings", "n_embd" in config))
    linears = _layer_linears(shapes) or decoder_linears(hidden, heads * head_dim, kv_heads * head_dim, inner, gated)
    counted = _count(shapes, tied)
    return ModelShape(
        architecture=str(config.get("model_type", "")),
        vocabulary=vocabulary,
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        inner=inner,
        gated=gated,
        tied=tied,
        parameters=counted or count_parameters(vocabulary, hidden, layers, linears, tied=tied),
        linears=linears,
        context_length=value("max_position_embeddings", "n_positions") or 0,
    )


def _layer_linears(shapes: Mapping[str, tuple[int, ...]]) -> tuple[Linear, ...]:
    """The matrices of layer 0, as a safetensors header names them."""
    found = []
    for name, sizes in shapes.items():
        parts = name.split(".")
        if len(sizes) == 2 and parts[-1] == "weight" and "0" in parts[:-2]:
            found.append(Linear(parts[-2], sizes[1], sizes[0]))
    return tuple(found)


def _count(shapes: Mapping[str, tuple[int, ...]], tied: bool) -> int:
    return sum(math.prod(sizes) for name, sizes in shapes.items() if not (tied and name == "lm_head.weight"))


def decoder_linears(hidden: int, query: int, key: int, inner: int, gated: bool) -> tuple[Linear, ...]:
    """The matrices of a layer as Llama has them; without `gated`, of a plain feed-forward part."""
    gate = (Linear("gate_proj", hidden, inner),) if gated else ()
    return (
        Linear("q_proj", hidden, query),
        Linear("k_proj", hidden, key),
        Linear("v_proj", hidden, key),
        Linear("o_proj", query, hidden),
        *gate,
        Linear("up_proj", hidden, inner),
        Linear("down_proj", inner, hidden),
    )


def count_parameters(vocabulary: int, hidden: int, layers: int, linears: Iterable[Linear], *, tied: bool) -> int:
    """Weights of a decoder of Llama's shape: embedding, head unless tied, matrices, two norms a layer and the last.

    >>> linears = decoder_linears(4096, 4096, 4096, 11008, True)
    >>> count_parameters(32000, 4096, 32, linears, tied=False)  # LLaMA-7B
    6738415616
    """
    layer = sum(linear.inputs * linear.outputs for linear in linears) + 2 * hidden
    return (1 if tied else 2) * vocabulary * hidden + layers * layer + hidden


def invented_shape(parameters: float, *, vocabulary: int = 32_000) -> ModelShape:
    """A decoder of Llama's proportions with about so many weights, where only their number is known.

    Width is 128 times the depth, the inner width 8/3 of the width, heads have 128 features, keys are not shared: the
    proportions of the LLaMA models of 2023. What is counted from `parameters` stays exact; only activations and the
    shares of layers are taken from the invented shape.

    >>> shape = invented_shape(6.74e9)
    >>> shape.hidden, shape.layers
    (4096, 32)

    Raises:
        InvalidRequest: fewer than a million weights.
    """
    if parameters < 1e6:
        raise InvalidRequest(f"{parameters:.0f} parameters are too few to guess a shape from; at least 1m is planned")
    if parameters < 100e6:
        vocabulary = min(vocabulary, max(1024, int(parameters**0.5)))
    low, high = 16.0, 1e6
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if 12 * middle**3 / 128 + 2 * vocabulary * middle < parameters else (low, middle)
    multiple = _MULTIPLE if low >= 4 * _MULTIPLE else 16
    hidden = max(multiple, round(low / multiple) * multiple)
    head_dim = _HEAD_DIM if hidden >= 4 * _HEAD_DIM else multiple
    inner = -(-hidden * 8 // 3 // 256) * 256
    linears = decoder_linears(hidden, hidden, hidden, inner, True)
    layer = count_parameters(0, hidden, 1, linears, tied=True)
    layers = max(1, round((parameters - 2 * vocabulary * hidden) / layer))
    return ModelShape(
        architecture="",
        vocabulary=vocabulary,
        hidden=hidden,
        layers=layers,
        heads=hidden // head_dim,
        kv_heads=hidden // head_dim,
        head_dim=head_dim,
        inner=inner,
        gated=True,
        tied=False,
        parameters=int(parameters),
        linears=linears,
        context_length=0,
    )
