"""What every vector store must do, as tests. To check one of your own:

```python
class TestMine(VectorSuite):
    @pytest.fixture
    def opener(self, tmp_path):
        return "my.package:open_for_tests", [str(tmp_path)]
```

The function gets those arguments, a name and `StoreFacts`, and opens the store of that name; given no facts, it uses
`vector_cases.FACTS`.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.store.vectors.filters import Condition, Filter, matches, parse_filter
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, StoreMismatch, VectorStore
from rocamadre.testing.vector_cases import (
    DIMENSIONS,
    FACTS,
    WORDS,
    batch,
    bm25,
    chunk,
    directions,
    load,
    many,
    one,
    unit,
)
from rocamadre.testing.vector_filters import FILTERS, TREATED, found_treated, write_treated

Opener = tuple[str, list[Any]]
Open = Callable[..., VectorStore]

RECALL = 0.98
KILLS = 4


class VectorSuite:
    """For implementations of `VectorStore`."""

    @pytest.fixture
    def opener(self, tmp_path: Any) -> Opener:
        """How a store is opened, also in another process; override it."""
        raise NotImplementedError("override `opener`")

    @pytest.fixture
    def open_store(self, opener: Opener) -> Iterator[Open]:
        """Opens a store by name; all are destroyed at the end."""
        opened: dict[str, VectorStore] = {}

        def opening(name: str = "one", facts: StoreFacts = FACTS) -> VectorStore:
            target, arguments = opener
            opened[name] = load(target, [*arguments, name, facts])
            return opened[name]

        yield opening
        for store in opened.values():
            store.destroy()

    @pytest.fixture
    def store(self, open_store: Open) -> VectorStore:
        """A new store."""
        return open_store()

    # What is written is there, as it was given

    def test_nothing_is_in_a_new_store(self, store: VectorStore) -> None:
        """It answers with nothing, not with an error."""
        assert store.facts == FACTS
        assert list(store.documents()) == []
        assert store.count() == 0
        assert store.languages() == {}
        assert store.by_vector(unit(1), limit=3) == []
        assert store.by_terms([("word", 1.0)], limit=3) == []
        assert store.by_vector(unit(1), limit=3, where=Condition("notEquals", "a", 1)) == []
        assert store.term_counts(["word"]) == {"word": 0}
        assert store.chunks(["nobody"]) == []
        assert store.of_document("nothing") == []
        with pytest.raises(NotFound):
            store.text("nothing")

    def test_chunks_come_back_as_they_were_given(self, store: VectorStore) -> None:
        """Every field of them, parents among them."""
        shared = {"source": "s3://b/ñ", "year": 2024, "ratio": 0.1, "good": True, "tags": ["x", "y"]}
        parent = chunk("d", "Whole text 🙂 of both", None, metadata=shared)
        first = chunk("d", "Whole text", unit(1, 2), metadata=shared | {"own": 1}, parent=parent.id)
        second = chunk(
            "d", "of both", unit(2, 1), at=13, metadata=shared | {"own": "1"}, language="es", parent=parent.id
        )
        store.replace("d", "ds", "h1", [first, parent, second], text="Whole text 🙂 of both")
        held = store.of_document("d")
        assert [each.id for each in held] == [first.id, parent.id, second.id]
        for got, expected in zip(held, (first, parent, second), strict=True):
            _assert_same(got, expected)
        assert store.text("d") == "Whole text 🙂 of both"
        assert [each.id for each in store.chunks([second.id, "unknown", parent.id])] == [second.id, parent.id]
        assert store.languages() == {"en": 1, "es": 1}
        assert store.count() == 2
        (row,) = store.documents()
        assert (row.id, row.data_source, row.content_hash, row.chunks) == ("d", "ds", "h1", 3)
        assert row.updated_at.tzinfo is not None

    def test_a_document_may_be_empty(self, store: VectorStore) -> None:
        """It is held, so that it is not read again."""
        store.replace("d", "ds", "h", [], text="")
        assert [row.chunks for row in store.documents()] == [0]
        assert store.text("d") == ""
        assert store.of_document("d") == []

    def test_parents_are_kept_but_not_found(self, store: VectorStore) -> None:
        """Neither by word nor by vector."""
        store.replace_many([one("p", "shared word", None), one("c", "shared child", unit(1))])
        assert [hit.chunk for hit in store.by_terms([("shared", 1.0)], limit=5)] == [store.of_document("c")[0].id]
        assert len(store.by_vector(unit(1), limit=5)) == 1
        assert store.term_counts(["shared", "word"]) == {"shared": 1, "word": 0}
        assert store.of_document("p")[0].embedding is None

    def test_replacing_leaves_nothing_of_what_was(self, store: VectorStore) -> None:
        """Not in any index."""
        store.replace_many([one("d", "old words", unit(1), metadata={"v": 1}), one("other", "more old", unit(0, 1))])
        before = store.of_document("d")[0].id
        store.replace_many([one("d", "new text", unit(0, 0, 1), metadata={"v": 2}, language="pt")])
        assert store.chunks([before]) == []
        assert store.term_counts(["old", "new", "words"]) == {"old": 1, "new": 1, "words": 0}
        assert [hit.chunk for hit in store.by_vector(unit(1), limit=9, where=Condition("equals", "v", 1))] == []
        assert [each.text for each in store.chunks([hit.chunk for hit in store.by_terms([("new", 1)], limit=9)])] == [
            "new text"
        ]
        assert store.languages() == {"en": 1, "pt": 1}
        assert store.text("d") == "new text"
        assert [row.content_hash for row in store.documents()] == ["hash of new text", "hash of more old"]
        store.replace_many([one("d", "new text", unit(0, 0, 1))])
        assert store.count() == 2

    def test_deleting_leaves_nothing(self, store: VectorStore) -> None:
        """Not in any index either."""
        store.replace_many([*many(20), one("d1", "elsewhere", unit(1), source="other")])
        store.delete(["d1", "d2", "unknown"])
        assert {row.id for row in store.documents()} == {f"d{number}" for number in range(20)} - {"d1", "d2"}
        assert store.count() == 18
        found = store.by_vector(directions(20)[1], limit=30)
        assert len(found) == 18
        assert {each.document for each in store.chunks([hit.chunk for hit in found])}.isdisjoint({"d1", "d2"})
        assert store.by_vector(unit(1), limit=9, where=Condition("equals", "number", 2)) == []
        assert store.term_counts(["elsewhere"]) == {"elsewhere": 0}
        with pytest.raises(NotFound):
            store.text("d2")

    def test_data_sources_may_hold_the_same_document(self, store: VectorStore) -> None:
        """They do not touch each other."""
        items = [one("d", "same", unit(1), source="b"), one("d", "same", unit(1), source="a"), one("c", "x", unit(1))]
        store.replace_many(items)
        assert [(row.data_source, row.id) for row in store.documents()] == [("a", "d"), ("b", "d"), ("ds", "c")]
        assert [row.data_source for row in store.documents(data_source="b")] == ["b"]
        assert store.of_document("d")[0].id == items[1].chunks[0].id
        assert store.of_document("d", data_source="b")[0].id == items[0].chunks[0].id
        store.delete(["d"], data_source="a")
        assert [(row.data_source, row.id) for row in store.documents()] == [("b", "d"), ("ds", "c")]
        assert store.text("d") == "same"

    def test_of_two_for_one_document_the_later_counts(self, store: VectorStore) -> None:
        """In one transaction."""
        store.replace_many([one("d", "first", unit(1)), one("e", "e", unit(1)), one("d", "second", unit(1))])
        assert [each.text for each in store.of_document("d")] == ["second"]

    @pytest.mark.parametrize(
        "wrong",
        [
            one("d", "short", unit(1, dimensions=8)),
            one("d", "long", unit(1) * np.float32(2)),
            one("d", "none", unit(1) * np.float32(np.nan)),
            one("d", "wide", unit(1).astype(np.float64)),
            one("d", "half \ud800", unit(1)),
            one("d", "meta", unit(1), metadata={"a": {"b": 1}}),
            one("d", "meta", unit(1), metadata={"a": float("inf")}),
            Replacement("d", "ds", "h", [chunk("e", "other", unit(1))], "other"),
            Replacement("d", "ds", "h", [chunk("d", "twice", unit(1))] * 2, "twice"),
            Replacement("d", "ds", "h", [chunk("good", "fine", unit(1))], "taken"),
        ],
        ids=lambda item: item.chunks[0].text.encode("ascii", "replace").decode(),
    )
    def test_what_does_not_fit_is_refused_and_nothing_written(self, store: VectorStore, wrong: Replacement) -> None:
        """Nor what came before it in the transaction."""
        store.replace_many([one("good", "fine", unit(1))])
        with pytest.raises(InvalidRequest):
            store.replace_many([one("before", "before", unit(1)), wrong])
        assert [row.id for row in store.documents()] == ["good"]
        assert store.count() == 1

    def test_ids_are_unique_among_documents(self, store: VectorStore) -> None:
        """A chunk is not taken from another document."""
        store.replace_many([one("good", "fine", unit(1))])
        thief = Chunk(store.of_document("good")[0].id, "thief", "fine", 0, 4, terms="fine", embedding=unit(1))
        with pytest.raises(InvalidRequest, match="unique"):
            store.replace("thief", "ds", "h", [thief], text="fine")
        assert [row.id for row in store.documents()] == ["good"]

    # Searching

    def test_the_nearest_come_first(self, store: VectorStore) -> None:
        """Cosines, whatever the length of the query; ties by id."""
        store.replace_many([one("b", "b", unit(1, 1)), one("far", "far", unit(-1)), one("a", "a", unit(1, 1))])
        hits = store.by_vector(np.array([5] + [0] * (DIMENSIONS - 1), np.float32), limit=3)
        tied = sorted(store.of_document(name)[0].id for name in "ab")
        assert [hit.chunk for hit in hits] == [*tied, store.of_document("far")[0].id]
        assert [hit.score for hit in hits] == pytest.approx([2**-0.5, 2**-0.5, -1], abs=1e-6)
        assert len(store.by_vector(unit(1), limit=1)) == 1

    @pytest.mark.parametrize("vector", [np.zeros(DIMENSIONS), np.ones(3), np.full(DIMENSIONS, np.nan)])
    def test_a_query_must_fit(self, store: VectorStore, vector: Any) -> None:
        """Its shape, its direction, its limit."""
        with pytest.raises(InvalidRequest):
            store.by_vector(vector, limit=1)
        with pytest.raises(InvalidRequest):
            store.by_terms([("a", 1.0)], limit=0)

    def test_recall_with_and_without_a_filter(self, store: VectorStore) -> None:
        """Against all vectors compared; always as many as were asked for."""
        count = 6000
        items = many(count, metadata=lambda number: {"half": number % 2 == 0, "tenth": number % 10})
        for start in range(0, count, 500):
            store.replace_many(items[start : start + 500])
        vectors = directions(count)
        ids = np.array([item.chunks[0].id for item in items])
        filters: list[tuple[Filter | None, Any]] = [
            (None, np.ones(count, bool)),
            (Condition("equals", "half", True), np.arange(count) % 2 == 0),
            (Condition("equals", "tenth", 3), np.arange(count) % 10 == 3),
        ]
        for where, kept in filters:
            found = 0
            for query in directions(30, seed=1):
                hits = store.by_vector(query, limit=10, where=where)
                assert len(hits) == 10
                best = ids[kept][np.argsort(-(vectors[kept] @ query), kind="stable")[:10]]
                found += len({hit.chunk for hit in hits} & set(best.tolist()))
            assert found / 300 >= RECALL

    def test_words_score_by_bm25_with_weights(self, store: VectorStore) -> None:
        """Against the formula, also after deletions."""
        items = many(300)
        store.replace_many(items[:170])
        store.replace_many(items[170:])
        store.delete([f"d{number}" for number in range(0, 300, 7)])
        left = [item for item in items if int(item.document[1:]) % 7]
        where = Condition("lessThan", "number", 150)
        small = {item.chunks[0].id for item in left if int(item.document[1:]) < 150}
        chance = random.Random(2)
        for k1, b in ((1.2, 0.75), (0.9, 0.4), (2.0, 0.0), (0.0, 1.0)):
            terms = [(chance.choice([*WORDS, "unheard"]), chance.choice((1.0, 0.3, 2.5))) for _ in range(5)]
            scores = bm25(left, terms, k1=k1, b=b)
            _assert_ranked(store.by_terms(terms, limit=20, k1=k1, b=b), scores, 20)
            kept = {identity: score for identity, score in scores.items() if identity in small}
            _assert_ranked(store.by_terms(terms, limit=20, where=where, k1=k1, b=b), kept, 20)
        held = {word: sum(word in item.chunks[0].terms.split() for item in left) for word in WORDS}
        assert store.term_counts(WORDS) == held
        assert store.by_terms([], limit=3) == []

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({"equals": {"key": "animal", "value": "cat"}}, [1, 4]),
            ({"notEquals": {"key": "animal", "value": "cat"}}, [0, 2, 3, 5, 6, 7]),
            ({"greaterThan": {"key": "year", "value": 1989}}, [2, 5, 7]),
            ({"greaterThanOrEquals": {"key": "year", "value": 1989}}, [1, 2, 5, 7]),
            ({"lessThan": {"key": "year", "value": 1989.0}}, [3]),
            ({"lessThanOrEquals": {"key": "year", "value": 1989}}, [1, 3]),
            ({"in": {"key": "animal", "value": ["dog", "camel"]}}, [2, 3, 4]),
            ({"notIn": {"key": "animal", "value": ["dog", "camel"]}}, [0, 1, 5, 6, 7]),
            ({"startsWith": {"key": "animal", "value": "ca"}}, [1, 3, 4]),
            ({"listContains": {"key": "tags", "value": "bc"}}, [1, 3]),
            ({"stringContains": {"key": "animal", "value": "at"}}, [1, 4, 5]),
            ({"stringContains": {"key": "tags", "value": "c"}}, [1, 3, 6]),
            ({"equals": {"key": "good", "value": True}}, [1]),
            ({"equals": {"key": "good", "value": 1}}, [5]),
            ({"equals": {"key": "year", "value": 9007199254740993}}, [5]),
            ({"equals": {"key": "deep.key $", "value": "x"}}, [7]),
        ],
        ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
    )
    def test_each_operator(self, store: VectorStore, where: dict[str, Any], expected: list[int]) -> None:
        """By hand."""
        write_treated(store)
        assert found_treated(store, parse_filter(where)) == expected

    def test_any_filter_agrees_with_the_plain_evaluator(self, store: VectorStore) -> None:
        """Random trees."""
        write_treated(store)

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(FILTERS)
        def check(where: Filter) -> None:
            expected = [number for number, metadata in enumerate(TREATED) if matches(where, metadata)]
            assert found_treated(store, where) == expected

        check()

    # Many writes, several users, deaths

    def test_any_order_of_writes_gives_the_same_store(self, store: VectorStore) -> None:
        """Against a dictionary."""
        chance = random.Random(3)
        held: dict[str, Replacement] = {}
        for turn in range(60):
            changed = [one(name, text, vector, metadata={"turn": turn}) for name, text, vector in _some(chance, turn)]
            store.replace_many(changed)
            held |= {item.document: item for item in changed}
            gone = chance.sample(sorted(held), k=min(2, len(held) - 1)) if turn % 3 == 0 else []
            store.delete(gone)
            for name in gone:
                del held[name]
        assert {row.id for row in store.documents()} == set(held)
        scores = bm25(list(held.values()), [("a", 1.0), ("b", 2.0)], k1=1.2, b=0.75)
        _assert_ranked(store.by_terms([("a", 1.0), ("b", 2.0)], limit=50), scores, 50)
        for hit in store.by_vector(unit(1), limit=100):
            (each,) = store.chunks([hit.chunk])
            _assert_same(each, held[each.document].chunks[0])
        last = held[next(iter(held))].chunks[0].metadata["turn"]
        expected = {name for name, item in held.items() if item.chunks[0].metadata["turn"] == last}
        hits = store.by_vector(unit(1), limit=100, where=Condition("equals", "turn", last))
        assert {each.document for each in store.chunks([hit.chunk for hit in hits])} == expected

    def test_a_store_opened_again_is_the_same(self, open_store: Open) -> None:
        """And may be closed twice."""
        store = open_store()
        store.replace_many(many(50))
        before = store.by_vector(unit(1), limit=10), store.by_terms([("w1", 1.0)], limit=10)
        store.close()
        store.close()
        again = open_store()
        assert (again.by_vector(unit(1), limit=10), again.by_terms([("w1", 1.0)], limit=10)) == before

    @pytest.mark.parametrize(
        "other",
        [
            StoreFacts("another", DIMENSIONS, "hash-of-weights", "hash-of-settings"),
            StoreFacts("suite-embedder", 64, "hash-of-weights", "hash-of-settings"),
            StoreFacts("suite-embedder", DIMENSIONS, "other weights", "hash-of-settings"),
            StoreFacts("suite-embedder", DIMENSIONS, "hash-of-weights", "other"),
        ],
    )
    def test_a_store_is_not_opened_for_something_else(self, open_store: Open, other: StoreFacts) -> None:
        """Each fact counts."""
        open_store().close()
        with pytest.raises(StoreMismatch):
            open_store(facts=other)

    def test_two_stores_never_mix(self, open_store: Open) -> None:
        """Not even when one is destroyed."""
        one_of, other = open_store("one"), open_store("two")
        one_of.replace_many([one("d", "here", unit(1))])
        other.replace_many([one("d", "there", unit(1)), one("e", "there too", unit(1))])
        assert one_of.term_counts(["here", "there"]) == {"here": 1, "there": 0}
        assert one_of.count() == 1
        other.delete(["d"])
        assert one_of.text("d") == "here"
        other.destroy()
        assert [row.id for row in one_of.documents()] == ["d"]
        assert open_store("two").count() == 0

    def test_two_openings_of_one_store_see_the_same(self, open_store: Open) -> None:
        """As a server and its worker have."""
        first, second = open_store(), open_store()
        first.replace_many([one("d", "word", unit(1))])
        assert len(second.by_vector(unit(1), limit=5)) == 1
        second.replace_many([one("e", "word", unit(1))])
        assert first.term_counts(["word"]) == {"word": 2}
        first.delete(["d", "e"])
        assert second.by_terms([("word", 1.0)], limit=5) == []
        first.close()

    def test_readers_see_whole_transactions(self, store: VectorStore) -> None:
        """Three threads read while two write."""
        store.replace_many(batch(0))
        done = threading.Event()
        with ThreadPoolExecutor(5) as threads:
            readers = [threads.submit(_read_until, store, done) for _ in range(3)]
            writers = [threads.submit(_write, store, start) for start in (1, 101)]
            try:
                for writer in writers:
                    writer.result()
            finally:
                done.set()
            for reader in readers:
                reader.result()
        assert store.count() == 4 * (1 + 2 * 17)

    def test_killed_at_any_moment_it_holds_whole_transactions(self, opener: Opener, open_store: Open) -> None:
        """And all that were acknowledged."""
        target, arguments = opener
        chance = random.Random(5)
        seen = -1
        for _ in range(KILLS):
            open_store().close()
            command = [sys.executable, "-m", "rocamadre.testing.vector_cases", target, json.dumps([*arguments, "one"])]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
                assert writer.stdout is not None
                for _ in range(chance.randint(1, 12)):
                    seen = int(writer.stdout.readline())
                threading.Event().wait(chance.random() * 0.02)
                writer.kill()
                rest = writer.stdout.read().split()
            seen = int(rest[-1]) if rest else seen
            store = open_store()
            documents = {row.id: row.chunks for row in store.documents()}
            assert set(documents.values()) == {4}
            assert f"b{seen}-1" in documents
            assert documents.keys() >= {f"b{number}-2" for number in range(seen + 1)}
            (version,) = {each.metadata["batch"] for each in store.of_document("same")}
            assert version in (seen, seen + 1)
            assert store.count() == 4 * len(documents)
            assert store.term_counts([f"batch{seen}"])[f"batch{seen}"] == (8 if version > seen else 12)
            store.destroy()


def _write(store: VectorStore, start: int) -> None:
    for number in range(start, start + 8):
        store.replace_many(batch(number))


def _read_until(store: VectorStore, done: threading.Event) -> None:
    while not done.is_set():
        counts = store.term_counts(["part0", "part1", "part2", "part3"])
        assert len(set(counts.values())) == 1, counts
        held = store.of_document("same")
        assert len(held) == 4
        assert len({each.metadata["batch"] for each in held}) == 1
        assert len(store.by_vector(unit(1), limit=500)) % 4 == 0


def _some(chance: random.Random, turn: int) -> Iterator[tuple[str, str, Any]]:
    for number in chance.sample(range(40), k=3):
        yield f"d{number}", " ".join(chance.choices("aabc", k=5)), directions(1, seed=1000 * turn + number)[0]


def _assert_ranked(hits: Sequence[Any], scores: dict[str, float], limit: int) -> None:
    expected = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], rel=1e-5)
    for hit in hits:
        assert hit.score == pytest.approx(scores[hit.chunk], rel=1e-5)


def _assert_same(got: Chunk, expected: Chunk) -> None:
    for name in ("id", "document", "text", "start", "end", "language", "terms", "page", "headings", "parent"):
        assert getattr(got, name) == getattr(expected, name)
    assert json.dumps(dict(got.metadata), sort_keys=True) == json.dumps(dict(expected.metadata), sort_keys=True)
    if expected.embedding is None:
        assert got.embedding is None
    else:
        assert got.embedding is not None
        assert np.array_equal(got.embedding, expected.embedding)
