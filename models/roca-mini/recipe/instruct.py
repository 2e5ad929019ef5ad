"""Conversations of every task as token pieces; what is asked is read, what the assistant says is learnt."""

import logging
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import chat
import corpus
import numpy as np
import tasks_made
import tasks_reading
import tasks_sets
import tasks_skills
from shards import READ_ONLY
from tokenizers import Tokenizer
from vocabulary import BOS, END_OF_TEXT

logger = logging.getLogger("roca-mini")
LONGEST = 1024
"""Tokens of a conversation; longer ones are left out."""
MAKERS: dict[str, Callable[[random.Random], dict]] = {
    **{name: make for name, (make, _) in tasks_made.MAKERS.items()},
    **tasks_skills.MAKERS,
}
FROM_SETS: dict[str, Callable[[Path, random.Random], Iterable[dict]]] = {
    "grounded": tasks_reading.grounded,
    "swapped": tasks_reading.swapped,
    "repeat": tasks_sets.repeats,
    "quotes": tasks_sets.quotes,
    "translation": tasks_sets.translation,
    "pivot": tasks_sets.pivot,
    "mending": tasks_sets.mending,
    "instructions": tasks_sets.instructions,
    "intents": tasks_sets.intents,
    "dialogue_calls": tasks_sets.dialogue_calls,
    "summaries": tasks_sets.summaries,
}
CHECKED: dict[str, Callable[[Path, random.Random], Iterable[dict]]] = {
    "titles": tasks_sets.titles,
    "sentences": lambda data, dice: tasks_reading.sentences(data, dice, corpus.test_grams(data)),
}
"""Made of texts that a test passage could be among: rows that share a run of words with one are left out."""


def made(name: str, count: int, *, seed: int) -> list[dict]:
    """`count` rows of a made-up task."""
    dice = random.Random(f"{seed} {name}")
    return [MAKERS[name](dice) for _ in range(count)]


def from_sets(name: str, data: Path, *, seed: int) -> list[dict]:
    """The rows of a task made from the data folder."""
    dice = random.Random(f"{seed} {name}")
    if name in FROM_SETS:
        return list(FROM_SETS[name](data, dice))
    forbidden = corpus.test_grams(data)
    return [row for row in CHECKED[name](data, dice) if not leaks(row, forbidden)]


def leaks(row: dict, forbidden: np.ndarray) -> bool:
    """Whether a turn of the conversation shares a run of words with a test passage."""
    return any(corpus.overlaps(message["content"], forbidden) for message in row["messages"])


def encode(tokenizer: Tokenizer, rows: Iterable[dict]) -> list[np.ndarray]:
    """Each conversation as uint16 ids, those not learnt with the high bit.

    Pieces are encoded one by one; every border between them is a mark, so the ids are those of the whole text.
    """
    texts, plan = [], []
    for row in rows:
        pieces = chat.parts(row["messages"], tools=row.get("tools", ()), documents=row.get("documents", ()))
        learnt = [flag for _, flag in pieces]
        if row.get("only_last"):
            last = max(number for number, flag in enumerate(learnt) if flag)
            learnt = [number == last for number in range(len(pieces))]
        texts += [text for text, _ in pieces]
        plan.append(learnt)
    encoded = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
    found = []
    for learnt in plan:
        parts = [np.array(next(encoded).ids, dtype=np.uint16) | np.uint16(0 if flag else READ_ONLY) for flag in learnt]
        if sum(map(len, parts)) <= LONGEST:
            found.append(np.concatenate(parts))
    return found


def echoes(tokenizer: Tokenizer, count: int, *, seed: int) -> list[np.ndarray]:
    """Random tokens and the same again, of which the second half is learnt: nothing but looking back predicts it."""
    dice = np.random.default_rng(seed)
    begin, end = tokenizer.token_to_id(BOS), tokenizer.token_to_id(END_OF_TEXT)
    first = tokenizer.get_vocab_size() // 8
    found = []
    for _ in range(count):
        span = dice.integers(first, tokenizer.get_vocab_size(), dice.integers(4, 60)).astype(np.uint16)
        found.append(np.concatenate([[begin | READ_ONLY], span | np.uint16(READ_ONLY), span, [end]]).astype(np.uint16))
    return found
