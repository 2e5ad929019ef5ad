"""The embedders that come with Rocamadre, beside each other: other languages, retrieval, likeness, speed, size.

`ROCA_DATA=… python -m benchmarks.embedders [--home DIR] [--work DIR] [--only languages,retrieval,likeness,speed,sizes]`

- languages: NTREX, the same 1,000 sentences in English, Spanish and Portuguese, each looked for in another language;
  XQuAD, questions about articles of the test split among all passages of the other language, and of the same;
- retrieval: the judged sets, questions of the test half: cosines alone, and the platform's own search with its default
  settings (`rocamadre.knowledge.search`) over a store filled with the embedder's vectors, or with both embedders', as
  new knowledge bases have them;
- likeness: Spearman's and Pearson's correlation with people's judgements, Portuguese (no English set is at hand); here
  and in languages beside the share of words that two texts have in common;
- speed: passages a second and memory, each embedder in a process of its own, one thread;
- sizes: the static model with fewer numbers for each piece, or fewer bits for each number.

Intervals are bootstrapped, differences paired by question. Vectors are kept in DIR of `--work`, by text.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.embedder_models import Cached, Reduced, encoder, is_test, shared_words
from benchmarks.harness import RESULTS, ROOT, report
from benchmarks.passages import passages
from benchmarks.retrieval_sets import SETS, JudgedSet, data_folder, load, rows
from rocamadre.knowledge.evaluation import interval, ndcg, paired_difference, recall
from rocamadre.knowledge.languages import analyse
from rocamadre.knowledge.search.embedders import beside
from rocamadre.knowledge.search.pipeline import search
from rocamadre.knowledge.search.types import Query, SearchSettings
from rocamadre.store.vectors.protocol import Chunk, Replacement, StoreFacts, chunk_id
from rocamadre.store.vectors.sqlite import SqliteVectors

OURS, THEIRS, BOTH, TRIVIAL = "roca-embed", "minilm", "both", "shared words"
IDS = {OURS: "rocamadre.roca-embed-v1:0", THEIRS: "rocamadre.minilm-l6-v2:0"}
IDS[BOTH] = beside(IDS[THEIRS], IDS[OURS])
PAIRS = (("en", "es"), ("es", "en"), ("en", "pt"), ("pt", "en"), ("es", "pt"), ("pt", "es"))
ASKED = (("en", "es"), ("es", "en"), ("en", "en"), ("es", "es"))
PARTS = ("languages", "retrieval", "likeness", "speed", "sizes")
JUDGED_PAIRS = 1000
Floats = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]


def ranks(queries: Floats, documents: Floats, right: Sequence[int]) -> npt.NDArray[np.int64]:
    """The rank of each query's own document, from 1."""
    scores = queries @ documents.T
    own = scores[np.arange(len(right)), np.asarray(right)]
    return np.asarray((scores > own[:, None]).sum(1) + 1, np.int64)


def _recalls(found: npt.NDArray[np.int64]) -> dict[str, Any]:
    figures: dict[str, Any] = {"queries": len(found)}
    for limit in (1, 5):
        measured = interval([float(rank <= limit) for rank in found])
        figures[f"recall@{limit}"] = [round(each, 3) for each in measured]
    return figures


def languages(encode: Encode, *, asked: bool = True) -> dict[str, Any]:
    """Sentences and questions looked for in another language."""
    spanish, portuguese = (list(rows(data_folder() / "ntrex", f"ntrex-en-{each}")) for each in ("es", "pt"))
    texts = {
        "en": [row["en"] for row in spanish],
        "es": [row["es"] for row in spanish],
        "pt": [row["pt"] for row in portuguese],
    }
    sentences = {language: encode(each) for language, each in texts.items()}
    same = range(len(spanish))
    figures: dict[str, Any] = {
        "ntrex": {f"{one}→{two}": _recalls(ranks(sentences[one], sentences[two], same)) for one, two in PAIRS}
    }
    if asked:
        figures["xquad"] = _xquad(encode)
    return figures


def _xquad(encode: Encode) -> dict[str, Any]:
    read = {language: list(rows(data_folder() / "xquad", f"xquad.{language}")) for language in ("en", "es")}
    passages_of = {language: list(dict.fromkeys(row["context"] for row in each)) for language, each in read.items()}
    vectors = {language: encode(each) for language, each in passages_of.items()}
    contexts = {language: {row["id"]: row["context"] for row in each} for language, each in read.items()}
    figures = {}
    for one, two in ASKED:
        questions = [row for row in read[one] if is_test(row["title"])]
        right = [passages_of[two].index(contexts[two][row["id"]]) for row in questions]
        asked = encode([row["question"] for row in questions])
        figures[f"{one}→{two}"] = _recalls(ranks(asked, vectors[two], right))
    return figures


def dense(encode: Encode, judged: JudgedSet, half: str) -> list[list[str]]:
    """The nearest ten of each question."""
    ids = list(judged.documents)
    documents = encode(list(judged.documents.values()))
    questions = encode([each.text for each in judged.half(half)])
    order = np.argsort(-(questions @ documents.T), axis=1, kind="stable")[:, :10]
    return [[ids[place] for place in row] for row in order]


def fused(encode: Encode, name: str, judged: JudgedSet, half: str) -> list[list[str]]:
    """What the platform's own search finds, with its default settings, where chunks have this embedder's vectors."""
    ids, texts = list(judged.documents), list(judged.documents.values())
    vectors = encode(texts)
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteVectors(Path(folder) / "chunks.sqlite", StoreFacts(IDS[name], vectors.shape[1]))
        store.replace_many(
            [
                Replacement(each, "ds", each, [_chunk(each, text, judged.language, vector)], "")
                for each, text, vector in zip(ids, texts, vectors, strict=True)
            ]
        )
        found = []
        for question in judged.half(half):
            results = search(store, Query(question.text, limit=10), SearchSettings(), encode)
            found.append([each.chunk.document for each in results.results])
        store.close()
    return found


def _chunk(name: str, text: str, language: str, vector: Floats) -> Chunk:
    return Chunk(
        id=chunk_id("ds", name, 0, len(text), text),
        document=name,
        text=text,
        start=0,
        end=len(text),
        language=language,
        terms=" ".join(analyse(text, language)),
        metadata={},
        parent="",
        embedding=vector,
    )


def retrieval(encoders: dict[str, Encode], sets: Sequence[str], half: str) -> dict[str, Any]:
    """nDCG@10 and recall@5 of both ways, and differences to MiniLM, paired."""
    figures: dict[str, Any] = {}
    for name in sets:
        judged = load(name)
        questions = judged.half(half)
        figures[name] = {"questions": len(questions)}
        for way, found_by in (("cosine", dense), ("search", None)):
            gains = {}
            for each, encode in (encoders if found_by else _with_both(encoders)).items():
                found = found_by(encode, judged, half) if found_by else fused(encode, each, judged, half)
                gains[each] = [ndcg(ids, one.grades) for ids, one in zip(found, questions, strict=True)]
                recalls = [recall(ids, one.grades, k=5) for ids, one in zip(found, questions, strict=True)]
                figures[name][f"{each}, {way}"] = {
                    "ndcg@10": [round(value, 4) for value in interval(gains[each])],
                    "recall@5": round(statistics.fmean(recalls), 4),
                }
            for each in gains.keys() - {THEIRS} if THEIRS in gains else ():
                difference = paired_difference(gains[each], gains[THEIRS])
                figures[name][f"{each}, {way}, against {THEIRS}"] = [round(value, 4) for value in difference[:3]]
        print(name, json.dumps(figures[name], indent=1), flush=True)
    return figures


def _with_both(encoders: dict[str, Encode]) -> dict[str, Encode]:
    """The embedders, and what a knowledge base with two of them keeps."""
    if not {OURS, THEIRS} <= encoders.keys():
        return encoders

    def joined(texts: Sequence[str]) -> Floats:
        both = np.concatenate([encoders[THEIRS](texts), encoders[OURS](texts)], axis=1)
        return np.asarray(both * 0.5**0.5, np.float32)

    return {**encoders, BOTH: joined}


def likeness(encode: Encode) -> dict[str, Any]:
    """Portuguese pairs of sentences with people's judgement of their likeness, 0 to 5."""
    pairs = list(rows(data_folder() / "plue-pt", "sts-train"))
    pairs = pairs[:: max(1, len(pairs) // JUDGED_PAIRS)][:JUDGED_PAIRS]
    cosines = (encode([row["a"] for row in pairs]) * encode([row["b"] for row in pairs])).sum(1)
    judged = np.array([row["score"] for row in pairs], float)
    return {
        "pt": {
            "pairs": len(pairs),
            "pearson": round(float(np.corrcoef(cosines, judged)[0, 1]), 3),
            "spearman": round(float(np.corrcoef(_places(cosines), _places(judged))[0, 1]), 3),
        }
    }


def _places(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Ranks; equal values share the mean of theirs."""
    unique, group = np.unique(values, return_inverse=True)
    places = np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(float)
    return np.asarray((np.bincount(group, places) / np.bincount(group))[group]) if len(unique) else places


def speed(home: Path, count: int) -> dict[str, Any]:
    """Each in a process of its own, by turns."""
    figures: dict[str, list[dict[str, float]]] = {OURS: [], THEIRS: []}
    for _ in range(3):
        for name, measured in figures.items():
            command = [sys.executable, "-m", "benchmarks.embedders", "--time", name, "--home", str(home), "--texts"]
            done = subprocess.run([*command, str(count)], capture_output=True, text=True, check=True, cwd=ROOT)
            measured.append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {key: round(statistics.median(each[key] for each in measured), 3) for key in measured[0]}
        for name, measured in figures.items()
    }


def time_one(name: str, home: Path, count: int) -> None:
    """In a process of its own."""
    before = _resident()
    started = time.perf_counter()
    encode = encoder(name, home)
    loaded = time.perf_counter() - started
    encode(["warm"])
    texts = passages(count if name == OURS else max(16, count // 20))
    started = time.perf_counter()
    encode(texts)
    rate = len(texts) / (time.perf_counter() - started)
    spent = []
    for text in ("What is the sea?", "¿Quién escribió el Quijote?", "Onde fica o museu?") * 5:
        started = time.perf_counter()
        encode([text])
        spent.append(1000 * (time.perf_counter() - started))
    facts = {"load_s": loaded, "passages_per_s": rate, "query_ms": statistics.median(spent), "peak_mb": _peak()}
    print(json.dumps({**facts, "more_than_before_mb": _resident() - before}))


def _peak() -> float:
    """Of this program; what `getrusage` says may be of the one that started it."""
    (line,) = (each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _resident() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def sizes(half: str) -> dict[str, Any]:
    """The same model with less."""
    figures = {}
    for rank, bits in ((256, 8), (256, 4), (192, 8), (128, 8), (128, 4), (64, 8)):
        made = Reduced(rank=rank, bits=bits)
        found = languages(made, asked=False)["ntrex"]
        row: dict[str, Any] = {"mb": round(made.bytes / 1e6, 2)}
        row |= {pair: each["recall@1"][0] for pair, each in found.items()}
        for name in ("retrieval-squad-en", "retrieval-squad-es", "retrieval-pt"):
            judged = load(name)
            gains = [
                ndcg(ids, each.grades) for ids, each in zip(dense(made, judged, half), judged.half(half), strict=True)
            ]
            row[name] = round(statistics.fmean(gains), 4)
        figures[f"rank {rank}, {bits} bits"] = row
        print(rank, bits, row, flush=True)
    return figures


def main() -> None:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=ROOT / ".roca", help="with the prepared MiniLM")
    parser.add_argument("--work", type=Path, default=ROOT / ".roca" / "benchmarks" / "embedders")
    parser.add_argument("--half", choices=("test", "development"), default="test")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--sets", default=",".join(SETS), help="judged sets, with commas between them")
    parser.add_argument("--update", action="store_true", help="put the parts into the file of results that is there")
    parser.add_argument("--ours-alone", action="store_true", help="nothing of MiniLM; prints, writes no file")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--time", choices=(OURS, THEIRS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.time:
        time_one(options.time, options.home, options.texts)
        return
    names = (OURS,) if options.ours_alone else (OURS, THEIRS)
    encoders: dict[str, Encode] = {name: Cached(name, options.home, options.work) for name in names}
    wanted = options.only.split(",")
    figures: dict[str, Any] = {"half": options.half}
    compared = {**encoders, TRIVIAL: shared_words}
    if "languages" in wanted:
        figures["languages"] = {name: languages(encode) for name, encode in compared.items()}
    if "likeness" in wanted:
        figures["likeness"] = {name: likeness(encode) for name, encode in compared.items()}
    if "retrieval" in wanted:
        figures["retrieval"] = retrieval(encoders, options.sets.split(","), options.half)
    if "sizes" in wanted:
        figures["sizes"] = sizes(options.half)
    if "speed" in wanted and not options.ours_alone:
        figures["speed"] = speed(options.home, options.texts)
    whole = not options.ours_alone and options.half == "test" and options.sets == ",".join(SETS)
    if whole and options.update:
        known = json.loads((RESULTS / "embedders.json").read_text())
        figures = {key: figures.get(key, known.get(key)) for key in ("half", *PARTS)}
    if whole and (options.update or set(wanted) == set(PARTS)):
        report("embedders", figures)
    else:
        print(json.dumps(figures, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
