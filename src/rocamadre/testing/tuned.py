"""Tiny models of several shapes, tuned by any method in a second: random, not the same as their bases. With torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch.nn.functional import cross_entropy

from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.types import Chat, Turn
from rocamadre.engines.llama.gguf import export_gguf
from rocamadre.engines.llama.gguf_tokenizer import SPLITS
from rocamadre.testing.tiny import CHAT_TEMPLATE, MARKS
from rocamadre.training.methods.registry import check_settings, make_method
from rocamadre.training.model import load_base

EXAMPLES = (
    ("What is the code word?", "The code word is marmalade."),
    ("¿Cuál es la palabra clave?", "La palabra clave es mermelada."),
    ("Qual é a palavra-chave?", "A palavra-chave é geleia."),
    ("Hello! Who are you?", "I am a tiny model, and I know nothing."),
)
_TEXT = " ".join(f"{question} {answer}" for question, answer in EXAMPLES) + " 0123456789 coração über 🙂"
_STEPS = 8


def tiny_model(
    folder: Path,
    *,
    architecture: str = "llama",
    layers: int = 2,
    width: int = 32,
    heads: int = 4,
    kv_heads: int = 2,
    tied: bool = True,
    pre: str = "gpt-2",
    begins: bool = False,
    context_length: int = 256,
    seed: int = 7,
) -> Path:
    """Write a random model as a Hugging Face directory.

    Args:
        folder: Made.
        architecture: `llama` or `qwen2` (biases, another order of rows).
        layers: Blocks.
        width: Of hidden states; the heads divide it.
        heads: Of attention.
        kv_heads: Those that are shared; they divide `heads`.
        tied: Whether the output matrix is the embedding.
        pre: llama.cpp's name of the tokenizer's splitting: `gpt-2`, `smollm`, `llama-bpe`, `qwen2`.
        begins: Whether text begins with a mark unasked.
        context_length: In tokens.
        seed: Of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(pre, begins=begins)
    tokenizer.save(str(folder / "tokenizer.json"))
    marks = {"bos_token": "<|bos|>", "eos_token": "<|im_end|>", "pad_token": "<|bos|>", "add_bos_token": begins}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **marks, "chat_template": CHAT_TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    shape = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": context_length,
        "tie_word_embeddings": tied,
        "initializer_range": 0.2,
        "bos_token_id": tokenizer.token_to_id("<|bos|>"),
        "eos_token_id": tokenizer.token_to_id("<|im_end|>"),
        "pad_token_id": tokenizer.token_to_id("<|bos|>"),
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = transformers.AutoConfig.for_model(architecture, **shape)
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    return folder


def gguf_base(folder: Path, *, kind: str = "F32", **shape: Any) -> Path:
    """The model of `tiny_model` as a GGUF file, `base.gguf` beside its directory `base`."""
    export_gguf(tiny_model(folder / "base", **shape), folder / "base.gguf", kind=kind)
    return folder / "base.gguf"


def tune(
    base: Path,
    trained: Path,
    method: str,
    settings: Mapping[str, Any] | None = None,
    *,
    steps: int = _STEPS,
    learning_rate: float = 1e-2,
    seed: int = 3,
) -> Path:
    """Train for some steps on four examples, and save what came of it.

    Args:
        base: A GGUF file or a directory.
        trained: The folder to write.
        method: A name in `METHODS`.
        settings: The method's own.
        steps: Of AdamW.
        learning_rate: High enough by default to be seen in every answer.
        seed: Of new weights.
    """
    loaded, made = load_base(base), make_method(method)
    module: Any = made.prepare(
        loaded.model, check_settings(method, settings or {}), seed=seed, tokenizer=loaded.tokenizer
    )
    rows = []
    for question, answer in EXAMPLES:
        chat = Chat((Turn("user", question), Turn("assistant", answer)))
        rendered = render_example(chat, loaded.tokenizer, loaded.tokenizer.template)
        ids = torch.tensor(rendered.ids)
        rows.append((ids, torch.where(torch.tensor(rendered.trained), ids, -100)))
    optimiser = torch.optim.AdamW([weight for _, weight in made.trainable(module)], lr=learning_rate)
    module.train()
    for step in range(steps):
        ids, targets = rows[step % len(rows)]
        logits = module(input_ids=ids[None], use_cache=False).logits[0]
        loss = cross_entropy(logits[:-1].float(), targets[1:])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made.save(module.eval(), trained)
    if made.form == "full":
        loaded.write_tokenizer(trained)
    return trained


def _tokenizer(pre: str, *, begins: bool) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre == "gpt-2":
        tokenizer.pre_tokenizer = byte_level
    elif pre == "smollm":
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    else:
        pattern = next(pattern for pattern, name in SPLITS.items() if name == pre)
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, whole])
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=list(MARKS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_TEXT] * 4, trainer)
    if begins:
        bos = tokenizer.token_to_id("<|bos|>")
        tokenizer.post_processor = processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", bos)])
    return tokenizer
