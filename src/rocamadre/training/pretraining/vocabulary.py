"""Tokenizers trained on the run's own text, in the files that transformers and our exporter read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.pretraining.settings import Objective

MARKS: dict[Objective, dict[str, str]] = {
    "causal": {"bos_token": "<|bos|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"},
    "masked": {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    },
    "spans": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
}
CHAT_MARKS = ("<|im_start|>", "<|im_end|>")
"""In every causal vocabulary, so that the model can be taught conversations later."""
SENTINELS = 100
"""Of T5: what stands for a span that was cut out."""


def train_tokenizer(
    texts: Iterable[str], folder: Path, *, objective: Objective, kind: str, vocabulary: int
) -> Tokenizer:
    """Train a tokenizer and write `tokenizer.json` and `tokenizer_config.json`.

    Args:
        texts: What it is trained on.
        folder: Exists.
        objective: Decides the marks.
        kind: `bpe`, byte-level with GPT-2's splitting, so that llama.cpp reads it (Sennrich et al. 2016,
            arXiv:1508.07909); `unigram` (Kudo 2018, arXiv:1804.10959).
        vocabulary: Tokens in all, marks among them; fewer when the text has no more.

    Raises:
        InvalidRequest: there is no room for the bytes and marks, or there is no text.
    """
    marks = MARKS[objective]
    special = [*marks.values(), *(CHAT_MARKS if objective == "causal" else ())]
    special += [f"<extra_id_{index}>" for index in range(SENTINELS)] if objective == "spans" else []
    if vocabulary < len(special) + 256:
        raise InvalidRequest(f"a vocabulary of {vocabulary} has no room for 256 bytes and {len(special)} marks")
    tokenizer, trainer = _bpe(special, vocabulary) if kind == "bpe" else _unigram(special, vocabulary, marks)
    tokenizer.train_from_iterator(texts, trainer)
    ids = {name: tokenizer.token_to_id(name) for name in special}
    if tokenizer.get_vocab_size() <= len(special) + 1:
        raise InvalidRequest("there is no text to train a tokenizer on")
    if objective == "masked":
        begin, end = marks["cls_token"], marks["sep_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{begin} $A {end}", special_tokens=[(begin, ids[begin]), (end, ids[end])]
        )
    elif objective == "spans":
        end = marks["eos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, ids[end])])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", **marks, "add_bos_token": False}
    settings["clean_up_tokenization_spaces"] = False
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    return tokenizer


def _bpe(special: list[str], vocabulary: int) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return tokenizer, trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )


def _unigram(special: list[str], vocabulary: int, marks: dict[str, str]) -> tuple[Tokenizer, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    unknown = marks.get("unk_token", "<|unk|>")
    if unknown not in special:
        special = [*special, unknown]
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=vocabulary, special_tokens=special, unk_token=unknown, show_progress=False
    )
