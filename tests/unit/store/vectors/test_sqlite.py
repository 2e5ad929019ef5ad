from __future__ import annotations

import random
import sqlite3
from dataclasses import replace

import apsw
import numpy as np
import pytest

from rocamadre.core.errors import Conflict, InvalidRequest
from rocamadre.store.vectors import postings, sqlite_writing
from rocamadre.store.vectors.filters import Condition
from rocamadre.store.vectors.protocol import Replacement, StoreDamaged, StoreMismatch
from rocamadre.store.vectors.sqlite import SqliteVectors
from rocamadre.testing.vector_cases import FACTS, bm25, directions, many, one, unit


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kb" / "one.sqlite"


@pytest.fixture
def store(path):
    made = SqliteVectors(path, FACTS)
    yield made
    made.destroy()


def test_nothing_is_left_of_a_destroyed_store(path):
    store = SqliteVectors(path, FACTS)
    other = SqliteVectors(path, FACTS)
    store.replace_many(many(20))
    other.count()
    assert path.stat().st_mode & 0o777 == 0o600
    store.destroy()
    assert list(path.parent.iterdir()) == []
    other.close()
    store.destroy()
    assert list(path.parent.iterdir()) == []


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(Conflict, match="closed"):
        store.count()


def test_what_is_no_store_is_refused(path):
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(StoreDamaged, match="damaged"):
        SqliteVectors(path, FACTS)
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE t(x)").connection.close()
    with pytest.raises(StoreDamaged, match="no store"):
        SqliteVectors(path, FACTS)


def test_a_damaged_store_says_so(path):
    store = SqliteVectors(path, FACTS)
    store.replace_many(many(300))
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 8192):
        content[page * 8192 : page * 8192 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="ingest the documents again"):
        SqliteVectors(path, FACTS).by_vector(unit(1), limit=3)


def test_an_empty_file_becomes_a_store(path):
    """What a kill leaves that came right after the file was made."""
    path.parent.mkdir()
    path.touch()
    store = SqliteVectors(path, FACTS)
    assert store.count() == 0
    store.destroy()


@pytest.mark.parametrize(("version", "remedy"), [(99, "update Rocamadre"), (-1, "new knowledge base")])
def test_another_schema_is_refused(path, version, remedy):
    SqliteVectors(path, FACTS).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    with pytest.raises(StoreMismatch, match=remedy):
        SqliteVectors(path, FACTS)


def test_a_store_of_the_first_schema_goes_on(path):
    """It kept a row for each term of each segment, and nothing packed."""
    store = SqliteVectors(path, FACTS)
    for start in (0, 40, 80):
        store.replace_many(many(120)[start : start + 40])
    words = [(f"w{number}", 1.0) for number in range(120)] + [("common", 0.5)]
    expected = store.by_terms(words, limit=120)
    store.close()
    with apsw.Connection(str(path)) as connection:
        for segment, *arrays in connection.execute("SELECT * FROM packed").fetchall():
            terms, bounds, slots = (np.frombuffer(each, np.uint32) for each in arrays[:3])
            counts = np.frombuffer(arrays[3], np.uint16)
            for term, start, stop in zip(terms.tolist(), bounds.tolist(), bounds.tolist()[1:], strict=False):
                row = (segment, term, slots[start:stop].tobytes(), counts[start:stop].tobytes())
                connection.execute("INSERT INTO postings VALUES(?, ?, ?, ?)", row)
        connection.execute("DROP TABLE packed; PRAGMA user_version = 1")
    connection.close()
    store = SqliteVectors(path, FACTS)
    assert store.by_terms(words, limit=120) == expected
    for number in range(postings.FAN):
        store.replace_many([one(f"more{number}", "w0 common", unit(number + 1))])
    assert len(store.by_terms([("w0", 1.0)], limit=200)) >= postings.FAN
    store.destroy()


def test_terms_that_another_writer_numbered_are_noticed(path):
    store, other = SqliteVectors(path, FACTS), SqliteVectors(path, FACTS)
    store.replace_many([one("a", "first second", unit(1))])
    other.replace_many([one("b", "third", unit(2))])
    store.replace_many([one("c", "fourth first third", unit(3))])
    taken = replace(one("d", "fifth", unit(4)).chunks[0], id=one("a", "first second", unit(1)).chunks[0].id)
    with pytest.raises(InvalidRequest, match="unique"):
        store.replace_many([Replacement("d", "ds", "hash", [taken], "fifth")])
    other.replace_many([one("f", "seventh", unit(6))])
    store.replace_many([one("g", "fifth sixth", unit(7))])
    names = "first second third fourth fifth sixth seventh".split()
    assert list(store.term_counts(names).values()) == [2, 1, 2, 1, 1, 1, 1]
    other.close()
    store.destroy()


def test_slots_of_removed_chunks_are_used_again(store, monkeypatch):
    """Small limits, so that a few writes bring segments together and pack blocks many times over."""
    monkeypatch.setattr(sqlite_writing, "DEAD_ALLOWED", 20)
    monkeypatch.setattr(sqlite_writing, "CENTRED_AT", (30, 60))
    chance = random.Random(1)
    held = {}
    for turn in range(80):
        items = [
            one(
                f"d{number}",
                f"w{turn} w{number} common",
                directions(1, seed=97 * turn + number)[0],
                metadata={"n": turn},
            )
            for number in chance.sample(range(70), k=6)
        ]
        items.append(one(f"p{turn % 5}", "parent", None, metadata={"n": turn}))
        store.replace_many(items)
        held |= {item.document: item for item in items}
        if turn % 5 == 0:
            gone = chance.sample(sorted(held), k=5)
            store.delete(gone)
            for name in gone:
                del held[name]
    facts = dict(sqlite3.connect(store._file.path).execute("SELECT name, value FROM facts"))
    segments = sqlite3.connect(store._file.path).execute("SELECT count(*) FROM segments").fetchone()[0]
    assert facts["slots"] < 200
    assert facts["centred"] == 60
    assert segments < 2 * postings.FAN
    searched = [item for item in held.values() if item.chunks[0].embedding is not None]
    assert store.count() == len(searched)
    assert {hit.chunk for hit in store.by_vector(unit(1), limit=200)} == {item.chunks[0].id for item in searched}
    found = {hit.chunk: hit.score for hit in store.by_terms([("common", 1.0), ("w79", 2.0)], limit=200)}
    assert found == pytest.approx(bm25(searched, [("common", 1.0), ("w79", 2.0)], k1=1.2, b=0.75))
    for turn in range(80):
        expected = {item.chunks[0].id for item in searched if item.chunks[0].metadata["n"] == turn}
        hits = store.by_vector(unit(1), limit=200, where=Condition("equals", "n", turn))
        assert {hit.chunk for hit in hits} == expected
    for name, item in held.items():
        (got,) = store.of_document(name)
        assert (got.id, dict(got.metadata)) == (item.chunks[0].id, item.chunks[0].metadata)


def test_terms_that_nothing_holds_are_forgotten(store, path, monkeypatch):
    monkeypatch.setattr(sqlite_writing, "DEAD_ALLOWED", 0)
    store.replace_many([one("d", "confidential", unit(1)), one("e", "public", unit(1))])
    store.delete(["d"])
    store.replace_many([one("e", "other", unit(1))])
    store.replace_many([one("e", "another", unit(1))])
    store.close()
    assert b"confidential" not in path.read_bytes()


def test_more_than_a_few_thousand_are_chosen_by_their_codes(store):
    items = many(3000)
    store.replace_many(items)
    vectors = directions(3000)
    for query in directions(10, seed=2):
        hits = store.by_vector(query, limit=2000)
        best = np.sort(vectors @ query)[::-1][:2000]
        assert [hit.score for hit in hits[:100]] == pytest.approx(best[:100].tolist(), abs=1e-5)
        assert len(hits) == 2000


def test_a_half_character_is_found_nowhere(store):
    store.replace_many([one("d", "word", unit(1))])
    assert store.by_terms([("\ud800", 1.0)], limit=1) == []
    assert store.term_counts(["\ud800"]) == {"\ud800": 0}
    assert store.chunks(["\ud800"]) == []
    assert store.of_document("\ud800") == []
    store.delete(["\ud800"])
    with pytest.raises(InvalidRequest):
        store.replace_many([one("\ud800", "word", unit(1))])
