"""Parts of benchmarks/guardrails.py: topics, grounding and relevance, personal data."""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from benchmarks import guardrails_pii
from benchmarks.guardrails_counting import auroc, best_limit, rates
from benchmarks.guardrails_peers import Cosine, overlap
from benchmarks.guardrails_sets import CASES, LANGUAGES, SEED, recipe, rows

THRESHOLDS = (0.5, 0.7, 0.9)
PAIRS = 1500
"""Answers of the test articles, for grounding and again for relevance."""


def topics(given: argparse.Namespace) -> dict[str, Any]:
    """Own topics, ten in three languages, and twelve texts for each; a text in the topic's language or another."""
    from rocamadre.guardrails.classifiers.topics import Topic, topic_scores
    from rocamadre.guardrails.policies.topics import THRESHOLD
    from rocamadre.guardrails.text import Text

    described: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(CASES / "topics.jsonl"):
        described[row["language"]].append(row)
    texts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(CASES / "topic_texts.jsonl"):
        texts[row["language"]].append(row)
    names = {language: [each["name"] for each in found] for language, found in described.items()}
    made: dict[str, Any] = {}
    for of in LANGUAGES:
        ways = {
            "": [Topic.read(each["name"], each["definition"], each["examples"]) for each in described[of]],
            " definition alone": [Topic.read(each["name"], each["definition"], []) for each in described[of]],
        }
        for language in LANGUAGES:
            asked = [names[language].index(row["topic"]) for row in texts[language]]
            truth = [row["label"] for row in texts[language]]
            for way, known in ways.items():
                scores = [topic_scores(Text(row["text"]).folded.text, known) for row in texts[language]]
                own = [each[place] for each, place in zip(scores, asked, strict=True)]
                found = rates([each >= THRESHOLD for each in own], truth) | {"auroc": auroc(own, truth)}
                found["another_topic"] = rates(
                    [
                        any(score >= THRESHOLD for n, score in enumerate(each) if n != place)
                        for each, place in zip(scores, asked, strict=True)
                    ],
                    [0] * len(asked),
                )["false_positives"]
                if of == language and not way:
                    found["peers"] = _topic_peers(described[of], texts[language], asked, truth)
                made[f"{of} on {language}{way}"] = found
    return made


def _topic_peers(
    described: list[dict[str, Any]], texts: list[dict[str, Any]], asked: list[int], truth: list[int]
) -> dict[str, Any]:
    """Words shared with the description, and the cosine of TF-IDF; each at the threshold that is best afterwards."""
    told = [" ".join((each["name"], each["definition"], *each["examples"])) for each in described]
    cosine = Cosine([*told, *(each["text"] for each in texts)])
    made = {}
    for name, measure in (("overlap of words", overlap), ("TF-IDF cosine", cosine.of)):
        scores = [measure(row["text"], told[place]) for row, place in zip(texts, asked, strict=True)]
        limit = best_limit(scores, truth)
        made[name] = rates([each >= limit for each in scores], truth) | {"auroc": auroc(scores, truth)}
    return made


def grounding(given: argparse.Namespace) -> dict[str, Any]:
    """Own cases, and answers made from articles that trained and set nothing."""
    from rocamadre.guardrails.grounding import judge

    made: dict[str, Any] = {"own": {}, "articles": {}}
    cases = list(rows(CASES / "grounding.jsonl"))
    for language in (*LANGUAGES, "all"):
        some = [each for each in cases if language in (each["language"], "all")]
        scores = [judge(each["text"], each["source"], each["query"]) for each in some]
        made["own"][language] = {
            "GROUNDING": _answers(
                [each.grounding or 0.0 for each in scores],
                [each["label"] for each in some],
                [(each["text"], each["source"]) for each in some],
            ),
            "RELEVANCE": _answers(
                [each.relevance or 0.0 for each in scores],
                [each["relevant"] for each in some],
                [(each["query"], each["text"]) for each in some],
            ),
            "GROUNDING by kind": _by_kind(some, [each.grounding or 0.0 for each in scores]),
        }
    pairs, reading = recipe("guardrail-grounding", "train"), recipe("guardrail-grounding", "reading")
    most = min(given.most, 500) if given.most else 4000
    both = pairs.gather(given.data, SEED, most, smoke=False)
    for name, found in zip(("GROUNDING", "RELEVANCE"), both, strict=True):
        tests = [each for each in found if each.fold == reading.TEST]
        tests = random.Random(SEED).sample(tests, min(given.most or PAIRS, len(tests)))
        scored = [judge(each.answer, each.source, each.question) for each in tests]
        values = [(each.grounding if name == "GROUNDING" else each.relevance) or 0.0 for each in scored]
        for group in (*LANGUAGES, "across languages", "all"):
            numbers = [
                number
                for number, each in enumerate(tests)
                if group in ("all", "across languages" if ">" in each.group else each.group)
            ]
            chosen = [tests[number] for number in numbers]
            if len({each.good for each in chosen}) < 2:
                continue
            beside = [
                (each.answer, each.source) if name == "GROUNDING" else (each.question, each.answer) for each in chosen
            ]
            made["articles"].setdefault(group, {})[name] = _answers(
                [values[number] for number in numbers], [int(each.good) for each in chosen], beside
            )
    return made


def _by_kind(cases: list[dict[str, Any]], scores: list[float]) -> dict[str, Any]:
    """AUROC of right answers beside wrong ones of a kind."""
    made = {}
    for kind in ("number", "name", "negation", "added"):
        some = [
            (score, row["label"])
            for score, row in zip(scores, cases, strict=True)
            if row["label"] or row["note"] == kind
        ]
        made[kind] = auroc([score for score, _ in some], [label for _, label in some])
    return made


def _answers(scores: list[float], truth: list[int], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """AUROC, and what thresholds do: wrong answers stopped (recall) and right ones stopped (false positives)."""
    cosine = Cosine([each for pair in pairs for each in pair])
    bad = [1 - each for each in truth]
    return {
        "right": sum(truth),
        "wrong": sum(bad),
        "auroc": auroc(scores, truth),
        "thresholds": {str(limit): rates([each < limit for each in scores], bad) for limit in THRESHOLDS},
        "peers": {
            "overlap of words": auroc([overlap(*each) for each in pairs], truth),
            "TF-IDF cosine": auroc([cosine.of(*each) for each in pairs], truth),
        },
    }


def pii(given: argparse.Namespace) -> dict[str, Any]:
    """F1 by type, as guardrails_pii.py measures it, with Presidio where it has the type."""
    from rocamadre.guardrails.policies.sensitive import TYPES
    from rocamadre.guardrails.recognisers.registry import NAMED

    texts = guardrails_pii.load(given.data)
    texts = texts[:: max(1, len(texts) // given.most)] if given.most else texts
    types, shared = {*TYPES, *NAMED}, set(guardrails_pii.PEER.values())
    scan = guardrails_pii.ours(types)
    found = [scan(row.text) for row in texts]
    made: dict[str, Any] = {
        "texts": len(texts),
        "ours": guardrails_pii.table(texts, found, types),
        "look_alikes": _look_alikes(texts, found),
    }
    if not given.skip_peers:
        alike = guardrails_pii.ours(shared)
        asked = [(row.language, row.text) for row in texts]
        answers = guardrails_pii.peer({"rows": asked, "texts": ["none"], "seconds": 0.01, "map": guardrails_pii.PEER})
        made["shared types"] = {
            "ours": guardrails_pii.totals(texts, [alike(row.text) for row in texts], shared),
            "Presidio": guardrails_pii.totals(texts, answers["found"], shared),
        }
        made["look_alikes of Presidio"] = _look_alikes(texts, answers["found"])
        made["presidio_version"] = answers["version"]
    return made


def _look_alikes(texts: list[guardrails_pii.Marked], found: list[Any]) -> dict[str, Any]:
    """Own texts that hold no personal data and look as if: how many have a finding."""
    made = {}
    for language in LANGUAGES:
        hits = [
            bool(each)
            for row, each in zip(texts, found, strict=True)
            if row.set == "own" and not row.gold and row.language == language
        ]
        made[language] = rates(hits, [0] * len(hits))["false_positives"]
    return made


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "topics": topics,
    "grounding": grounding,
    "pii": pii,
}
