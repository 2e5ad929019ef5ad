"""Fit MiniLM's cosines to relevance, and measure how far the result can be trusted.

    python models/minilm-rerank/recipe/fit.py DATA HOME

DATA is the folder of data sets, HOME a platform's folder where `rocamadre.engines.embed.prepare` has run. Writes
`rerank-calibration.json` into the package and `figures.json` beside this folder. Some ten minutes on one core.

A pair is a question and a passage. Each question gives two: with the passage that it was asked about (relevant), and
with another (taken as not relevant), by turns one of MiniLM's first twenty and any passage of the collection. The
logistic is fitted by Newton's method on questions about articles of the training split, all languages together; what
is reported comes from articles of the test split. Expected calibration error: ten bins of equal width, the mean of
|share relevant - mean score| weighted by the bins' sizes (Naeini, Cooper & Hauskrecht, AAAI 2015).
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
MODEL_ID = "rocamadre.minilm-l6-v2:0"
SETS = ("retrieval-squad-en", "retrieval-squad-es", "retrieval-pt")
WITH_TITLES = ("squad-en", "squad-es", "squad-pt", "faquad", "xquad")  # where the passages' article titles stand
HARD = 20
BINS = 10
TARGET = Path(__file__).parents[3] / "src" / "rocamadre" / "engines" / "embed" / "rerank-calibration.json"


def rows(path: Path):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def is_test(title: str) -> bool:
    return int(hashlib.sha256(title.encode()).hexdigest(), 16) % 5 == 0


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


def pairs(model: EmbeddingModel, data: Path, name: str, title: dict[str, str], rng: np.random.Generator):
    """Cosines, labels (1 relevant) and whether each pair is of the test split."""
    path = data / name / "documents.jsonl.gz"
    documents = list(rows(path if path.exists() else data / name / "documents.jsonl"))
    position = {row["doc"]: index for index, row in enumerate(documents)}
    relevant = {row["query"]: position[row["doc"]] for row in rows(data / name / "judgements.jsonl")}
    asked = [row for row in rows(data / name / "queries.jsonl") if row["query"] in relevant]
    article = [title.get(row["text"].strip()) for row in documents]
    asked = [row for row in asked if article[relevant[row["query"]]]]
    passages, questions = (embed(model, [row["text"] for row in part]) for part in (documents, asked))
    cosines, labels, test = [], [], []
    for place, row in enumerate(asked):
        right = relevant[row["query"]]
        scores = passages @ questions[place]
        first = [index for index in np.argsort(-scores)[: HARD + 1] if index != right][:HARD]
        anyone = [index for index in range(len(documents)) if index != right]
        wrong = int(rng.choice(first if place % 2 else anyone))
        cosines += [scores[right], scores[wrong]]
        labels += [1, 0]
        test += [is_test(article[right])] * 2
    return np.array(cosines, np.float64), np.array(labels), np.array(test)


def fit(cosines: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of greatest likelihood."""
    design = np.stack([cosines, np.ones_like(cosines)], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        given = 1 / (1 + np.exp(-design @ weights))
        step = np.linalg.solve((design * (given * (1 - given))[:, None]).T @ design, design.T @ (labels - given))
        weights = weights + step
        if np.abs(step).max() < 1e-10:
            break
    return float(weights[0]), float(weights[1])


def measure(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    error = sum(
        (bins == each).mean() * abs(labels[bins == each].mean() - scores[bins == each].mean()) for each in set(bins)
    )
    order = np.argsort(scores)
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    positive = labels == 1
    above = (ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2) / (positive.sum() * (~positive).sum())
    return {
        "pairs": len(scores),
        "expected_calibration_error": round(float(error), 4),
        "brier": round(float(np.mean((scores - labels) ** 2)), 4),
        "relevant_above_other": round(float(above), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    model = EmbeddingModel(prepare_minilm(arguments.home), threads=1)
    title = titles(arguments.data)
    found = {name: pairs(model, arguments.data, name, title, rng) for name in SETS}
    cosines, labels, test = (np.concatenate(part) for part in zip(*found.values(), strict=True))
    slope, intercept = fit(cosines[~test], labels[~test])

    def relevance(given: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-(slope * given + intercept)))

    TARGET.write_text(json.dumps({MODEL_ID: {"slope": round(slope, 4), "intercept": round(intercept, 4)}}) + "\n")
    figures = {
        "training_pairs": int((~test).sum()),
        "slope": round(slope, 4),
        "intercept": round(intercept, 4),
        "held_out": {"all": measure(relevance(cosines[test]), labels[test])}
        | {name: measure(relevance(part[0][part[2]]), part[1][part[2]]) for name, part in found.items()},
        "held_out_without_fit": measure((1 + cosines[test]) / 2, labels[test]),
    }
    (Path(__file__).parents[1] / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
