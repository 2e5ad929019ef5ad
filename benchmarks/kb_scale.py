"""A knowledge base of 100,000 chunks: time to build, to open and to ask; recall, memory, disk; a million by projection.

`python -m benchmarks.kb_scale [--chunks N] [--smaller N] [--questions N] [--passages N] [--beside] [--store pgvector]`

`ROCA_DATA` names the folder of the data sets; `--home` a state folder with the prepared MiniLM. Real passages and
questions in three languages are embedded once (and kept in the home's cache). A chunk's vector lies between two real
passages, with noise of their covariance, so that every question has many near neighbours; its text is made of both
passages' sentences. The store is built as an ingestion does, in transactions, and asked in a process of its own, where
memory and the first answer are measured. Recall is against all vectors compared. `--beside` measures sqlite-vec and
FTS5 on the same chunks. Two sizes are measured; a million is the line through both.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.harness import ROOT, report
from rocamadre.core.settings import Settings
from rocamadre.store.vectors.filters import Filter, parse_filter
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, VectorStore, chunk_id
from rocamadre.store.vectors.registry import VECTOR_STORES

SETS = {"retrieval-squad-en": "en", "retrieval-squad-es": "es", "retrieval-pt": "pt"}
PER_DOCUMENT = 8
PER_TRANSACTION = 64
LIMIT = 10
SEED = 7
BARS = {"p50_ms": 30.0, "recall": 0.98, "first_answer_s": 1.0}
# What share of the chunks satisfies each: all, a half, a tenth, a hundredth.
FILTERS: dict[str, dict[str, Any] | None] = {
    "everything": None,
    "half": {"equals": {"key": "even", "value": True}},
    "tenth": {
        "andAll": [{"equals": {"key": "year", "value": 2003}}, {"startsWith": {"key": "source", "value": "s3://"}}]
    },
    "hundredth": {"in": {"key": "group", "value": [17]}},
}


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".roca", help="state folder with the prepared MiniLM")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--smaller", type=int, default=25_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--passages", type=int, default=1500)
    parser.add_argument("--store", default="sqlite")
    parser.add_argument("--postgres-url", default="")
    parser.add_argument("--beside", action="store_true", help="also sqlite-vec and FTS5 (packages sqlite-vec, apsw)")
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(_ask(json.loads(options.ask))))
        return
    material = _material(options.home, options.passages, options.questions)
    sizes = [_measure(material, count, options) for count in (options.smaller, options.chunks)]
    report(
        "kb_scale" if options.store == "sqlite" else f"kb_scale_{options.store}",
        {
            "store": options.store,
            "dimensions": int(material["passages"].shape[1]),
            "questions": len(material["questions"]),
            "sizes": sizes,
            "projected_to_1000000": _projected(*sizes),
            "bars": BARS,
            "bars_reached": _reached(sizes[-1]),
        },
    )


# Material


def _material(home: Path, passages: int, questions: int) -> dict[str, Any]:
    """Real texts and their vectors."""
    data = Path(os.environ.get("ROCA_DATA", ""))
    if not (data / "retrieval-pt").is_dir():
        raise SystemExit("ROCA_DATA must name the folder of the data sets (retrieval-squad-en, retrieval-squad-es, …)")
    chance = random.Random(SEED)
    found = {
        kind: [(row["text"], language) for name, language in SETS.items() for row in _rows(data / name / kind)]
        for kind in ("documents", "queries")
    }
    texts = chance.sample(found["documents"], passages)
    asked = chance.sample(found["queries"], questions)
    kept = home / "cache" / f"kb-scale-{hashlib.sha256(repr((texts, asked)).encode()).hexdigest()[:16]}.npz"
    if not kept.exists():
        from rocamadre.engines.embed.child import EmbeddingModel

        model = EmbeddingModel(home / "models" / "all-minilm-l6-v2", threads=1)

        def embed(each: list[tuple[str, str]]) -> Any:
            ids = [model.truncate(tokens) for tokens in model.token_ids([text for text, _ in each])]
            return np.concatenate([model.embed([tokens]) for tokens in ids])

        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, passages=embed(texts), questions=embed(asked))
    vectors = np.load(kept)
    return {"texts": texts, "asked": asked, "passages": vectors["passages"], "questions": vectors["questions"]}


def _rows(stem: Path) -> list[dict[str, Any]]:
    packed = stem.with_suffix(".jsonl.gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else stem.with_suffix(".jsonl").read_bytes()
    return [json.loads(line) for line in content.splitlines()]


@cache
def _terms(sentence: str, language: str) -> str:
    from rocamadre.knowledge.languages.analysis import analyse

    return " ".join(analyse(sentence, language))


def _documents(material: dict[str, Any], count: int) -> Iterator[Replacement]:
    """`count` chunks in documents."""
    numbers = np.random.default_rng(SEED)
    base = material["passages"]
    spread = np.linalg.cholesky(np.cov((base - base.mean(axis=0)).T) + 1e-8 * np.eye(base.shape[1]))
    sentences = [re.split(r"(?<=[.!?])\s+", text) for text, _ in material["texts"]]
    for number in range(count // PER_DOCUMENT):
        one, others = numbers.integers(len(base)), numbers.integers(len(base), size=PER_DOCUMENT)
        share = numbers.uniform(0.4, 1.0, size=(PER_DOCUMENT, 1))
        noise = 0.35 * numbers.standard_normal((PER_DOCUMENT, base.shape[1])) @ spread.T
        vectors = share * base[one] + (1 - share) * base[others] + noise
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        name = f"s3://bucket/{number}.md"
        metadata = {
            "x-amz-bedrock-kb-source-uri": name,
            "source": name,
            "year": 2000 + number % 10,
            "group": number % 100,
            "even": number % 2 == 0,
            "tags": ["real", material["texts"][one][1]],
        }
        chunks: list[Chunk] = []
        text = ""
        for at in range(PER_DOCUMENT):
            language = material["texts"][one][1]
            mixed = numbers.choice(sentences[one] + sentences[others[at]], size=5).tolist()
            piece = " ".join(mixed)
            start, text = len(text), f"{text}{piece}\n"
            chunks.append(
                Chunk(
                    chunk_id("source", name, start, start + len(piece), piece),
                    name,
                    piece,
                    start,
                    start + len(piece),
                    language,
                    " ".join(_terms(sentence, language) for sentence in mixed),
                    metadata | {"page": at + 1},
                    at + 1,
                    (),
                    "",
                    vectors[at],
                )
            )
        yield Replacement(name, "source", str(number), chunks, text)


# Measuring


def _measure(material: dict[str, Any], count: int, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="kb-scale-") as folder:
        facts = StoreFacts("all-minilm-l6-v2", int(material["passages"].shape[1]))
        where = {"home": folder, "kind": options.store, "url": options.postgres_url, "dimensions": facts.dimensions}
        store = _open(where)
        try:
            truth = _Truth(material["questions"])
            built, chunks = _build(store, material, count, truth)
            store.close()
            file = Path(folder) / "questions.npz"
            np.savez(file, questions=material["questions"])
            asked = [_terms(text, language).split() for text, language in material["asked"]]
            asking = where | {"file": str(file), "asked": asked, "truth": truth.ids()}
            disk = sum(path.stat().st_size for path in Path(folder).rglob("*.sqlite*"))
            command = [
                sys.executable,
                "-m",
                "benchmarks.kb_scale",
                "--ask",
                json.dumps(where | {"asking": "asking.json"}),
            ]
            (Path(folder) / "asking.json").write_text(json.dumps(asking))
            begun = time.perf_counter()
            answers = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT, text=True).stdout)
            figures = {
                "chunks": chunks,
                "build_s": round(built, 2),
                "chunks_per_s": round(chunks / built, 1),
                "disk_mb": round(disk / 1e6, 1),
                "bytes_per_chunk": round(disk / chunks),
                "process_s": round(time.perf_counter() - begun, 2),
                **answers,
            }
            if options.beside:
                figures["beside"] = _beside(material, count, asked, Path(folder))
            return figures
        finally:
            _open(where).destroy()


def _open(where: dict[str, Any]) -> VectorStore:
    knowledge = {"vector_store": where["kind"], "postgres_url": where["url"]}
    settings = Settings(home=Path(where["home"]), knowledge=knowledge)  # type: ignore[arg-type]
    facts = StoreFacts("all-minilm-l6-v2", where["dimensions"])
    return VECTOR_STORES.load(where["kind"])(settings, "scale", facts)


def _build(store: VectorStore, material: dict[str, Any], count: int, truth: _Truth) -> tuple[float, int]:
    """Seconds in the store, and chunks written."""
    spent, chunks = 0.0, 0
    waiting: list[Replacement] = []

    def write() -> None:
        nonlocal spent
        begun = time.perf_counter()
        store.replace_many(waiting)
        spent += time.perf_counter() - begun
        waiting.clear()

    for document in _documents(material, count):
        waiting.append(document)
        chunks += len(document.chunks)
        truth.see(document)
        if len(waiting) == PER_TRANSACTION:
            write()
    if waiting:
        write()
    return spent, chunks


class _Truth:
    """The nearest chunks of each question by comparing all, with and without filters."""

    def __init__(self, questions: Any) -> None:
        self._questions = questions
        self._best: dict[str, list[list[tuple[float, str]]]] = {name: [[] for _ in questions] for name in FILTERS}

    def see(self, document: Replacement) -> None:
        from rocamadre.store.vectors.filters import matches

        vectors = np.stack([chunk.embedding for chunk in document.chunks if chunk.embedding is not None])
        scores = self._questions @ vectors.T
        for name, wire in FILTERS.items():
            if wire is not None and not matches(parse_filter(wire), document.chunks[0].metadata):
                continue
            for row, best in zip(scores, self._best[name], strict=True):
                if len(best) < LIMIT or row.max() > best[-1][0]:
                    best += [(float(score), chunk.id) for score, chunk in zip(row, document.chunks, strict=True)]
                    best.sort(reverse=True)
                    del best[LIMIT:]

    def ids(self) -> dict[str, list[list[str]]]:
        return {name: [[chunk for _, chunk in best] for best in rows] for name, rows in self._best.items()}


# In a process of its own


def _ask(where: dict[str, Any]) -> dict[str, Any]:
    asking = json.loads((Path(where["home"]) / where["asking"]).read_text())
    questions = np.load(asking["file"])["questions"]
    process = psutil.Process()
    before = process.memory_info().rss
    begun = time.perf_counter()
    store = _open(asking)
    store.by_vector(questions[0], limit=LIMIT)
    first = time.perf_counter() - begun
    figures: dict[str, Any] = {"first_answer_s": round(first, 4)}
    filters = {name: None if wire is None else parse_filter(wire) for name, wire in FILTERS.items()}
    for name, where_ in filters.items():
        found, times = _timed(
            lambda at, where=where_: store.by_vector(questions[at], limit=LIMIT, where=where), questions
        )
        truth = asking["truth"][name]
        right = sum(len({hit.chunk for hit in hits} & set(best)) for hits, best in zip(found, truth, strict=True))
        figures[f"vector_{name}"] = times | {"recall": round(right / sum(map(len, truth)), 4)}
        found, times = _timed(_words(store, asking["asked"], where_), questions)
        figures[f"terms_{name}"] = times
    _, figures["chunks_read"] = _timed(_reading(store, asking["truth"]["everything"]), questions)
    figures["memory_mb"] = round((process.memory_info().rss - before) / 1e6, 1)
    store.close()
    figures["memory_after_closing_mb"] = round((process.memory_info().rss - before) / 1e6, 1)
    figures["processes"] = len(process.children(recursive=True))
    return figures


def _words(store: VectorStore, asked: list[list[str]], where: Filter | None) -> Callable[[int], Any]:
    return lambda at: store.by_terms([(term, 1.0) for term in asked[at]], limit=LIMIT, where=where)


def _reading(store: VectorStore, truth: list[list[str]]) -> Callable[[int], Any]:
    return lambda at: store.chunks(truth[at])


def _timed(call: Callable[[int], Any], questions: Any) -> tuple[list[Any], dict[str, float]]:
    found, times = [], []
    for at in range(len(questions)):
        begun = time.perf_counter()
        found.append(call(at))
        times.append(1000 * (time.perf_counter() - begun))
    p50, p99 = np.percentile(times, [50, 99])
    return found, {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3)}


def _beside(material: dict[str, Any], count: int, asked: list[list[str]], folder: Path) -> dict[str, Any]:
    """sqlite-vec comparing all vectors, and FTS5 with its own BM25, on the same chunks."""
    import apsw
    import sqlite_vec

    connection = apsw.Connection(str(folder / "beside.db"))
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute(f"CREATE VIRTUAL TABLE v USING vec0(embedding float[{material['passages'].shape[1]}])")
    connection.execute("CREATE VIRTUAL TABLE f USING fts5(t, content='', tokenize='unicode61')")
    begun = time.perf_counter()
    with connection:
        number = 0
        for document in _documents(material, count):
            for chunk in document.chunks:
                assert chunk.embedding is not None
                connection.execute("INSERT INTO v(rowid, embedding) VALUES(?, ?)", (number, chunk.embedding.tobytes()))
                connection.execute("INSERT INTO f(rowid, t) VALUES(?, ?)", (number, chunk.terms))
                number += 1
    built = time.perf_counter() - begun
    nearest = "SELECT rowid FROM v WHERE embedding MATCH ? AND k = ?"
    best = "SELECT rowid FROM f WHERE f MATCH ? ORDER BY bm25(f) LIMIT ?"
    questions = material["questions"]

    def words(at: int) -> Any:
        return connection.execute(best, (" OR ".join(f'"{term}"' for term in asked[at]), LIMIT)).fetchall()

    _, vectors = _timed(lambda at: connection.execute(nearest, (questions[at].tobytes(), LIMIT)).fetchall(), questions)
    _, terms = _timed(words, [at for at in range(len(asked)) if asked[at]])
    connection.close()
    return {"build_with_generation_s": round(built, 2), "sqlite_vec_exact": vectors, "fts5": terms}


# Conclusions


def _projected(smaller: dict[str, Any], larger: dict[str, Any]) -> dict[str, float]:
    """The line through two sizes, at a million chunks."""

    def line(first: float, second: float) -> float:
        slope = (second - first) / (larger["chunks"] - smaller["chunks"])
        return round(second + slope * (1_000_000 - larger["chunks"]), 2)

    figures = {
        name: line(smaller[name], larger[name]) for name in ("build_s", "disk_mb", "memory_mb", "first_answer_s")
    }
    for name, value in larger.items():
        if isinstance(value, dict) and "p50_ms" in value:
            figures[f"{name}_p50_ms"] = line(smaller[name]["p50_ms"], value["p50_ms"])
    return figures


def _reached(figures: dict[str, Any]) -> dict[str, bool]:
    vectors = [figures[f"vector_{name}"] for name in FILTERS]
    slowest = max(figures[f"{kind}_{name}"]["p50_ms"] for kind in ("vector", "terms") for name in FILTERS)
    return {
        "p50_ms": slowest < BARS["p50_ms"],
        "recall": min(each["recall"] for each in vectors) >= BARS["recall"],
        "first_answer_s": figures["first_answer_s"] < BARS["first_answer_s"],
    }


if __name__ == "__main__":
    main()
