"""Fit and measure the topic policy: `python fit_topics.py DATA`. Prints coefficients for `classifiers/topics.py`.

Topics: those written in `topics.txt`, in every pair of languages, and intents of CLINC150 and Banking77. Fitted on
every other topic, measured on the rest; the negatives of a topic are the questions of the others and CLINC150's texts
that are in no scope.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
from sources import LANGUAGES, SEED, intents, part, rows, sampled

from rocamadre.guardrails.classifiers.topics import DEFINITION, EXAMPLE, Topic, compared, probability, read_passage

FIGURES = Path(__file__).parents[1] / "topics.json"


def written() -> list[tuple[str, dict[str, tuple[str, list[str], list[str]]]]]:
    found = []
    for line in Path(__file__).with_name("topics.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            found.append((line[3:], {}))
        elif line[:2] in LANGUAGES:
            definition, examples, asked = line[4:].split(" || ")
            found[-1][1][line[:2]] = (definition, examples.split(" | "), asked.split(" | "))
    return found


def cases(data: Path):
    """(topic, question, is on topic, measures, group)."""
    rng = random.Random(SEED)
    topics = written()
    plain = {
        language: sampled(
            [
                row[language]
                for row in rows(
                    data
                    / f"parallel-en-{'es' if language == 'en' else language}"
                    / ("tatoeba.jsonl.gz" if language != "pt" else "tatoeba-test.jsonl.gz")
                )
            ],
            300,
            language,
        )
        for language in LANGUAGES
    }
    for number, (name, by_language) in enumerate(topics):
        for language in LANGUAGES:
            definition, examples, _ = by_language[language]
            topic = Topic.read(name, definition, examples)
            bare = Topic.read(name, definition, [])
            for other in LANGUAGES:
                group = f"{language}-{other}"
                for text in by_language[other][2]:
                    yield topic, text, 1, number % 2 == 0, group
                    yield bare, text, 1, number % 2 == 0, f"{group} definition alone"
                wrong = [text for place, (_, each) in enumerate(topics) if place != number for text in each[other][2]]
                for text in rng.sample(wrong, 12) + rng.sample(plain[other], 6):
                    yield topic, text, 0, number % 2 == 0, group
                    yield bare, text, 0, number % 2 == 0, f"{group} definition alone"
    asked: dict[str, list[str]] = {}
    for text, name in intents(data):
        if name == "oos" or part(name, 2) == 0:
            asked.setdefault(name, []).append(text)
    outside = asked.pop("oos")
    names = sorted(asked)
    for name in rng.sample(names, 40):
        texts = rng.sample(asked[name], 12)
        words = name.split(":")[1].replace("_", " ")
        topic = Topic.read(words, f"Questions and requests about {words}.", texts[:5])
        for text in texts[5:]:
            yield topic, text, 1, part(name + "m", 2) == 0, f"intents {name.split(':')[0]}"
        for other in rng.sample([each for each in names if each != name], 10):
            yield topic, rng.choice(asked[other]), 0, part(name + "m", 2) == 0, f"intents {name.split(':')[0]}"
        for text in rng.sample(outside, 5):
            yield topic, text, 0, part(name + "m", 2) == 0, "out of scope"


def fitted(features: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Logistic regression by gradient descent, negatives weighing more since one text meets many topics."""
    x = np.column_stack([features, np.ones(len(features))])
    weight = np.where(truth == 1, 1.0 / (truth == 1).sum(), 1.6 / (truth == 0).sum())
    found = np.zeros(x.shape[1])
    for _ in range(100):
        p = 1 / (1 + np.exp(-(x @ found)))
        gradient = x.T @ (weight * (p - truth)) + 2e-3 * found
        curvature = (x * (weight * p * (1 - p))[:, None]).T @ x + 2e-3 * np.eye(len(found))
        found -= np.linalg.solve(curvature, gradient)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    made = []
    kept: dict[str, object] = {}
    for topic, text, truth, measures, group in cases(given.data):
        window = kept.setdefault(text, read_passage(text))
        if window is not None:
            made.append(
                (
                    compared(topic.definition, window),
                    [compared(each, window) for each in topic.examples],
                    truth,
                    measures,
                    group,
                )
            )
    coefficients = {}
    for name, of in (("DEFINITION", lambda row: row[0]), ("EXAMPLE", lambda row: max(row[1], key=sum))):
        chosen = [row for row in made if not row[3] and (name == "DEFINITION" or row[1])]
        coefficients[name] = fitted(np.array([of(row) for row in chosen]), np.array([row[2] for row in chosen]))
        print(name, coefficients[name].round(2).tolist())
    fits = {name: type(EXAMPLE)(*values.tolist()) for name, values in coefficients.items()}
    for title, (definition, example) in (
        ("as shipped", (DEFINITION, EXAMPLE)),
        ("fitted now", (fits["DEFINITION"], fits["EXAMPLE"])),
    ):
        groups: dict[str, list[tuple[float, int]]] = {}
        for first, others, truth, measures, group in made:
            if measures:
                score = max([probability(definition, *first), *(probability(example, *each) for each in others)])
                groups.setdefault(group, []).append((score, truth))
        report = {}
        for group, found in sorted(groups.items()):
            right = sum(score >= 0.5 and truth for score, truth in found)
            wrong = sum(score >= 0.5 and not truth for score, truth in found)
            positive = sum(truth for _, truth in found)
            report[group] = {
                "recall": round(right / max(1, positive), 3),
                "false_positives": round(wrong / max(1, len(found) - positive), 3),
                "f1": round(2 * right / max(1, right + wrong + positive), 3),
                "questions": len(found),
            }
        print(title, json.dumps(report, indent=0))
        if title == "as shipped":
            FIGURES.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
