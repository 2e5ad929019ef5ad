"""Tiny random models with real tokenizers, written as Hugging Face folders, for the tests beside this file."""

import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
TEXTS = (
    "The quick brown fox doesn't jump over 1234 lazy dogs; it's I'll we've they'd DON'T.",
    "¿Dónde está el niño? ¡Mañana será otro día! El café cuesta 3,50 € en la calle 42.",
    "A ação começou às 19h30; você não precisará de informações, disse o João à irmã.",
    "def add(a: int, b: int) -> int:\n    return a + b  # sum\n\n\nif __name__ == '__main__':\n\tprint(f\"{add(1, 2)!r}\")\n",  # noqa: E501
    '{"name": "Ana", "ids": [1, 22, 333, 4444], "ok": true}',
    "👍🏽 👩‍💻 family: 👨‍👩‍👧‍👦, flags 🇪🇸🇧🇷, faces 😀😃 end",
    "  leading and   many    spaces \n\n\n new lines \r\n windows \t tabs  ",
    "naïve Ångström Straße 東京 Привет مرحبا ½ ² ٣ 1.000.000",
    "",
    " ",
    "\n",
    "a",
)


def pre_tokenizer(kind: str):
    """The splitting that llama.cpp knows under this name."""
    if kind == "gpt-2":
        return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    if kind == "smollm":
        digits = pre_tokenizers.Digits(individual_digits=True)
        return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    split = pre_tokenizers.Split(Regex(LLAMA3 if kind == "llama-bpe" else QWEN2), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train_tokenizer(kind: str, *, size: int = 600) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(kind)
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False, special_tokens=["<|bos|>", "<|eos|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator([text * 3 for text in TEXTS], trainer)
    return tokenizer


def write_tokenizer(folder: Path, tokenizer: Tokenizer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|bos|>", "eos_token": "<|eos|>",
        "chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_model(folder: Path, kind: str, *, vocabulary: int, seed: int = 0, dtype: str = "float32", **changes) -> None:
    """A random Llama or Qwen2; needs torch and transformers."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    classes = {"llama": (LlamaConfig, LlamaForCausalLM), "qwen2": (Qwen2Config, Qwen2ForCausalLM)}
    make_config, make_model = classes[kind]
    sizes = {
        "vocab_size": vocabulary, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
        "tie_word_embeddings": True, "bos_token_id": 0, "eos_token_id": 1, "initializer_range": 0.2,
    }  # fmt: skip
    torch.manual_seed(seed)
    model = make_model(make_config(**{**sizes, **changes}))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(std=0.5)
    model.to(getattr(torch, dtype)).save_pretrained(folder)
