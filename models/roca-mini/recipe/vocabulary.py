"""The tokenizer of roca-mini: byte-level BPE, 4,096 tokens, balanced over English, Spanish and Portuguese."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

PAD, BOS, END_OF_TEXT, TURN_START, TURN_END = "<|pad|>", "<|bos|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"
HIDDEN_MARKS = ("<tools>", "</tools>", "<tool_response>", "</tool_response>")
DOCUMENT_MARKS = ("<documents>", "</documents>", "<document>", "</document>")
SHOWN_MARKS = ("<tool_call>", "</tool_call>")
"""Marks that a generation may hold and that must stay in its text, so that the caller can read the tool call."""
RESERVED = tuple(f"<|reserved_{number}|>" for number in range(8))
SPECIAL = (PAD, BOS, END_OF_TEXT, TURN_START, TURN_END, *HIDDEN_MARKS, *DOCUMENT_MARKS, *RESERVED)
CHARACTERS_PER_LANGUAGE = 8_000_000


def balanced(texts: Mapping[str, list[str]], *, characters: int, seed: int) -> Iterator[str]:
    """The same number of characters of each language, drawn without repeats in a seeded order."""
    for language in sorted(texts):
        pool, left = list(texts[language]), characters
        random.Random(f"{seed} {language}").shuffle(pool)
        for text in pool:
            yield text
            left -= len(text)
            if left <= 0:
                break


def train_tokenizer(texts: Iterator[str], *, size: int) -> Tokenizer:
    """Train byte-level BPE whose splitting is GPT-2's, the one that llama.cpp repeats exactly as `gpt-2`.

    Args:
        texts: Training text.
        size: Tokens, marks included.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=[*SPECIAL, *SHOWN_MARKS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def reveal_marks(tokenizer: Tokenizer) -> Tokenizer:
    """Return the tokenizer with the tool-call marks as plain added tokens, which decoding keeps."""
    state = json.loads(tokenizer.to_str())
    for token in state["added_tokens"]:
        if token["content"] in SHOWN_MARKS:
            token["special"] = False
    return Tokenizer.from_str(json.dumps(state))


def save(tokenizer: Tokenizer, path: Path) -> None:
    """Write tokenizer.json, whole or not at all."""
    partial = path.with_suffix(".partial")
    tokenizer.save(str(partial))
    partial.replace(path)
