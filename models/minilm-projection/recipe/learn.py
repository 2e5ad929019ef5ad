"""Learn the projection of MiniLM's vectors from 384 to 256 dimensions, and measure what it loses.

    python models/minilm-projection/recipe/learn.py DATA HOME

DATA is the folder of data sets, HOME a platform's folder where `rocamadre.engines.embed.prepare` has run. Writes
`projection-384-256.npy` into the package and `figures.json` beside this folder. About ten minutes on one core.

The projection is the basis of the 256 largest eigenvalues of the vectors' second-moment matrix (not centred, so that
inner products are kept as well as a linear map can keep them: Eckart & Young 1936). Texts: paragraphs and sentences in
English, Spanish and Portuguese whose licences allow it (SOURCES); articles of the shared test split are left out.
Measured: retrieval on test articles, none of which was trained on.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np

from rocamadre.engines.embed.child import EmbeddingModel
from rocamadre.engines.embed.prepare import prepare_minilm

SEED = 20261121
DIMENSIONS = 256
LONGEST_CHARACTERS = 500
SOURCES = {  # file under DATA: texts taken
    "text-en/wikipedia-00.jsonl.gz": 4000,
    "text-en/openstax.jsonl.gz": 1000,
    "text-es/treebanks.jsonl": 1000,
    "text-es/openstax.jsonl.gz": 1000,
    "text-es/opendocs.jsonl.gz": 1000,
    "text-pt/treebanks.jsonl.gz": 1000,
    "text-pt/wikipedia-passages.jsonl.gz": 1000,
    "text-pt/opendocs.jsonl.gz": 1000,
    "parallel-en-es/tatoeba.jsonl.gz": 2000,
    "parallel-en-pt/tatoeba-test.jsonl.gz": 2000,
}
RETRIEVAL = ("retrieval-squad-en", "retrieval-squad-es", "retrieval-pt")
WITH_TITLES = ("squad-en", "squad-es", "squad-pt", "faquad", "xquad")  # where the passages' article titles stand
TARGET = Path(__file__).parents[3] / "src" / "rocamadre" / "engines" / "embed" / "projection-384-256.npy"


def rows(path: Path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def is_test(title: str) -> bool:
    return int(hashlib.sha256(title.encode()).hexdigest(), 16) % 5 == 0


def texts_of(path: Path, count: int, rng: np.random.Generator) -> list[str]:
    found = []
    for row in rows(path):
        if is_test(row.get("title") or ""):
            continue
        whole = row.get("text") or row.get("es") or row.get("pt")
        found += [part[:LONGEST_CHARACTERS] for part in whole.split("\n") if len(part) >= 15]
    return [found[index] for index in rng.permutation(len(found))[:count]]


def titles(data: Path) -> dict[str, str]:
    files = [path for name in WITH_TITLES for path in sorted((data / name).glob("*.jsonl*"))]
    return {row["context"].strip(): row["title"] for path in files for row in rows(path) if "context" in row}


def embed(model: EmbeddingModel, texts: list[str]) -> np.ndarray:
    ids = [model.truncate(tokens) for tokens in model.token_ids(texts)]
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    vectors = np.empty((len(ids), model.dimensions), np.float32)
    for start in range(0, len(order), 8):
        batch = order[start : start + 8]
        vectors[batch] = model.embed([ids[index] for index in batch])
    return vectors


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ndcg(documents: np.ndarray, queries: np.ndarray, right: list[int]) -> float:
    """nDCG@10 with one relevant document per query: 1 / log2(1 + its rank)."""
    scores = queries @ documents.T
    gains = []
    for row, target in zip(scores, right, strict=True):
        rank = 1 + int((row > row[target]).sum())
        gains.append(1 / np.log2(1 + rank) if rank <= 10 else 0.0)
    return float(np.mean(gains))


def retrieval(model: EmbeddingModel, data: Path, name: str, projection: np.ndarray) -> dict[str, float]:
    title = titles(data)
    path = data / name / "documents.jsonl.gz"
    documents = list(rows(path if path.exists() else data / name / "documents.jsonl"))
    position = {row["doc"]: index for index, row in enumerate(documents)}
    relevant = {row["query"]: row["doc"] for row in rows(data / name / "judgements.jsonl")}
    queries = [
        row
        for row in rows(data / name / "queries.jsonl")
        if row["query"] in relevant
        and (found := title.get(documents[position[relevant[row["query"]]]]["text"].strip()))
        and is_test(found)
    ]
    right = [position[relevant[row["query"]]] for row in queries]
    passages, asked = (embed(model, [row["text"] for row in part]) for part in (documents, queries))
    forms = {"384": lambda x: x, "256": lambda x: unit(x @ projection), "first 256": lambda x: unit(x[:, :256])}
    return {"queries": len(queries)} | {
        label: round(ndcg(form(passages), form(asked), right), 4) for label, form in forms.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    model = EmbeddingModel(prepare_minilm(arguments.home), threads=1)
    texts = [text for path, count in SOURCES.items() for text in texts_of(arguments.data / path, count, rng)]
    vectors = embed(model, texts).astype(np.float64)
    values, basis = np.linalg.eigh(vectors.T @ vectors / len(vectors))
    projection = basis[:, ::-1][:, :DIMENSIONS].astype(np.float32)
    np.save(TARGET, np.ascontiguousarray(projection))
    figures = {
        "texts": len(texts),
        "share_of_squared_length_kept": round(float(values[::-1][:DIMENSIONS].sum() / values.sum()), 5),
        "ndcg_at_10": {name: retrieval(model, arguments.data, name, projection) for name in RETRIEVAL},
    }
    (Path(__file__).parents[1] / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
