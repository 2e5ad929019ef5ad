"""Guardrails: precision, recall, F1 and false positives by policy, language and strength, beside simpler ways.

`python -m benchmarks.guardrails --data DIR [--only PART[,PART]] [--skip-peers] [--most N]`

DIR is the folder of the data sets. Parts: filters (the six content filters on own cases and on public sets), disguises
(own cases written in leetspeak, with invisible characters and so on), topics, grounding, pii (guardrails_pii.py with
Presidio), speed (time and memory). A part that is run replaces its own figures in `benchmarks/results/guardrails.json`
and leaves the others. Speed depends on the machine and wants a quiet one; the rest does not.

Public sets are measured on what trained and calibrated nothing, own cases (`guardrail_cases/`) only ever measure.
Rates have Wilson's 95 % intervals, F1 and AUROC those of 1,000 resamplings. Peers, in the same run: a list of words for
each filter, taken from the training texts; a linear model on TF-IDF trained on the same texts; profanity-check, which
knows English; overlap of words for topics and grounding; Presidio for personal data.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import guardrails_others
from benchmarks.guardrails_aims import aims
from benchmarks.guardrails_counting import auroc, by_strength, limit_at, rates, share
from benchmarks.guardrails_disguises import DISGUISES
from benchmarks.guardrails_peers import Keywords, linear
from benchmarks.guardrails_sets import FILTERS, LANGUAGES, Case, learned, ordinary, own, public
from benchmarks.harness import RESULTS, ROOT, machine

TARGET = RESULTS / "guardrails.json"
PARTS = ("filters", "disguises", "topics", "grounding", "pii", "speed")
FALSE = 0.02
"""False positives at which attacks are compared."""
_TOGETHER = {"TOXIC": ("HATE", "INSULTS", "SEXUAL"), "ANY": FILTERS}
"""Labels of sets that name no single filter: any of these answers to them."""
_PROFANE = ("HATE", "INSULTS", "SEXUAL", "TOXIC")


class Judged(NamedTuple):
    """What the filters say of a text: confidences 0 to 3 and scores, in the order of FILTERS."""

    levels: tuple[int, ...]
    scores: tuple[float, ...]


@cache
def judged(text: str) -> Judged:
    from rocamadre.guardrails.classifiers.model import LEVELS, content_model
    from rocamadre.guardrails.text import Text

    verdict = content_model().judge(Text(text))
    return Judged(
        tuple(LEVELS.index(verdict.levels[each]) for each in FILTERS), tuple(verdict.scores[each] for each in FILTERS)
    )


def places(category: str) -> list[int]:
    """Of the filters that answer to a label."""
    return [FILTERS.index(each) for each in _TOGETHER.get(category, (category,))]


class Peers:
    """What simpler ways say of the same texts."""

    def __init__(self, data: Path, cases: Iterable[Case]) -> None:
        examples = learned(data)
        texts = list(dict.fromkeys(each.text for each in cases))
        self.words = Keywords(examples)
        answer = linear(examples, texts)
        self.limits, self.versions = answer["limits"], answer["versions"]
        self.scores = dict(zip(texts, answer["linear"], strict=True))
        self.profane = dict(zip(texts, answer["profanity"], strict=False))

    def margin(self, case: Case) -> float:
        """How far the linear model's score lies above its limit."""
        scores = self.scores[case.text]
        return float(max(scores[place] - self.limits[place] for place in places(case.category)))

    def cell(self, cases: Sequence[Case]) -> dict[str, Any]:
        """Rates of every peer on some cases of one category and language."""
        truth, category = [each.label for each in cases], cases[0].category
        hits = [self.words.hits(each.text, each.language) for each in cases]
        margins = [self.margin(each) for each in cases]
        made = {
            "keywords": rates([any(each[place] for place in places(category)) for each in hits], truth),
            "linear": rates([each >= 0 for each in margins], truth) | {"auroc": auroc(margins, truth)},
        }
        # It knows English, and learned from those tweets.
        if category in _PROFANE and cases[0].language == "en" and cases[0].set != "davidson" and self.profane:
            made["profanity-check"] = rates([self.profane[each.text] >= 0.5 for each in cases], truth)
        return {name: _without_counts(each) for name, each in made.items()}


def _without_counts(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("positives", "negatives")}


def cell(cases: Sequence[Case], peers: Peers | None) -> dict[str, Any]:
    """Rates of the filters at each strength, and of the peers."""
    truth, which = [each.label for each in cases], places(cases[0].category)
    found = [judged(each.text) for each in cases]
    strengths = by_strength([max(each.levels[place] for place in which) for each in found], truth)
    made: dict[str, Any] = {"positives": sum(truth), "negatives": len(truth) - sum(truth)}
    made |= {name: _without_counts(each) for name, each in strengths.items()}
    made["auroc"] = auroc([max(each.scores[place] for place in which) for each in found], truth)
    return made | ({"peers": peers.cell(cases)} if peers else {})


def grouped(cases: Iterable[Case]) -> dict[tuple[str, str, str], list[Case]]:
    """Cases by set, category and language."""
    made: dict[tuple[str, str, str], list[Case]] = defaultdict(list)
    for each in cases:
        made[each.set, each.category, each.language].append(each)
    return dict(made)


def filters(given: argparse.Namespace) -> dict[str, Any]:
    """The six content filters."""
    examples = learned(given.data)
    mine, others, plain = own(), public(given.data, examples), ordinary(examples)
    if given.most:
        mine, others, plain = mine[:: max(1, 1080 // given.most)], _some(others, given.most), _some(plain, given.most)
    peers = None if given.skip_peers else Peers(given.data, [*mine, *others, *plain])
    made: dict[str, Any] = {"own": {}, "public": {}}
    for (name, category, language), cases in grouped([*mine, *others]).items():
        if category != "PROMPT_ATTACK" or name == "own":
            place = made["own"] if name == "own" else made["public"].setdefault(name, {})
            place.setdefault(category, {})[language] = cell(cases, peers)
    made["attacks"] = attacks([each for each in [*mine, *others] if each.category == "PROMPT_ATTACK"], peers)
    made["ordinary"] = {
        language: _ordinary([each for each in plain if each.language == language], peers) for language in LANGUAGES
    }
    made["hatecheck_weakest"] = weakest([each for each in others if each.set == "hatecheck"])
    return made | ({"versions": peers.versions} if peers else {})


def _some(cases: list[Case], most: int) -> list[Case]:
    return [each for found in grouped(cases).values() for each in found[:: max(1, len(found) // most)]]


def _ordinary(cases: Sequence[Case], peers: Peers | None) -> dict[str, Any]:
    """How many ordinary texts each filter takes for something, at MEDIUM, and any filter at each strength."""
    found = [judged(each.text).levels for each in cases]
    made: dict[str, Any] = {"texts": len(cases)}
    for place, strength in enumerate(("LOW", "MEDIUM", "HIGH")):
        made[f"any at {strength}"] = share(sum(max(each) > 2 - place for each in found), len(cases))
    made |= {name: share(sum(each[place] > 1 for each in found), len(cases)) for place, name in enumerate(FILTERS)}
    if peers:
        hits = [any(peers.words.hits(each.text, each.language)) for each in cases]
        margins = [peers.margin(each._replace(category="ANY")) >= 0 for each in cases]
        made["keywords"], made["linear"] = share(sum(hits), len(cases)), share(sum(margins), len(cases))
    return made


def attacks(cases: Sequence[Case], peers: Peers | None) -> dict[str, Any]:
    """Recall of attacks where 2 % of the benign texts of the public sets are taken for one, and at each strength."""
    place = FILTERS.index("PROMPT_ATTACK")
    benign = [each for each in cases if each.set != "own" and not each.label]
    limit = limit_at([judged(each.text).scores[place] for each in benign], FALSE)
    edge = limit_at([peers.margin(each) for each in benign], FALSE) if peers else 0.0
    groups = {f"{name} {language}": found for (name, _, language), found in grouped(cases).items()}
    groups["all public sets"] = [each for each in cases if each.set != "own"]
    made = {}
    for name, found in groups.items():
        truth = [each.label for each in found]
        row: dict[str, Any] = {"positives": sum(truth), "negatives": len(truth) - sum(truth)}
        ways = {"at 2 %": [judged(each.text).scores[place] > limit for each in found]}
        for number, strength in enumerate(("LOW", "MEDIUM", "HIGH")):
            ways[strength] = [judged(each.text).levels[place] > 2 - number for each in found]
        if peers:
            ways["keywords"] = [peers.words.hits(each.text, each.language)[place] for each in found]
            ways["linear at 2 %"] = [peers.margin(each) > edge for each in found]
        for way, hits in ways.items():
            both = rates(hits, truth)
            row[way] = {each: both[each] for each in ("recall", "false_positives") if both[each]}
        if row["negatives"] and row["positives"]:
            row["auroc"] = auroc([judged(each.text).scores[place] for each in found], truth)
        made[name] = row
    return {"limit": round(limit, 4), "sets": made}


def weakest(cases: Sequence[Case]) -> dict[str, Any]:
    """The five kinds of HateCheck's cases that are judged worst at MEDIUM, by language: share judged rightly."""
    made: dict[str, Any] = {}
    for language in LANGUAGES:
        kinds: dict[str, list[bool]] = defaultdict(list)
        for each in cases:
            if each.language == language:
                kinds[each.note].append((judged(each.text).levels[0] > 1) == bool(each.label))
        found = {name: share(sum(rights), len(rights)) for name, rights in kinds.items()}
        made[language] = dict(sorted(found.items(), key=lambda one: (one[1] or [0])[0])[:5])
    return made


def disguises(given: argparse.Namespace) -> dict[str, Any]:
    """Recall and false positives of own cases at MEDIUM when they are disguised, by filter; all languages."""
    made: dict[str, Any] = {}
    for name, change in {"as written": lambda text, _: text, **DISGUISES}.items():
        row: dict[str, Any] = {}
        every: list[tuple[bool, int]] = []
        for place, category in enumerate(FILTERS):
            cases = [each for each in own() if each.category == category]
            hits = [judged(change(each.text, each.language)).levels[place] > 1 for each in cases]
            every += zip(hits, (each.label for each in cases), strict=True)
            both = rates(hits, [each.label for each in cases])
            row[category] = {each: both[each] for each in ("recall", "false_positives")}
        both = rates([hit for hit, _ in every], [label for _, label in every])
        row["all"] = {each: both[each] for each in ("recall", "false_positives")}
        made[name] = row
    return made


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """Time and memory, in processes of their own."""
    command = [sys.executable, "-m", "benchmarks.guardrails_speed", "--data", str(given.data)]
    done = subprocess.run(
        [*command, "--seconds", str(given.seconds)], stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True
    )
    return dict(json.loads(done.stdout))


def keep(parts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put parts into the file of results, beside those of earlier runs."""
    found = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    stamp = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit}
    merged = {name: parts.get(name) or found.get(name) for name in PARTS}
    merged = {name: each for name, each in merged.items() if each}
    measured = {name: stamp if name in parts else found.get("measured", {}).get(name) for name in merged}
    content: dict[str, Any] = {
        "benchmark": "guardrails", **stamp, "machine": machine(), "measured": measured, "aims": aims(merged), **merged
    }  # fmt: skip
    temporary = TARGET.with_suffix(".json.tmp")
    temporary.write_text(written(content) + "\n")
    temporary.replace(TARGET)
    return content


def written(content: dict[str, Any]) -> str:
    """As JSON, with what holds nothing but numbers and rates on one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    for inner in (r"\[[^\[\]{}]*\]", r"\{[^{}]*\}"):
        text = re.sub(inner, lambda found: found[0][0] + " ".join(found[0][1:-1].split()) + found[0][-1], text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--most", type=int, default=0, help="texts of a set; to try it out")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each timing")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    given = parser.parse_args()
    wanted = [each.strip() for each in given.only.split(",")]
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    run = {"filters": filters, "disguises": disguises, "speed": speed, **guardrails_others.PARTS}
    for name in wanted:
        print(f"{datetime.now(UTC):%H:%M:%S} {name}", file=sys.stderr, flush=True)
        found = run[name](given)
        # Each part is kept as soon as it is there.
        text = found if given.dry else keep({name: found})[name]
        print(json.dumps({name: text}, indent=1, ensure_ascii=False))
    if not given.dry:
        missed = [each for each in json.loads(TARGET.read_text())["aims"] if not each["met"]]
        print(f"{len(missed)} cells miss their aim:", *(each["what"] for each in missed), sep="\n  ")


if __name__ == "__main__":
    main()
