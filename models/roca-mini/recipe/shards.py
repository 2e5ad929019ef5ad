"""Token shards on disk and the batches drawn from them.

A shard is one array of 16-bit ids. The highest bit of an id says that the token is read but not learnt (a question,
padding). A shard of texts is one stream; a shard of conversations has the ends of its pieces beside it, so that they
can be packed into whole rows of any length.
"""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from vocabulary import BOS, END_OF_TEXT

READ_ONLY = 0x8000
PATTERN = 4096
"""Rows after which the order of pools repeats."""


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        np.save(out, array)
    partial.replace(path)


def write_json(path: Path, value: object) -> None:
    """The same for JSON."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], *, together: int = 500) -> np.ndarray:
    """Every text as begin mark, ids, end mark, one after another; uint16."""
    begin, end = tokenizer.token_to_id(BOS), tokenizer.token_to_id(END_OF_TEXT)
    parts = []
    for start in range(0, len(texts), together):
        encoded = tokenizer.encode_batch_fast(list(texts[start : start + together]), add_special_tokens=False)
        parts += [np.array([begin, *item.ids, end], dtype=np.uint16) for item in encoded]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint16)


def save_texts(path: Path, ids: np.ndarray) -> None:
    write_array(path, ids)


def save_pieces(path: Path, pieces: Sequence[np.ndarray]) -> None:
    """Write conversations; the ends first, because a shard counts as there when its ids are."""
    write_array(path.with_suffix(".ends.npy"), np.cumsum([len(piece) for piece in pieces], dtype=np.int64))
    write_array(path, np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint16))


def load_pieces(path: Path) -> list[np.ndarray]:
    """The conversations of a shard."""
    ends = np.load(path.with_suffix(".ends.npy"))
    return np.split(np.load(path), ends[:-1]) if len(ends) else []


def pack_rows(pieces: Iterable[np.ndarray], *, length: int, pad: int, open_rows: int = 48) -> np.ndarray:
    """Fill rows without cutting a piece: each goes to the fullest of the open rows that has room; longer ones are left.

    Returns:
        (rows, length) uint16; what stays free is `pad`, not learnt.
    """
    done: list[list[np.ndarray]] = []
    room = np.zeros(open_rows, dtype=np.int64)
    opened: list[list[np.ndarray]] = [[] for _ in range(open_rows)]
    for piece in pieces:
        size = len(piece)
        if size > length:
            continue
        fitting = np.where(room >= size, room, length + 1)
        number = int(fitting.argmin())
        if fitting[number] > length:
            number = int(room.argmin())
            if opened[number]:
                done.append(opened[number])
            opened[number], room[number] = [], length
        opened[number].append(piece)
        room[number] -= size
    done += [row for row in opened if row]
    table = np.full((len(done), length), pad | READ_ONLY, dtype=np.uint16)
    for number, row in enumerate(done):
        joined = np.concatenate(row)
        table[number, : len(joined)] = joined
    return table


class Batches:
    """Batch number to batch, the same on every machine and after every restart.

    The rows of a batch come from the pools in the given shares; each pool's rows are gone through in a new random order
    (and for streams from a new offset) every time it ends. All tokens lie on the device: a batch is one gather.

    Args:
        streams: Texts, one uint16 stream each.
        tables: Packed conversations, (rows, length) uint16 each.
        shares: By pool; pools that are too short for a row are left out.
    """

    def __init__(
        self,
        streams: Mapping[str, np.ndarray],
        tables: Mapping[str, np.ndarray],
        shares: Mapping[str, float],
        *,
        rows: int,
        length: int,
        seed: int,
        device: torch.device,
    ) -> None:
        self.rows, self.length, self.seed = rows, length, seed
        self.names = [name for name in sorted(streams) if len(streams[name]) > 2 * length and shares.get(name)]
        self.streaming = len(self.names)
        self.names += [name for name in sorted(tables) if len(tables[name]) and shares.get(name)]
        if not self.names:
            raise ValueError(f"no pool holds a row of {length} tokens; prepare more data or choose shorter rows")
        flat = [streams[name] for name in self.names[: self.streaming]]
        flat += [tables[name].reshape(-1) for name in self.names[self.streaming :]]
        self.sizes = [len(part) for part in flat]
        self.bases = np.concatenate([[0], np.cumsum(self.sizes)])
        joined = np.concatenate([*flat, np.array([READ_ONLY], dtype=np.uint16)])
        self.ids = torch.from_numpy(joined.view(np.int16)).to(device)
        self.reach = torch.arange(length + 1, device=device)
        self._plan([shares[name] for name in self.names])
        self.orders: dict[tuple[int, int], tuple[np.ndarray, int]] = {}

    def _plan(self, shares: list[float]) -> None:
        """Which pool each row of the repeating pattern is from, and its rank among the rows of that pool."""
        exact = np.array(shares) / sum(shares) * PATTERN
        counts = np.maximum(np.floor(exact).astype(int), 1)
        while counts.sum() != PATTERN:
            gap = exact - counts
            number = int(gap.argmax() if counts.sum() < PATTERN else np.where(counts > 1, gap, np.inf).argmin())
            counts[number] += 1 if counts.sum() < PATTERN else -1
        pattern = np.repeat(np.arange(len(counts)), counts)
        np.random.default_rng(self.seed).shuffle(pattern)
        ranks = np.zeros(PATTERN, dtype=np.int64)
        for number in range(len(counts)):
            ranks[pattern == number] = np.arange(counts[number])
        self.counts, self.pattern, self.ranks = counts, pattern, ranks

    def _order(self, pool: int, epoch: int) -> tuple[np.ndarray, int]:
        """The order of a pool's rows in one pass over it, and the offset of the first."""
        if (pool, epoch) not in self.orders:
            dice = np.random.default_rng((self.seed, pool, epoch))
            shift = int(dice.integers(self.length)) if pool < self.streaming else 0
            count = (self.sizes[pool] - shift - (pool < self.streaming)) // self.length
            self.orders = {key: kept for key, kept in self.orders.items() if key[0] != pool}
            self.orders[pool, epoch] = (dice.permutation(count), shift)
        return self.orders[pool, epoch]

    def passes(self, batch: int) -> dict[str, float]:
        """How often each pool has been gone through before that batch."""
        done = batch * self.rows / PATTERN * self.counts * self.length / np.array(self.sizes)
        return dict(zip(self.names, done.round(2).tolist(), strict=True))

    def starts(self, batch: int) -> np.ndarray:
        """Where the rows of a batch start, (rows,) int64."""
        found = np.zeros(self.rows, dtype=np.int64)
        for row in range(self.rows):
            cycle, place = divmod(batch * self.rows + row, PATTERN)
            pool = int(self.pattern[place])
            turn = cycle * int(self.counts[pool]) + int(self.ranks[place])
            # A stream's passes differ by a row at most in length: the shortest is taken for all.
            per_pass = (self.sizes[pool] - (self.length if pool < self.streaming else 0)) // self.length
            epoch, index = divmod(turn, per_pass)
            order, shift = self._order(pool, epoch)
            found[row] = self.bases[pool] + shift + int(order[index]) * self.length
        return found

    def at(self, batch: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a batch, each (rows, length) int64; targets that are not learnt are -100."""
        starts = torch.from_numpy(self.starts(batch)).to(self.ids.device)
        window = self.ids[starts[:, None] + self.reach].long()
        ids = window & (READ_ONLY - 1)
        targets = ids.masked_fill(window < 0, -100)
        return ids[:, :-1].contiguous(), targets[:, 1:].contiguous()


def shuffled(pieces: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """The pieces in a seeded order."""
    return random.Random(seed).sample(pieces, len(pieces))
