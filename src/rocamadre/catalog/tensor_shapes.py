"""Whether the tensors of a model are those that its configuration asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.core.errors import InvalidRequest

Shape = tuple[int, ...]


def check_decoder_shapes(config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> None:
    """Compare the matrices of a Llama- or Qwen2-shaped model with its configuration; what is there besides is let be.

    Weights that were quantised before they were saved have other tensors and are passed over.

    Args:
        config: `config.json`.
        shapes: Of all tensors, by name.

    Raises:
        InvalidRequest: a tensor is missing or has another shape; the message names it, and both shapes.
    """
    if "quantization_config" in config:
        return
    for name, wanted in _expected(config).items():
        found = shapes.get(name)
        if found is None:
            raise InvalidRequest(f"the weights lack the tensor {name} that config.json asks for, of shape {wanted}")
        if tuple(found) != wanted:
            raise InvalidRequest(f"tensor {name} has the shape {tuple(found)}; config.json asks for {wanted}")


def _expected(config: Mapping[str, Any]) -> dict[str, Shape]:
    width, inner, heads, layers, vocabulary = (
        _size(config, key)
        for key in ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size")
    )
    shared = config.get("num_key_value_heads") or heads
    head = config.get("head_dim") or width // max(1, heads)
    if not isinstance(shared, int) or not isinstance(head, int):
        raise InvalidRequest("config.json: num_key_value_heads and head_dim must be whole numbers")
    expected: dict[str, Shape] = {"model.embed_tokens.weight": (vocabulary, width), "model.norm.weight": (width,)}
    if not config.get("tie_word_embeddings", False):
        expected["lm_head.weight"] = (vocabulary, width)
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        expected |= {
            prefix + "self_attn.q_proj.weight": (heads * head, width),
            prefix + "self_attn.k_proj.weight": (shared * head, width),
            prefix + "self_attn.v_proj.weight": (shared * head, width),
            prefix + "self_attn.o_proj.weight": (width, heads * head),
            prefix + "mlp.gate_proj.weight": (inner, width),
            prefix + "mlp.up_proj.weight": (inner, width),
            prefix + "mlp.down_proj.weight": (width, inner),
            prefix + "input_layernorm.weight": (width,),
            prefix + "post_attention_layernorm.weight": (width,),
        }
    return expected


def _size(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or not 0 < value < 2**31:
        raise InvalidRequest(f"config.json: {key} must be a whole number above 0")
    return value
