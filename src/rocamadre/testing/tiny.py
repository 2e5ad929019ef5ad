"""Models of a few kilobytes with random weights: real files that real engines load, and that know nothing.

Needs only what Rocamadre itself needs; no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from rocamadre.engines.llama.gguf import export_gguf

MARKS = ("<|bos|>", "<|im_start|>", "<|im_end|>", "<tool_call>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_TEXT = (
    "The quick brown fox jumps over the lazy dog. El veloz murciélago hindú comía feliz cardillo y kiwi. "
    "À noite, vovô Kowalsky vê o ímã cair no pé do pinguim queixoso. 0123456789 🙂🚀 café naïve São coração"
)


def tiny_llama(folder: Path, *, seed: int = 7, context_length: int = 256, layers: int = 2) -> Path:
    """Write a Llama-shaped causal model as a Hugging Face directory.

    Args:
        folder: Made if it is not there.
        seed: Of the weights.
        context_length: In tokens.
        layers: How deep; each has width 32, 4 heads of which 2 are shared.

    Returns:
        The folder: `config.json`, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _byte_level_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    marks = {"bos_token": "<|bos|>", "eos_token": "<|im_end|>", "pad_token": "<|bos|>"}
    _write(folder / "tokenizer_config.json", {**marks, "chat_template": CHAT_TEMPLATE, "add_bos_token": False})
    width, inner, heads, shared = 32, 64, 4, 2
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": shared,
        "head_dim": width // heads,
        "max_position_embeddings": context_length,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": tokenizer.get_vocab_size(),
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "bos_token_id": tokenizer.token_to_id("<|bos|>"),
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "torch_dtype": "float32",
    }
    _write(folder / "config.json", config)
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (tokenizer.get_vocab_size(), width)}
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        shapes |= {
            prefix + "self_attn.q_proj.weight": (width, width),
            prefix + "self_attn.k_proj.weight": (width * shared // heads, width),
            prefix + "self_attn.v_proj.weight": (width * shared // heads, width),
            prefix + "self_attn.o_proj.weight": (width, width),
            prefix + "mlp.gate_proj.weight": (inner, width),
            prefix + "mlp.up_proj.weight": (inner, width),
            prefix + "mlp.down_proj.weight": (width, inner),
        }
    tensors = {name: _random(rng, shape) for name, shape in shapes.items()}
    norms = [
        f"model.layers.{layer}.{part}_layernorm.weight"
        for layer in range(layers)
        for part in ("input", "post_attention")
    ]
    tensors |= {name: np.ones(width, np.float32) for name in (*norms, "model.norm.weight")}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tiny_gguf(path: Path, *, seed: int = 7, context_length: int = 256, kind: str = "F32") -> Path:
    """Write the model of `tiny_llama` as one GGUF file at `path`; its Hugging Face directory is left beside it."""
    folder = tiny_llama(path.with_suffix(".hf"), seed=seed, context_length=context_length)
    export_gguf(folder, path, kind=kind)
    return path


def tiny_bert(folder: Path, *, seed: int = 7, max_tokens: int = 32) -> Path:
    """Write a BERT-shaped encoder as a Hugging Face directory.

    Args:
        folder: Made if it is not there.
        seed: Of the weights.
        max_tokens: Longest text that it reads, in tokens.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _word_piece_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    _write(folder / "tokenizer_config.json", {**special, "tokenizer_class": "PreTrainedTokenizerFast"})
    _write(folder / "sentence_bert_config.json", {"max_seq_length": max_tokens})
    width, inner, layers = 32, 64, 2
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_attention_heads": 4,
        "num_hidden_layers": layers,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
        "position_embedding_type": "absolute",
        "pad_token_id": 0,
    }
    _write(folder / "config.json", config)
    rng = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (tokenizer.get_vocab_size(), width),
        "embeddings.position_embeddings.weight": (64, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    norms = ["embeddings.LayerNorm."]
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        dense = {f"attention.self.{part}.": (width, width) for part in ("query", "key", "value")}
        dense |= {"attention.output.dense.": (width, width)}
        dense |= {"intermediate.dense.": (inner, width), "output.dense.": (width, inner)}
        for name, shape in dense.items():
            shapes |= {prefix + name + "weight": shape, prefix + name + "bias": (shape[0],)}
        norms += [prefix + "attention.output.LayerNorm.", prefix + "output.LayerNorm."]
    tensors = {name: _random(rng, shape) for name, shape in shapes.items()}
    for norm in norms:
        tensors |= {norm + "weight": 1 + _random(rng, (width,)), norm + "bias": _random(rng, (width,))}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return (rng.standard_normal(shape) * 0.2).astype(np.float32)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def _byte_level_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(MARKS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_TEXT] * 4, trainer)
    return tokenizer


def _word_piece_tokenizer() -> Tokenizer:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    letters = sorted({letter for letter in _TEXT.lower() if not letter.isspace()})
    words = sorted({word.strip(".,") for word in _TEXT.lower().split()})
    entries = list(dict.fromkeys([*special, *letters, *(f"##{letter}" for letter in letters), *words]))
    vocabulary = {entry: index for index, entry in enumerate(entries)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer
