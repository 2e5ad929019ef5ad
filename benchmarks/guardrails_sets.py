"""What the guardrails are measured on: own cases, and the parts of public sets that trained and calibrated nothing.

Which part that is, the recipes say: those of `models/guardrail-content` and `models/guardrail-grounding` are asked
for their split. A text that also stands among the training texts, but for case and spacing, is left out.
"""

from __future__ import annotations

import gzip
import importlib
import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.harness import ROOT

CASES = Path(__file__).resolve().parent / "guardrail_cases"
LANGUAGES = ("en", "es", "pt")
FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
MOST = 3000
"""Texts of a set, drawn at random whatever their label; more say little more."""
SEED = 20261122
TRAINING, CALIBRATING, HELD = "training", "calibrating", "held"

_IDENTITY = ("homophobia", "racism", "misogyny", "xenophobia")
_CRIMES = {
    "Privacy Violation Activity",
    "Malware Viruses",
    "Illegal Activity",
    "Physical Harm",
    "Economic Harm",
    "Fraud/Deception",
}


class Case(NamedTuple):
    """A text and whether a policy should act on it.

    Attributes:
        label: 1 where it should.
        note: Kind of text.
    """

    set: str
    category: str
    language: str
    text: str
    label: int
    note: str = ""


class Example(NamedTuple):
    """A text of the classifiers' recipe: per filter 1, 0, or -1 where nothing is known."""

    text: str
    language: str
    source: str
    values: list[int]
    role: str
    weight: float


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a file of JSON lines, packed or not."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def recipe(folder: str, module: str) -> Any:
    """A module of a recipe."""
    place = str(ROOT / "models" / folder / "recipe")
    if place not in sys.path:
        sys.path.append(place)
    return importlib.import_module(module)


def own() -> list[Case]:
    """The project's own cases of the six filters."""
    return [
        Case("own", row["category"], row["language"], row["text"], row["label"], row["note"])
        for name in FILTERS
        for row in rows(CASES / f"{name.lower()}.jsonl")
    ]


def learned(data: Path) -> list[Example]:
    """All texts of the classifiers' recipe, as they are trained on, with their role."""
    source = recipe("guardrail-content", "examples")
    found = source.everything(data)
    plain = [each for each in found if each.source in ("requests", "tatoeba", "questions", "background")]
    names = {source.HELD: HELD, source.CALIBRATING: CALIBRATING, source.TRAINING: TRAINING}
    return [
        # The shipped weights are trained on all that was written for them.
        Example(
            each.text, each.language, each.source, each.values[:6], _role(names[each.role], each.source), each.weight
        )
        for each in source.augmented(found, plain, recipe("guardrail-content", "sources").SEED)
    ]


def _role(role: str, source: str) -> str:
    return TRAINING if source.startswith("written") else role


def public(data: Path, examples: Iterable[Example]) -> list[Case]:
    """Held-out rows of public sets, category by category."""
    part = recipe("guardrail-content", "sources").part
    benign = ordinary(examples)
    made = [*_moderation(data, part), *_tweets(data, part), *_told(data, part), *_requests(data, part, benign)]
    made += [*_hatecheck(data), *_attacks(data, part, benign)]
    known = {_plain(each.text) for each in examples if each.role != HELD}
    return _limited([each for each in made if each.text.strip() and _plain(each.text) not in known])


def ordinary(examples: Iterable[Example], most: int = 300) -> list[Case]:
    """Requests, answers and running text that nobody would block, held out: `most` of a language and kind."""
    kinds = ("requests", "answers", "questions", "background", "benign-security")
    groups: dict[tuple[str, str], list[Case]] = {}
    for each in examples:
        if each.role == HELD and each.source in kinds:
            case = Case("ordinary", "", each.language, each.text, 0, each.source)
            groups.setdefault((each.language, each.source), []).append(case)
    return [
        case
        for key, found in sorted(groups.items())
        for case in random.Random(f"{SEED}{key}").sample(found, min(most, len(found)))
    ]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", re.sub(r"@\w+|https?://\S+|\brt\b", " ", text.lower())))


def _limited(cases: list[Case]) -> list[Case]:
    groups: dict[tuple[str, str, str], list[Case]] = {}
    for each in dict.fromkeys(cases):
        groups.setdefault((each.set, each.category, each.language), []).append(each)
    return [
        case
        for key, found in groups.items()
        for case in (random.Random(f"{SEED}{key}").sample(found, MOST) if len(found) > MOST else found)
    ]


Part = Callable[..., int]


def _moderation(data: Path, part: Part) -> Iterator[Case]:
    names = {
        "HATE": {"hate", "hate/threatening"},
        "INSULTS": {"harassment"},
        "SEXUAL": {"sexual"},
        "VIOLENCE": {"violence", "violence/graphic"},
    }
    for row in rows(data / "moderation" / "moderation.jsonl"):
        if part(row["text"], 2) == 0:
            for category, labels in names.items():
                yield Case("moderation", category, "en", row["text"], int(bool(labels & set(row["labels"]))))


def _tweets(data: Path, part: Part) -> Iterator[Case]:
    for row in rows(data / "hate-davidson" / "tweets.jsonl.gz"):
        if part(row["text"]) == 0:
            yield Case("davidson", "HATE", "en", row["text"], int(row["label"] == "hate"), row["label"])
            yield Case("davidson", "TOXIC", "en", row["text"], int(row["label"] != "neither"), row["label"])


def _told(data: Path, part: Part) -> Iterator[Case]:
    """Two of three annotators make a label; a text that one of them alone marked is left out of it."""
    for row in rows(data / "told-br" / "told-br.jsonl.gz"):
        if part(row["text"]):
            continue
        votes = row["votes"]
        for category, most in (
            ("HATE", max(votes[each] for each in _IDENTITY)),
            ("INSULTS", votes["insult"]),
            ("TOXIC", max(votes.values())),
        ):
            if most != 1:
                yield Case("told-br", category, "pt", row["text"], int(most > 1))


def _requests(data: Path, part: Part, benign: list[Case]) -> Iterator[Case]:
    found = [row["text"] for row in rows(data / "advbench" / "advbench.jsonl")]
    found += [row["text"] for row in rows(data / "catqa" / "catqa.jsonl") if row["category"] in _CRIMES]
    for text in found:
        if part(text) == 0:
            yield Case("advbench and catqa", "MISCONDUCT", "en", text, 1)
    for case in benign:
        if case.language == "en" and case.note in ("requests", "questions", "benign-security"):
            yield Case("advbench and catqa", "MISCONDUCT", "en", case.text, 0, case.note)
    for row in rows(data / "xstest" / "xstest.jsonl"):
        yield Case("xstest", "ANY", "en", row["text"], int(row["label"] == "unsafe"), row["type"])


def _hatecheck(data: Path) -> Iterator[Case]:
    for language in LANGUAGES:
        for row in rows(data / "hatecheck" / f"hatecheck.{language}.jsonl"):
            label = int(row["label"] == "hateful")
            yield Case("hatecheck", "HATE", language, row["text"], label, row["functionality"])


def _attacks(data: Path, part: Part, benign: list[Case]) -> Iterator[Case]:
    def case(name: str, language: str, text: str, label: int = 1) -> Case:
        return Case(name, "PROMPT_ATTACK", language, text, label)

    for row in rows(data / "jailbreaks" / "inthewild.jsonl"):
        if part(row["text"]) == 0:
            yield case("inthewild", "en", row["text"])
    for row in rows(data / "jailbreaks" / "jailbreakbench.jsonl"):
        if part(row["goal"]) == 0:
            yield case("jailbreakbench", "en", row["text"])
    for row in rows(data / "prompt-injection" / "deepset.jsonl"):
        if part(row["text"]) == 0:
            yield case("deepset", "en", row["text"], row["label"])
    for row in rows(data / "prompt-injection" / "cyberseceval.jsonl"):
        if part(row["user"], 2) == 0:
            yield case("cyberseceval", row["lang"], row["user"])
    for each in benign:
        kind = "security requests" if each.note == "benign-security" else "ordinary requests"
        if each.note in ("requests", "questions", "benign-security"):
            yield case(kind, each.language, each.text, 0)
