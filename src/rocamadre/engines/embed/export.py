"""BERT from a safetensors file to ONNX, with mean pooling and normalisation inside the graph.

The graph uses the fused operators of ONNX Runtime (domain `com.microsoft`): packed attention, residual plus layer norm,
bias plus exact GELU. Inputs: `input_ids` and `attention_mask`, both int32 of shape (batch, tokens), mask 1 for tokens
and 0 for padding. Output: `embedding`, float32 of shape (batch, hidden), unit length.

Sources: Devlin et al. 2019, arXiv:1810.04805 (the encoder); Reimers & Gurevych 2019, arXiv:1908.10084 (mean pooling).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from rocamadre.core.errors import InvalidRequest

_MS = "com.microsoft"
_OPSET = 17
Array = npt.NDArray[np.float32]


class _Config(msgspec.Struct):
    """What of `config.json` shapes the graph."""

    model_type: str
    hidden_size: int
    num_attention_heads: int
    num_hidden_layers: int
    layer_norm_eps: float = 1e-12
    hidden_act: str = "gelu"
    position_embedding_type: str | None = "absolute"


class _Graph:
    """Collects nodes and weights.

    Args:
        config: Of the model.
        tensors: Of the safetensors file, by name, float32.
    """

    def __init__(self, config: _Config, tensors: dict[str, Array]) -> None:
        self.config = config
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._count = 0

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def tensor(self, name: str) -> str:
        return self.constant(name, self.tensors[name])

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        self._count += 1
        output = f"{operator.lower()}_{self._count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], domain=domain, **attributes))
        return output


def export_bert(folder: Path, target: Path) -> None:
    """Write `target` from `config.json` and `model.safetensors` in `folder`; appears whole or not at all.

    Raises:
        InvalidRequest: the model is not a BERT encoder with exact GELU and absolute positions, or tensors are missing.
    """
    try:
        config = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config)
        tensors = load_file(folder / "model.safetensors")
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidRequest(f"{folder}: {error}") from error
    if config.model_type != "bert" or config.hidden_act != "gelu" or config.position_embedding_type != "absolute":
        raise InvalidRequest(
            f"{folder}: only BERT encoders with hidden_act 'gelu' and absolute positions can be converted; this is "
            f"{config.model_type!r} with {config.hidden_act!r} and {config.position_embedding_type!r}"
        )
    prefix = "bert." if "bert.embeddings.word_embeddings.weight" in tensors else ""
    weights = {
        name.removeprefix(prefix): value.astype(np.float32)
        for name, value in tensors.items()
        if "position_ids" not in name
    }
    try:
        model = _model(config, weights)
    except KeyError as error:
        raise InvalidRequest(f"{folder}: the tensor {error} is missing") from error
    onnx.checker.check_model(model)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _model(config: _Config, tensors: dict[str, Array]) -> Any:
    graph = _Graph(config, tensors)
    state = _embed(graph)
    for layer in range(config.num_hidden_layers):
        state = _layer(graph, state, f"encoder.layer.{layer}.")
    _pool(graph, state)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config.hidden_size])
    body = helper.make_graph(graph.nodes, "bert", inputs, [output], graph.weights)
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MS, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=8, producer_name="rocamadre")


def _embed(graph: _Graph) -> str:
    """Words, positions and the first segment, normalised: (batch, tokens, hidden)."""
    segment = graph.tensors["embeddings.token_type_embeddings.weight"][:1]
    words = graph.tensor("embeddings.word_embeddings.weight")
    positions = graph.constant("positions", graph.tensors["embeddings.position_embeddings.weight"] + segment)
    zero = graph.constant("zero", np.array([0], np.int64))
    length = graph.node("Shape", "input_ids", start=1, end=2)
    total = graph.node(
        "Add", graph.node("Gather", words, "input_ids"), graph.node("Slice", positions, zero, length, zero)
    )
    scale, shift = graph.tensor("embeddings.LayerNorm.weight"), graph.tensor("embeddings.LayerNorm.bias")
    return graph.node("LayerNormalization", total, scale, shift, axis=-1, epsilon=graph.config.layer_norm_eps)


def _layer(graph: _Graph, state: str, prefix: str) -> str:
    parts = [f"{prefix}attention.self.{part}." for part in ("query", "key", "value")]
    packed = np.concatenate([graph.tensors[part + "weight"].T for part in parts], axis=1)
    bias = np.concatenate([graph.tensors[part + "bias"] for part in parts])
    attended = graph.node(
        "Attention",
        *(state, graph.constant(prefix + "qkv.weight", packed), graph.constant(prefix + "qkv.bias", bias)),
        "attention_mask",
        domain=_MS,
        num_heads=graph.config.num_attention_heads,
    )
    state = _residual(graph, attended, state, prefix + "attention.output.")
    inner = _dense(graph, state, prefix + "intermediate.dense.weight")
    inner = graph.node("BiasGelu", inner, graph.tensor(prefix + "intermediate.dense.bias"), domain=_MS)
    return _residual(graph, inner, state, prefix + "output.")


def _residual(graph: _Graph, inner: str, state: str, prefix: str) -> str:
    """Layer norm of (state + dense(inner))."""
    dense = _dense(graph, inner, prefix + "dense.weight")
    scale, shift = graph.tensor(prefix + "LayerNorm.weight"), graph.tensor(prefix + "LayerNorm.bias")
    bias = graph.tensor(prefix + "dense.bias")
    epsilon = graph.config.layer_norm_eps
    return graph.node("SkipLayerNormalization", dense, state, scale, shift, bias, domain=_MS, epsilon=epsilon)


def _dense(graph: _Graph, state: str, name: str) -> str:
    return graph.node("MatMul", state, graph.constant(name, graph.tensors[name].T))


def _pool(graph: _Graph, state: str) -> None:
    """Sum over tokens that are no padding, then unit length (the mean's division cancels out)."""
    mask = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT)
    mask = graph.node("Unsqueeze", mask, graph.constant("last_axis", np.array([2], np.int64)))
    axis = graph.constant("token_axis", np.array([1], np.int64))
    total = graph.node("ReduceSum", graph.node("Mul", state, mask), axis, keepdims=0)
    norm = graph.node("ReduceL2", total, axes=[1], keepdims=1)
    floor = graph.constant("floor", np.array([1e-12], np.float32))
    graph.nodes.append(helper.make_node("Div", [total, graph.node("Max", norm, floor)], ["embedding"]))
