"""The instruction shard: conversations of all tasks and some plain text, packed into rows, answers alone learnt."""

import json
import logging
import random
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import chat
import corpus
import numpy as np
import packing
import tasks_made
import tasks_reading
import tasks_sets
from tokenizers import Tokenizer
from vocabulary import PAD

logger = logging.getLogger("roca-mini")
SHARES = {
    "repeat": 35,
    "grounded": 14,
    "lookup": 12,
    "extraction": 12,
    "quotes": 8,
    "sentences": 6,
    "sentiment": 5,
    "tool_call": 5,
    "text": 4,
    "copying": 3,
    "translation": 3,
    "instructions": 3,
    "greeting": 2,
    "summaries": 2,
    "sums": 1,
    "intents": 1,
    "dialogue_calls": 1,
    "titles": 0.3,
}
"""Share of the shard's tokens by task."""


def made_conversations(dice: random.Random) -> dict[str, list[dict]]:
    """The made-up tasks."""
    return {name: [make(dice) for _ in range(count)] for name, (make, count) in tasks_made.MAKERS.items()}


def conversations(data: Path, *, seed: int) -> dict[str, list[dict]]:
    """Every task's conversations, by task."""
    dice = random.Random(seed)
    forbidden = corpus.test_grams(data)
    return made_conversations(dice) | {
        "grounded": list(tasks_reading.grounded(data, dice)),
        "sentences": list(tasks_reading.sentences(data, dice, forbidden)),
        "repeat": list(tasks_sets.repeats(data, dice)),
        "quotes": list(tasks_sets.quotes(data, dice)),
        "translation": list(tasks_sets.translation(data, dice)),
        "instructions": list(tasks_sets.instructions(data, dice)),
        "intents": list(tasks_sets.intents(data, dice)),
        "dialogue_calls": list(tasks_sets.dialogue_calls(data, dice)),
        "summaries": list(tasks_sets.summaries(data, dice)),
        "titles": [row for row in tasks_sets.titles(data, dice) if not _leaks(row, forbidden)],
    }


def _leaks(row: dict, forbidden: frozenset[int]) -> bool:
    return any(corpus.overlaps(message["content"], forbidden) for message in row["messages"])


def encode(tokenizer: Tokenizer, rows: Iterable[dict], *, longest: int) -> list[np.ndarray]:
    """Each conversation as (2, length) uint16: ids, and 1 where the token is learnt. Longer ones are left out.

    Pieces are encoded one by one; every border between them is a mark, so the ids are those of the whole text.
    """
    encoded = []
    for row in rows:
        pieces = chat.parts(row["messages"], tools=row.get("tools", ()), documents=row.get("documents", ()))
        if row.get("only_last"):
            last = max(number for number, (_, learnt) in enumerate(pieces) if learnt)
            pieces = [(text, number == last) for number, (text, _) in enumerate(pieces)]
        ids = [tokenizer.encode(text, add_special_tokens=False).ids for text, _ in pieces]
        flags = [[int(learnt)] * len(part) for part, (_, learnt) in zip(ids, pieces, strict=True)]
        if sum(map(len, ids)) <= longest:
            encoded.append(np.array([list(chain(*ids)), list(chain(*flags))], dtype=np.uint16))
    return encoded


def plain(documents: Iterable[np.ndarray], *, longest: int) -> list[np.ndarray]:
    """Plain texts cut to a row, all learnt but the first mark."""
    cut = [document[:longest] for document in documents]
    return [np.stack([ids, (np.arange(len(ids)) > 0).astype(np.uint16)]) for ids in cut]


def pack_rows(pieces: Iterable[np.ndarray], *, length: int, pad: int, open_rows: int = 64) -> np.ndarray:
    """Fill rows of `length` without cutting a piece: each goes to the fullest open row that has room.

    Returns:
        (2, rows * length) uint16: ids and flags; what stays free is `pad`, not learnt.
    """
    done: list[list[np.ndarray]] = []
    opened: list[tuple[int, list[np.ndarray]]] = []
    for piece in pieces:
        size = piece.shape[1]
        fitting = [number for number, (used, _) in enumerate(opened) if used + size <= length]
        if fitting:
            number = max(fitting, key=lambda index: opened[index][0])
            opened[number] = (opened[number][0] + size, [*opened[number][1], piece])
        else:
            opened.append((size, [piece]))
        if len(opened) > open_rows:
            fullest = max(range(len(opened)), key=lambda index: opened[index][0])
            done.append(opened.pop(fullest)[1])
    done += [row for _, row in opened]
    table = np.zeros((2, len(done), length), dtype=np.uint16)
    table[0] = pad
    for number, row in enumerate(done):
        joined = np.concatenate(row, axis=1)
        table[:, number, : joined.shape[1]] = joined
    return table.reshape(2, -1)


def ordered(
    pools: dict[str, list[np.ndarray]], shares: dict[str, float], *, tokens: int, seed: int
) -> list[np.ndarray]:
    """Conversations in training order, so that every stretch holds the shares; a task that ends starts again."""
    dice = random.Random(seed)
    names = sorted(name for name in pools if pools[name] and name in shares)
    orders = {name: dice.sample(range(len(pools[name])), len(pools[name])) for name in names}
    used, given, chosen = dict.fromkeys(names, 0), dict.fromkeys(names, 0), []
    while sum(given.values()) < tokens:
        name = min(names, key=lambda key: given[key] / shares[key])
        piece = pools[name][orders[name][used[name] % len(orders[name])]]
        used[name] += 1
        given[name] += piece.shape[1]
        chosen.append(piece)
    return chosen


COPY_SHARES = {"repeat": 60, "copying": 10, "lookup": 10, "extraction": 5, "quotes": 5, "sentences": 10}
"""The same for the short rows of the copying phase: attention learns to find a word among few before among many."""


def make_shard(
    rows: dict[str, list[dict]],
    documents: list[np.ndarray],
    tokenizer: Tokenizer,
    path: Path,
    *,
    tokens: int,
    length: int,
    seed: int,
    shares: dict[str, float] = SHARES,
) -> None:
    """Write the shard, its mask, and beside them what went into it."""
    pools = {
        name: encode(tokenizer, conversation, longest=length) for name, conversation in rows.items() if name in shares
    }
    pools["text"] = plain(documents, longest=length)
    counts = {name: {"rows": len(pool), "tokens": int(sum(p.shape[1] for p in pool))} for name, pool in pools.items()}
    table = pack_rows(ordered(pools, shares, tokens=tokens, seed=seed), length=length, pad=tokenizer.token_to_id(PAD))
    shuffled = np.random.default_rng(seed).permutation(table.shape[1] // length)
    table = table.reshape(2, -1, length)[:, shuffled].reshape(2, -1)
    learnt = float(table[1].mean())
    logger.info("instruction shard: %d tokens, %.0f %% learnt", table.shape[1], 100 * learnt)
    path.with_suffix(".json").write_text(
        json.dumps({"tokens": table.shape[1], "learnt": learnt, "pools": counts}, indent=1)
    )
    packing.write_array(path.with_suffix(".mask.npy"), table[1].astype(np.uint8))
    packing.write_array(path, table[0])
