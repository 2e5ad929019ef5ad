"""One of our GGUF files as the files of a Hugging Face directory: configuration and tokenizer, read from its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers.processors import TemplateProcessing

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.engines.llama.header import Header, read_header

_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}


def config_of(path: Path, *, names: frozenset[str]) -> dict[str, Any]:
    """`config.json` of the model in a GGUF file.

    Args:
        path: The file.
        names: Hugging Face names of its tensors; tell whether the head is tied and the projections have biases.

    Raises:
        InvalidRequest: not a Llama or Qwen2 shape, or rotary factors that the header does not explain.
    """
    header = read_header(path)
    values = header.values
    kind = str(values.get("general.architecture"))
    if kind not in _CLASSES:
        raise InvalidRequest(f"{path.name} holds a {kind!r} model; trained from GGUF are: {', '.join(_CLASSES)}")
    width, heads = header.hyperparameter("embedding_length", 0), header.hyperparameter("attention.head_count", 1)
    config: dict[str, Any] = {
        "architectures": [_CLASSES[kind]],
        "model_type": kind,
        "vocab_size": header.vocabulary_size,
        "hidden_size": width,
        "intermediate_size": header.hyperparameter("feed_forward_length", 0),
        "num_hidden_layers": header.hyperparameter("block_count", 0),
        "num_attention_heads": heads,
        "num_key_value_heads": header.hyperparameter("attention.head_count_kv", heads),
        "head_dim": header.hyperparameter("attention.key_length", width // heads),
        "max_position_embeddings": header.hyperparameter("context_length", 0),
        "rms_norm_eps": _shortest(values[f"{kind}.attention.layer_norm_rms_epsilon"]),
        "rope_parameters": _rope(header, kind, path),
        "hidden_act": "silu",
        "tie_word_embeddings": "lm_head.weight" not in names,
        "bos_token_id": values.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": values.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": values.get("tokenizer.ggml.padding_token_id"),
        "dtype": "float32",
    }
    if kind == "llama":
        config["attention_bias"] = "model.layers.0.self_attn.q_proj.bias" in names
        config["mlp_bias"] = False
    return config


def write_tokenizer(path: Path, tokenizer: ModelTokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json` of a GGUF file, so that an export gives the same again.

    Args:
        path: The GGUF file.
        tokenizer: As `open_tokenizer` read it.
        folder: Exists.
    """
    values = read_header(path).values
    tokens: tuple[str, ...] = values["tokenizer.ggml.tokens"]
    ids = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "padding_token_id"}
    marks = {
        name: tokens[index] for name, key in ids.items() if (index := values.get(f"tokenizer.ggml.{key}")) is not None
    }
    state = json.loads(tokenizer.tokens.to_str())
    if tokenizer.begins and tokenizer.bos is not None:
        begin = tokens[tokenizer.bos]
        whole = type(tokenizer.tokens).from_str(json.dumps(state))
        whole.post_processor = TemplateProcessing(single=f"{begin} $A", special_tokens=[(begin, tokenizer.bos)])
        state = json.loads(whole.to_str())
    settings: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **marks,
        "add_bos_token": tokenizer.begins,
        "clean_up_tokenization_spaces": False,
    }
    if tokenizer.template is not None:
        settings["chat_template"] = tokenizer.template.source
    _write(folder / "tokenizer.json", state)
    _write(folder / "tokenizer_config.json", settings)


def _rope(header: Header, kind: str, path: Path) -> dict[str, Any]:
    values: Mapping[str, Any] = header.values
    rope: dict[str, Any] = {
        "rope_type": "default",
        "rope_theta": _shortest(values.get(f"{kind}.rope.freq_base", 10000.0)),
    }
    scaling = values.get(f"{kind}.rope.scaling.type", "none")
    if scaling == "linear":
        rope |= {"rope_type": "linear", "factor": _shortest(values[f"{kind}.rope.scaling.factor"])}
    elif scaling != "none":
        raise InvalidRequest(
            f"{path.name} scales its rotary embedding by {scaling!r}; train it from its Hugging Face directory"
        )
    return rope


def _shortest(value: float) -> float:
    """The shortest decimal that is the same float32: 1e-05 rather than 9.999999747378752e-06."""
    import numpy as np  # noqa: PLC0415

    return float(str(np.float32(value)))


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
