"""Train the two models: `python models/guardrail-grounding/recipe/train.py DATA [--smoke]`, minutes on one core.

DATA is the folder of the data sets. Articles whose title has a SHA-256 divisible by five only test; a fifth of the
others sets the curve; the rest trains. Writes src/rocamadre/guardrails/grounding/weights.json and figures.json beside
the card; with --smoke a small run that writes to the folder given by --out alone.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pairs as p
import reading
from boosting import boost
from spoiling import HELD_OUT

from rocamadre.guardrails.grounding import model as m
from rocamadre.guardrails.grounding import scoring
from rocamadre.guardrails.grounding.features import GROUNDING, RELEVANCE

SQUAD = [name for name in reading.FILES if name.startswith(("squad", "faquad"))]
# The share of right answers that may score below each threshold, on articles that set the curve.
ALARMS = {
    0.1: 0.005,
    0.2: 0.012,
    0.3: 0.02,
    0.4: 0.035,
    0.5: 0.05,
    0.6: 0.075,
    0.7: 0.1,
    0.8: 0.15,
    0.9: 0.25,
    0.95: 0.4,
    0.99: 0.65,
}
MOST = {reading.TRAIN: 14_000, reading.CALIBRATE: 1_800, reading.TEST: 6_000}
# Answers in words of their own are rare in the sets and common in life.
COUNTS = {"reworded": 4.0, "summary": 4.0, "crossed": 1.5, "negation_lost": 2.0}
UNSEEN = {*HELD_OUT, "unanswerable", "other_sentence"}


def note(*said: object) -> None:
    print(f"{time.process_time():7.1f} s", *said, file=sys.stderr, flush=True)


def gather(data: Path, seed: int, most: int, *, smoke: bool) -> tuple[list[p.Pair], list[p.Pair]]:
    """Pairs for grounding and for relevance."""
    draw = random.Random(seed)
    rows = reading.questions(data, *SQUAD)
    library = p.Library(rows)
    sample = draw.sample(rows, most)
    portuguese = [row for row in sample if row.language == "pt"]
    others = [row for row in sample if row.language != "pt"]
    grounding = p.grounding_pairs(others, library, draw, 1) + p.grounding_pairs(portuguese, library, draw, 3)
    grounding += p.crossed_pairs(data, sample, library, draw, 6_000)
    grounding += p.negated_pairs(library, draw)
    if not smoke:
        grounding += p.news_pairs(data, draw) + p.summary_pairs(data, draw)
    relevance = p.relevance_pairs(others, library, draw, 1) + p.relevance_pairs(portuguese, library, draw, 2)
    return grounding, relevance


def limited(found: list[p.Pair], most: dict[str, int], seed: int) -> list[p.Pair]:
    """So many of each fold, drawn at random; what sets the curve is right answers alone."""
    draw = random.Random(seed)
    kept = []
    for fold, count in most.items():
        own = [pair for pair in found if pair.fold == fold and (pair.good or fold != reading.CALIBRATE)]
        kept += own if len(own) <= count else draw.sample(own, count)
    # Neighbours share their source, which is then cut up once.
    return sorted(kept, key=lambda pair: pair.source)


def measured(found: list[p.Pair], relevance: bool) -> list[tuple[p.Pair, list[list[float]]]]:
    """Pairs with the numbers of their sentences."""
    kept = []
    for pair in found:
        both = scoring.rows(pair.answer, pair.source, pair.question, grounding=not relevance, relevance=relevance)
        if rows := both.relevance if relevance else both.grounding:
            kept.append((pair, rows))
    return kept


def trained(found: list, names: tuple[str, ...], relevance: bool, given: argparse.Namespace) -> dict:
    """A model as weights.json holds it: two rounds, the second on the sentence that decides."""
    own = [each for each in found if each[0].fold == reading.TRAIN]
    counts = Counter((pair.group, pair.good) for pair, _ in own)
    weights = np.array([len(own) / counts[pair.group, pair.good] ** 0.7 for pair, _ in own])
    weights *= [COUNTS.get(pair.kind, 1.0) for pair, _ in own]
    weights *= len(own) / weights.sum()
    good = np.array([float(pair.good) for pair, _ in own])
    whole = [np.mean(rows, axis=0) for _, rows in own]
    chosen = np.array([rows[0] if len(rows) == 1 else mean for (_, rows), mean in zip(own, whole, strict=True)])
    made: list = []
    for trees in (given.trees // 3, given.trees):
        made = boost(chosen, good, weights, trees=trees, depth=given.depth, seed=given.seed)
        rough = m.read_model({"trees": made, "sums": [0], "scores": [0]}).trees
        pick = np.argmax if relevance else np.argmin
        chosen = np.array([rows[int(pick(rough(np.array(rows))))] for _, rows in own])
    return {"columns": list(names), "trees": made, **curve(found, made, relevance)}


def curve(found: list, trees: list, relevance: bool) -> dict:
    """Scores by the share of right answers that falls below, and what many sentences are forgiven."""
    own = [each for each in found if each[0].fold == reading.CALIBRATE and each[0].good]
    plain = m.read_model({"trees": trees, "sums": [0], "scores": [0]})
    sums = np.array([scoring.total(plain, rows, relevance=relevance) for _, rows in own])
    lengths = np.log([len(rows) for _, rows in own])
    forgiven = 0.0
    if not relevance and (lengths > 0).sum() > 50:
        low = np.quantile(sums[lengths == 0], 0.1) - np.quantile(sums[lengths > 0], 0.1)
        forgiven = round(float(np.clip(low / lengths[lengths > 0].mean(), 0, 1)), 3)
    sums = sums + forgiven * lengths
    counts = np.array([COUNTS.get(pair.kind, 1.0) for pair, _ in own])
    order = np.argsort(sums)
    below = (counts[order].cumsum() - counts[order] / 2) / counts.sum()
    knots = [float(np.interp(share, below, sums[order])) for share in ALARMS.values()]
    knots = [knots[0] - 3.0, *knots, max(knots[-1] + 1.5, float(sums.max()))]
    rising = [round(each + 1e-4 * number, 4) for number, each in enumerate(np.maximum.accumulate(knots))]
    return {"sums": rising, "scores": [0.0, *ALARMS, 1.0], "per_sentence": forgiven}


def auroc(good: np.ndarray, bad: np.ndarray) -> float:
    """The chance that a right answer scores above a wrong one."""
    order = np.sort(bad)
    below = np.searchsorted(order, good, "left") + np.searchsorted(order, good, "right")
    return float(below.mean() / 2 / len(bad))


def figures(found: list, data: dict, relevance: bool) -> dict:
    """AUROC per kind and language on articles that only test, and what each threshold does there."""
    model = m.read_model(data)
    scores: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for pair, rows in found:
        if pair.fold == reading.TEST:
            value = model.score(scoring.total(model, rows, relevance=relevance))
            scores[pair.group, pair.kind, pair.good].append(value)
    groups = sorted({group for group, _, _ in scores})

    def taken(good: bool, groups_: list[str], kinds: set[str] | None = None) -> np.ndarray:
        keys = [k for k in scores if k[2] is good and k[0] in groups_ and (kinds is None or k[1] in kinds)]
        return np.array([value for key in keys for value in scores[key]])

    kinds = sorted({kind for _, kind, good in scores if not good})
    sets = {"all": groups, "same language": [g for g in groups if ">" not in g]}
    sets |= {"across": [g for g in groups if ">" in g]} if any(">" in g for g in groups) else {}
    sets |= {group: [group] for group in groups}
    table: dict = {}
    for name, members in sets.items():
        right = taken(True, members)
        row: dict = {"right": len(right), "kinds": {}}
        choices = {"every kind": None, "kinds not trained on": UNSEEN, "kinds trained on": set(kinds) - UNSEEN}
        for kind, wanted in {**choices, **{kind: {kind} for kind in kinds}}.items():
            wrong = taken(False, members, wanted)
            if len(wrong) >= 15 and len(right):
                row["kinds"][kind] = {"auroc": round(auroc(right, wrong), 3), "wrong": len(wrong)}
        wrong = taken(False, members)
        row["thresholds"] = {
            str(t): [round(float((right < t).mean()), 3), round(float((wrong >= t).mean()), 3)]
            for t in (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
        }
        table[name] = row
    right = {
        kind: np.mean([v < 0.7 for g in groups for v in scores.get((g, kind, True), [])] or [0])
        for _, kind, good in scores
        if good
    }
    return {
        "held_out_kinds": sorted(UNSEEN & set(kinds)),
        "false_alarms_at_0.7": {k: round(float(v), 3) for k, v in right.items()},
        "groups": table,
    }


def write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--trees", type=int, default=260)
    parser.add_argument("--depth", type=int, default=5)
    parser.add_argument("--smoke", action="store_true", help="a few rows and trees, written to --out alone")
    parser.add_argument("--out", type=Path, help="folder for both files instead of their places in the checkout")
    given = parser.parse_args()
    if given.smoke and not given.out:
        parser.error("--smoke needs --out: it must not replace the shipped weights")
    if given.smoke:
        given.trees, given.depth = 12, 3
    weights_at = (given.out or Path(m.__file__).parent) / "weights.json"
    figures_at = (given.out or Path(__file__).parents[1]) / "figures.json"
    grounding, relevance = gather(given.data, given.seed, 400 if given.smoke else 12_000, smoke=given.smoke)
    made, told = {}, {}
    for name, pairs, columns in (("grounding", grounding, GROUNDING), ("relevance", relevance, RELEVANCE)):
        found = limited(pairs, MOST, given.seed)
        note(name, len(found), "pairs", dict(Counter((pair.fold, pair.good) for pair in found)))
        rows = measured(found, name == "relevance")
        note("numbers made")
        made[name] = trained(rows, columns, name == "relevance", given)
        told[name] = figures(rows, made[name], name == "relevance")
        note(json.dumps(told[name]["groups"]["all"]))
    write(weights_at, json.dumps(made, separators=(",", ":")).replace("]],", "]],\n") + "\n")
    sets = {name: [reading.FILES[name], digest] for name, digest in reading.hashes(given.data).items()}
    write(figures_at, json.dumps({"seed": given.seed, "sets": sets, **told}, indent=1) + "\n")
    note(weights_at, f"{weights_at.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
