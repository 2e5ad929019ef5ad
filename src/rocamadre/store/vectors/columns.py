"""What every search looks at of every chunk, as arrays: alive or not, document, length, code.

The file keeps them by blocks of `BLOCK` slots. In memory a block has all its places, so that a slot's position is
simple arithmetic; places without a chunk are not alive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rocamadre.store.vectors import codes
from rocamadre.store.vectors.codes import Codes
from rocamadre.store.vectors.sqlite_file import Connection

BLOCK = 1024
_SHIFT = BLOCK.bit_length() - 1

Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """A state of the store; never changed. All arrays have one entry per place.

    Attributes:
        generation: Of the store, when this was read.
        blocks: Numbers of the blocks, rising.
        base: By block number: its first position; -1 where there is no such block.
        alive: Which places hold a chunk that can be found.
        documents: The documents' numbers.
        lengths: Terms per chunk.
        codes: Of the vectors.
    """

    generation: int
    blocks: Integers
    base: Integers
    alive: Bools
    documents: NDArray[np.int32]
    lengths: NDArray[np.int32]
    codes: Codes

    def positions(self, slots: Integers) -> Integers:
        """Where slots are; -1 for slots of blocks that are gone."""
        if not len(self.base):
            return np.full(len(slots), -1, np.int64)
        blocks = slots >> _SHIFT
        base = np.where(blocks < len(self.base), self.base[np.minimum(blocks, len(self.base) - 1)], -1)
        return np.where(base >= 0, base + (slots & (BLOCK - 1)), -1)

    def living(self, positions: Integers) -> Bools:
        """Which positions are of chunks that can be found; -1 is not."""
        living = positions >= 0
        living[living] = self.alive[positions[living]]
        return living

    def slots(self, positions: Integers) -> Integers:
        """The slots at positions."""
        slots: Integers = self.blocks[positions >> _SHIFT] * BLOCK + (positions & (BLOCK - 1))
        return slots


def read_columns(connection: Connection, dimensions: int, known: Columns | None) -> Columns:
    """The columns as they are, reading only blocks that changed since `known`."""
    generation = connection.execute("SELECT value FROM facts WHERE name = 'generation'").get
    if known is not None and known.generation == generation:
        return known
    stamps = connection.execute("SELECT number, generation FROM blocks ORDER BY number").fetchall()
    numbers = np.array([number for number, _ in stamps], np.int64)
    base = np.full(int(numbers[-1]) + 1 if len(numbers) else 0, -1, np.int64)
    base[numbers] = np.arange(len(numbers)) * BLOCK
    places = len(numbers) * BLOCK
    made = Columns(
        generation,
        numbers,
        base,
        np.zeros(places, np.bool_),
        np.zeros(places, np.int32),
        np.zeros(places, np.int32),
        Codes(
            np.zeros((codes.coded(dimensions) // 64, places), np.uint64),
            np.zeros(places, np.float32),
            np.zeros(places, np.float32),
        ),
    )
    recent = -1 if known is None else known.generation
    for at, (number, stamp) in enumerate(stamps):
        here = slice(at * BLOCK, (at + 1) * BLOCK)
        if known is not None and stamp <= recent:
            there = int(known.base[number])
            _copy(made, here, known, slice(there, there + BLOCK))
        else:
            block = Block.read(connection, number, dimensions)
            stop = here.start + len(block.alive)
            _copy(made, slice(here.start, stop), block, slice(None))
    return made


def _copy(into: Columns, here: slice, source: Columns | Block, there: slice) -> None:
    into.alive[here] = source.alive[there]
    into.documents[here] = source.documents[there]
    into.lengths[here] = source.lengths[there]
    into.codes.words[:, here] = source.codes.words[:, there]
    into.codes.scale[here] = source.codes.scale[there]
    into.codes.offset[here] = source.codes.offset[there]


@dataclass(slots=True)
class Block:
    """One block while it is written; arrays as long as places are taken."""

    alive: Bools
    documents: NDArray[np.int32]
    lengths: NDArray[np.int32]
    codes: Codes

    @classmethod
    def empty(cls, dimensions: int) -> Block:
        """A block without a place taken."""
        nothing = np.zeros(0, np.float32)
        words = np.zeros((codes.coded(dimensions) // 64, 0), np.uint64)
        integers = np.zeros(0, np.int32)
        return cls(np.zeros(0, np.bool_), integers, integers, Codes(words, nothing, nothing))

    @classmethod
    def read(cls, connection: Connection, number: int, dimensions: int) -> Block:
        """A block of the file."""
        row: Any = connection.execute(
            "SELECT alive, documents, lengths, scale, offset, words FROM blocks WHERE number = ?", (number,)
        ).get
        alive, documents, lengths, scale, offset, words = row
        return cls(
            np.frombuffer(alive, np.bool_).copy(),
            np.frombuffer(documents, np.int32),
            np.frombuffer(lengths, np.int32),
            Codes(
                np.frombuffer(words, np.uint64).reshape(codes.coded(dimensions) // 64, -1).copy(),
                np.frombuffer(scale, np.float32).copy(),
                np.frombuffer(offset, np.float32).copy(),
            ),
        )

    def extended(self, other: Block) -> Block:
        """This block and another behind it."""
        return Block(
            np.concatenate([self.alive, other.alive]),
            np.concatenate([self.documents, other.documents]),
            np.concatenate([self.lengths, other.lengths]),
            Codes(
                np.concatenate([self.codes.words, other.codes.words], axis=1),
                np.concatenate([self.codes.scale, other.codes.scale]),
                np.concatenate([self.codes.offset, other.codes.offset]),
            ),
        )

    def where(self, positions: Integers) -> Block:
        """Some places."""
        return Block(
            self.alive[positions],
            self.documents[positions],
            self.lengths[positions],
            Codes(self.codes.words[:, positions], self.codes.scale[positions], self.codes.offset[positions]),
        )

    def write(self, connection: Connection, number: int, generation: int) -> None:
        """Put it into the file; without a chunk alive it is taken out."""
        if not self.alive.any():
            connection.execute("DELETE FROM blocks WHERE number = ?", (number,))
            return
        arrays = (self.alive, self.documents, self.lengths, self.codes.scale, self.codes.offset, self.codes.words)
        connection.execute(
            "INSERT OR REPLACE INTO blocks VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            (number, generation, *(np.ascontiguousarray(array).tobytes() for array in arrays)),
        )


def append(connection: Connection, added: Block, start: int, dimensions: int, generation: int) -> None:
    """Write chunks at the slots from `start` on, which are all free."""
    done = 0
    while done < len(added.alive):
        number, offset = divmod(start + done, BLOCK)
        count = min(BLOCK - offset, len(added.alive) - done)
        block = Block.empty(dimensions)
        if offset:
            stored = connection.execute("SELECT 1 FROM blocks WHERE number = ?", (number,)).get
            block = Block.read(connection, number, dimensions) if stored else _unused(offset, dimensions)
        block.extended(added.where(np.arange(done, done + count))).write(connection, number, generation)
        done += count


def _unused(count: int, dimensions: int) -> Block:
    """Places that were taken by chunks that are gone."""
    integers = np.zeros(count, np.int32)
    floats = np.zeros(count, np.float32)
    words = np.zeros((codes.coded(dimensions) // 64, count), np.uint64)
    return Block(np.zeros(count, np.bool_), integers, integers, Codes(words, floats, floats))


def bury(connection: Connection, slots: Integers, dimensions: int, generation: int) -> None:
    """Mark chunks as gone."""
    for number in np.unique(slots >> _SHIFT).tolist():
        block = Block.read(connection, number, dimensions)
        block.alive[slots[slots >> _SHIFT == number] & (BLOCK - 1)] = False
        block.write(connection, number, generation)
