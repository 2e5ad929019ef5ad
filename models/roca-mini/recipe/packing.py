"""Turning texts into packed token shards on disk: 16-bit ids, and for conversations a mask of what is learnt."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from vocabulary import BOS, END_OF_TEXT


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        np.save(out, array)
    partial.replace(path)


def encode_documents(tokenizer: Tokenizer, texts: Sequence[str]) -> list[np.ndarray]:
    """Each text as begin mark, ids, end mark; uint16."""
    begin, end = tokenizer.token_to_id(BOS), tokenizer.token_to_id(END_OF_TEXT)
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return [np.array([begin, *item.ids, end], dtype=np.uint16) for item in encoded]


def cut_documents(shard: np.ndarray, begin: int) -> list[np.ndarray]:
    """The documents of a packed shard again, each from its begin mark on."""
    return np.split(shard, np.flatnonzero(shard == begin))[1:]


def mix(
    pools: Mapping[str, Sequence[np.ndarray]], weights: Mapping[str, float], *, tokens: int, seed: int
) -> np.ndarray:
    """Interleave the pools' documents so that every stretch holds the weighted shares; a pool that ends starts again.

    Returns:
        About `tokens` ids, uint16, in training order.
    """
    dice = random.Random(seed)
    names = sorted(name for name in pools if pools[name] and weights[name] > 0)
    orders = {name: dice.sample(range(len(pools[name])), len(pools[name])) for name in names}
    next_at, given = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    parts, total = [], 0
    while total < tokens:
        name = min(names, key=lambda key: given[key] / weights[key])
        order = orders[name]
        document = pools[name][order[next_at[name] % len(order)]]
        next_at[name] += 1
        given[name] += len(document)
        total += len(document)
        parts.append(document)
    return np.concatenate(parts)
