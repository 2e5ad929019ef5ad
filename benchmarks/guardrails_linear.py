"""The linear baseline and profanity-check: reads texts as JSON, writes scores as JSON.

Started by benchmarks/guardrails_peers.py in the environment `.venv-baselines`; imports nothing of Rocamadre. One
logistic regression a filter on TF-IDF of words and pairs of words, trained on the texts of the classifiers' recipe.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression


def main() -> None:
    asked = json.load(sys.stdin)
    made: dict[str, Any] = {"versions": {"scikit-learn": version("scikit-learn")}}
    if asked.get("train"):
        made["linear"] = linear(asked["train"], asked["texts"])
    try:
        from profanity_check import predict_prob

        made["profanity"] = [round(float(each), 4) for each in predict_prob(asked["texts"])]
        made["versions"]["alt-profanity-check"] = version("alt-profanity-check")
    except ImportError:
        pass
    json.dump(made, sys.stdout)


def linear(train: list[tuple[str, list[int], float]], texts: list[str]) -> list[list[float]]:
    """A row of scores for each text, a number for each filter."""
    words = TfidfVectorizer(
        ngram_range=(1, 2), min_df=3, sublinear_tf=True, strip_accents="unicode", token_pattern=r"(?u)\b\w+\b"
    )
    known = words.fit_transform([text for text, _, _ in train])
    truth = np.array([values for _, values, _ in train])
    weights = np.array([weight for _, _, weight in train])
    wanted = words.transform(texts)
    columns = []
    for place in range(truth.shape[1]):
        chosen = truth[:, place] >= 0
        model = LogisticRegression(C=10, solver="liblinear", class_weight="balanced", tol=1e-3)
        model.fit(known[chosen], truth[chosen, place], sample_weight=weights[chosen])
        columns.append(model.decision_function(wanted))
        print(f"linear baseline {place + 1} of {truth.shape[1]}", file=sys.stderr, flush=True)
    return [[round(float(each), 4) for each in row] for row in np.stack(columns, axis=1)]


if __name__ == "__main__":
    main()
