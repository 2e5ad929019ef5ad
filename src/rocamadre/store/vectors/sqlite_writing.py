"""One writing transaction of a SQLite store: documents out, documents in, and the indexes kept small."""

from __future__ import annotations

import json
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apsw
import numpy as np

from rocamadre.core.errors import InvalidRequest
from rocamadre.store.vectors import metadata, postings
from rocamadre.store.vectors.codes import encode
from rocamadre.store.vectors.columns import BLOCK, Block, Columns, Integers, append, bury, read_columns
from rocamadre.store.vectors.postings import Terms
from rocamadre.store.vectors.protocol import Chunk, Replacement, Vector
from rocamadre.store.vectors.sqlite_file import Connection

CENTRED_AT = (1024, 16_384)
"""Numbers of chunks at which the centre of the codes is settled, and settled again."""

DEAD_ALLOWED = 4096
"""Slots of removed chunks that are left beside as many again as there are chunks."""

_TEXT_LEVEL = 1


def centre_of(connection: Connection, dimensions: int) -> Vector:
    """What codes are centred on."""
    stored = connection.execute("SELECT value FROM facts WHERE name = 'centre'").get
    return np.zeros(dimensions, np.float32) if stored is None else np.frombuffer(stored, np.float32)


class Writing:
    """What one transaction does; it is begun and committed outside.

    Args:
        connection: In the transaction.
        dimensions: Of vectors.
        known: Columns as they were at some time.
        terms: As the transaction before left them; what was written by others meanwhile makes them void.

    Attributes:
        terms: As this transaction leaves them; void unless it is committed.
    """

    def __init__(
        self, connection: Connection, dimensions: int, known: Columns | None = None, terms: Terms | None = None
    ) -> None:
        self._connection = connection
        self._known = known
        self._dimensions = dimensions
        self._facts: dict[str, Any] = dict(
            connection.execute("SELECT name, value FROM facts WHERE name IN ('generation', 'slots', 'parents', 'dead')")
        )
        valid = terms is not None and terms.generation == self._facts["generation"]
        self._facts["generation"] += 1
        self.terms = terms if valid and terms is not None else Terms(0)
        self.terms.generation = self._facts["generation"]

    def replace(self, items: Sequence[Replacement]) -> None:
        """Make documents what is given."""
        old = [number for item in items for number in self._numbers(item.document, item.data_source)]
        self._remove(old)
        try:
            self._add(items)
        except apsw.ConstraintError as error:
            raise InvalidRequest(
                "a chunk has an id that a chunk of another document has; ids are unique in a knowledge base "
                "(store.vectors.protocol.chunk_id makes such)"
            ) from error
        self._finish()

    def delete(self, documents: Sequence[str], data_source: str) -> None:
        """Remove documents; those of all data sources where none is given."""
        self._remove([each for document in set(documents) for each in self._numbers(document, data_source or None)])
        self._finish()

    def _numbers(self, document: str, data_source: str | None) -> list[int]:
        sql = "SELECT number FROM documents WHERE id = ?"
        values = [document]
        if data_source is not None:
            sql += " AND data_source = ?"
            values.append(data_source)
        return [number for (number,) in self._connection.execute(sql, values)]

    # Out

    def _remove(self, numbers: Sequence[int]) -> None:
        if not numbers:
            return
        wanted = apsw.carray(np.array(numbers, np.int64))
        execute = self._connection.execute
        common = execute("SELECT number, metadata FROM carray(?) CROSS JOIN documents ON number = value", (wanted,))
        owned = [(-1 - number, json.loads(encoded)) for number, encoded in common]
        chunks = execute(
            "SELECT slot, language, metadata FROM carray(?) CROSS JOIN chunks ON document = value", (wanted,)
        ).fetchall()
        owned += [(slot, json.loads(encoded)) for slot, _, encoded in chunks if slot >= 0 and encoded != "{}"]
        metadata.remove(self._connection, owned)
        self._count(Counter(language for slot, language, _ in chunks if slot >= 0), -1)
        slots = np.array([slot for slot, _, _ in chunks if slot >= 0], np.int64)
        if len(slots):
            bury(self._connection, slots, self._dimensions, self._facts["generation"])
            execute("DELETE FROM vectors WHERE slot IN carray(?)", (apsw.carray(slots),))
            self._facts["dead"] += len(slots)
        execute("DELETE FROM chunks WHERE document IN carray(?)", (wanted,))
        execute("DELETE FROM texts WHERE document IN carray(?)", (wanted,))
        execute("DELETE FROM documents WHERE number IN carray(?)", (wanted,))

    def _count(self, languages: Mapping[str, int], sign: int) -> None:
        self._connection.executemany(
            "INSERT INTO languages VALUES(?, ?) ON CONFLICT DO UPDATE SET chunks = chunks + excluded.chunks",
            [(language, sign * count) for language, count in languages.items()],
        )
        self._connection.execute("DELETE FROM languages WHERE chunks = 0")

    # In

    def _add(self, items: Sequence[Replacement]) -> None:
        searched: list[tuple[int, int, Chunk]] = []
        owned: list[tuple[int, Mapping[str, Any]]] = []
        rows = []
        now = time.time()
        for item in items:
            common = metadata.shared([chunk.metadata for chunk in item.chunks])
            number = self._add_document(item, common, now)
            owned.append((-1 - number, common))
            for position, chunk in enumerate(item.chunks):
                slot = self._new_slot(chunk)
                own = {} if len(chunk.metadata) == len(common) else _own(chunk, common)
                if slot >= 0:
                    searched.append((slot, number, chunk))
                    owned.append((slot, own))
                rows.append(_row(slot, number, position, chunk, own))
        marks = ", ".join("?" * 13)
        self._connection.executemany(f"INSERT INTO chunks VALUES({marks})", rows)
        metadata.write(self._connection, owned)
        if searched:
            self._index(searched)

    def _add_document(self, item: Replacement, common: Mapping[str, Any], now: float) -> int:
        self._connection.execute(
            "INSERT INTO documents(data_source, id, content_hash, chunks, updated, metadata) VALUES(?, ?, ?, ?, ?, ?)",
            (item.data_source, item.document, item.content_hash, len(item.chunks), now, metadata.encoded(common)),
        )
        number: int = self._connection.last_insert_rowid()
        text = zlib.compress(item.text.encode(), _TEXT_LEVEL)
        self._connection.execute("INSERT INTO texts VALUES(?, ?)", (number, text))
        return number

    def _new_slot(self, chunk: Chunk) -> int:
        if chunk.embedding is None:
            self._facts["parents"] += 1
            return -int(self._facts["parents"])
        self._facts["slots"] += 1
        return int(self._facts["slots"]) - 1

    def _index(self, searched: Sequence[tuple[int, int, Chunk]]) -> None:
        vectors = np.stack([chunk.embedding for _, _, chunk in searched if chunk.embedding is not None])
        self._connection.executemany(
            "INSERT INTO vectors VALUES(?, ?)",
            ((slot, vector.tobytes()) for (slot, _, _), vector in zip(searched, vectors, strict=True)),
        )
        split = [(slot, chunk.terms.split()) for slot, _, chunk in searched]
        added = Block(
            np.ones(len(searched), np.bool_),
            np.array([number for _, number, _ in searched], np.int32),
            np.array([len(terms) for _, terms in split], np.int32),
            encode(vectors, centre_of(self._connection, self._dimensions)),
        )
        append(self._connection, added, searched[0][0], self._dimensions, self._facts["generation"])
        postings.write(self._connection, self.terms, split)
        self._count(Counter(chunk.language for _, _, chunk in searched), 1)

    # Order

    def _finish(self) -> None:
        self._keep_facts()
        alive = self._connection.execute("SELECT coalesce(sum(chunks), 0) FROM languages").get
        if self._facts["dead"] > alive + DEAD_ALLOWED:
            self._compact()
        else:
            self._gather()
        self._settle_centre(alive)
        self._keep_facts()

    def _keep_facts(self) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO facts VALUES(?, ?)", self._facts.items())

    def _columns(self) -> Columns:
        return read_columns(self._connection, self._dimensions, self._known)

    def _gather(self) -> None:
        fresh = self._connection.execute("SELECT count(*) FROM segments WHERE level = 0").get
        if fresh >= postings.FAN:
            postings.gather(self._connection, self._columns())

    def _compact(self) -> None:
        """Give chunks new slots without holes between them, in the same order."""
        columns = self._columns()
        positions = np.flatnonzero(columns.alive)
        renamed = np.full(len(columns.alive), -1, np.int64)
        renamed[positions] = np.arange(len(positions))
        postings.gather_all(self._connection, columns, renamed)
        self.terms.clear()
        self._rename(columns.slots(positions))
        self._connection.execute("DELETE FROM blocks")
        kept = Block(columns.alive, columns.documents, columns.lengths, columns.codes).where(positions)
        append(self._connection, kept, 0, self._dimensions, self._facts["generation"])
        self._facts |= {"slots": len(positions), "dead": 0}

    def _rename(self, slots: Integers) -> None:
        """Move the n-th of some slots, rising, to slot n: each to one that is free by then."""
        moved = [(new, old) for new, old in enumerate(slots.tolist()) if new != old]
        for table in ("chunks", "vectors"):
            self._connection.executemany(f"UPDATE {table} SET slot = ? WHERE slot = ?", moved)
        owned = self._connection.execute(
            "SELECT slot, metadata FROM chunks WHERE slot >= 0 AND metadata != '{}'"
        ).fetchall()
        self._connection.execute("DELETE FROM attributes WHERE owner >= 0")
        metadata.write(self._connection, [(slot, json.loads(encoded)) for slot, encoded in owned])

    def _settle_centre(self, alive: int) -> None:
        """Centre the codes on the vectors' mean once there are enough of them; all codes are then made again."""
        reached = max((each for each in CENTRED_AT if alive >= each), default=0)
        done = self._connection.execute("SELECT value FROM facts WHERE name = 'centred'").get or 0
        if reached <= done:
            return
        columns = self._columns()
        total = np.zeros(self._dimensions, np.float64)
        for vectors in self._vectors(columns):
            total += vectors.sum(axis=0, dtype=np.float64)
        centre = (total / max(int(columns.alive.sum()), 1)).astype(np.float32)
        for number, vectors in zip(columns.blocks.tolist(), self._vectors(columns), strict=True):
            block = Block.read(self._connection, number, self._dimensions)
            made = encode(vectors, centre)
            block.codes.words[:, block.alive] = made.words
            block.codes.scale[block.alive] = made.scale
            block.codes.offset[block.alive] = made.offset
            block.write(self._connection, number, self._facts["generation"])
        self._connection.execute(
            "INSERT OR REPLACE INTO facts VALUES('centre', ?), ('centred', ?)", (centre.tobytes(), reached)
        )

    def _vectors(self, columns: Columns) -> Iterator[Vector]:
        """The vectors of each block."""
        for at in range(len(columns.blocks)):
            positions = np.flatnonzero(columns.alive[at * BLOCK : (at + 1) * BLOCK]) + at * BLOCK
            rows = self._connection.execute(
                "SELECT vector FROM carray(?) CROSS JOIN vectors ON slot = value",
                (apsw.carray(columns.slots(positions)),),
            )
            yield np.frombuffer(b"".join(row[0] for row in rows), np.float32).reshape(-1, self._dimensions)


def _own(chunk: Chunk, common: Mapping[str, Any]) -> dict[str, Any]:
    """A chunk's metadata that its document's others do not share."""
    return {key: value for key, value in chunk.metadata.items() if key not in common}


def _row(slot: int, number: int, position: int, chunk: Chunk, own: Mapping[str, Any]) -> tuple[Any, ...]:
    return (
        slot,
        chunk.id,
        number,
        position,
        chunk.start,
        chunk.end,
        chunk.language,
        chunk.page,
        metadata.encoded(list(chunk.headings)),
        chunk.parent,
        metadata.encoded(own),
        chunk.text,
        chunk.terms,
    )
