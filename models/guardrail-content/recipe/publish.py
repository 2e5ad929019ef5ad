"""Calibrate, measure, write the weights: `python publish.py DATA WORK [--smoke]`, after every fit.

Thresholds are the scores that at most `FALSE` of harmless texts of a kind reach, by label and language: decent written
texts are scored by the twin that did not see their sitting, ordinary texts and tweets by the weights that ship, which
never see calibrating rows. Figures of written texts and left-out sets are of twins, those of held-out rows of the
weights that ship.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from counted import MOST_CHARACTERS, Corpus, ranges
from examples import CALIBRATING, HELD, LABELS, Example
from fit import TWINS, left_out, prepared
from sources import LANGUAGES, digest

from rocamadre.guardrails.classifiers import model as runtime
from rocamadre.guardrails.classifiers.features import fingerprints_of
from rocamadre.guardrails.folding import fold

TARGET = Path(runtime.__file__).with_name("weights") / "content.npz"
CARD = Path(__file__).parents[1] / "figures.json"
LEVELS = ("LOW", "MEDIUM", "HIGH")
FALSE = {
    "near": (0.20, 0.09, 0.025),
    "decent": (0.12, 0.04, 0.010),
    "ordinary": (0.03, 0.007, 0.0015),
    "tweets": (0.30, 0.12, 0.030),
}
"""The largest part that may be found at each level: of decent written texts that follow a label's own, of all decent
written ones, of ordinary texts, of tweets that nobody minded."""
WANTED = (0.80, 0.62, 0.35)
"""Of a label's written texts, what should be found at each level: where look-alikes are too like, more of them are."""
STEPS = 127
"""Of a weight, either side of zero."""
FAINT = 1
"""A bucket whose weights are no larger than this is left out."""
MOST_TELLING, MOST_KNOWN = 900, 12_000
SURE = 0.35
"""How much of its logarithm a word tells of its language: neighbours tell the same again."""
LABELLED = ("moderation", "hate-davidson", "told-br", "advbench", "catqa", "jailbreaks", "prompt-injection")
ORDINARY = ("requests", "answers", "questions", "background", "benign-security", "tatoeba", "novels")


def rates(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    right = int((found & (truth == 1)).sum())
    wrong, missed = int((found & (truth == 0)).sum()), int((~found & (truth == 1)).sum())
    return {
        "precision": round(right / max(1, right + wrong), 3), "recall": round(right / max(1, right + missed), 3),
        "f1": round(2 * right / max(1, 2 * right + wrong + missed), 3),
        "false_positives": round(wrong / max(1, int((truth == 0).sum())), 4), "positives": right + missed,
        "negatives": int((truth == 0).sum()),
    }  # fmt: skip


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    positive, negative = score[truth == 1], np.sort(score[truth == 0])
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return round(float(below.mean() / (2 * len(negative))), 3)


def kind_of(example: Example) -> str:
    source = "written" if example.source.startswith("written") else example.source
    return f"{'ordinary' if source in ORDINARY else source}/{example.language}"


def filter_of(label: str) -> str:
    """Kinds of attack stand near what attacks stand near."""
    return label if label in runtime.FILTERS else "PROMPT_ATTACK"


def anchors(
    score: np.ndarray, truth: np.ndarray, near: np.ndarray, decent: np.ndarray, groups: np.ndarray
) -> list[float]:
    """Scores of LOW, MEDIUM and HIGH for a label in a language; `groups`: written, ordinary, tweets."""
    harmless, written = truth == 0, groups == "written"
    kinds = {
        "near": score[harmless & written & near],
        "decent": score[harmless & written & decent],
        "ordinary": score[harmless & (groups == "ordinary")],
        "tweets": score[harmless & (groups == "tweets")],
    }
    positive = score[(truth == 1) & written]
    found = []
    for level, wanted in enumerate(WANTED):
        limits = {
            kind: float(np.quantile(scores, 1 - FALSE[kind][level]))
            for kind, scores in kinds.items()
            if len(scores) > 30
        }
        if len(positive) > 30:
            enough = float(np.quantile(positive, 1 - wanted))
            limits |= {kind: min(limits[kind], enough) for kind in ("near", "decent") if kind in limits}
        found.append(max(limits.values(), default=0.0))
    return [min(found[0], found[1] - 0.25), found[1], max(found[2], found[1] + 0.4)]


def limits_of(examples: list[Example], scores: np.ndarray, calibrates: np.ndarray) -> np.ndarray:
    """(languages, labels, 3)."""
    truth = np.array([each.values for each in examples])
    language = np.array([each.language for each in examples])
    near = np.array([each.extra.get("near", "") for each in examples])
    decent = np.array([each.source == "written-benign" for each in examples])
    names = {"written-benign": "written", "written": "written", "tweets": "tweets", "told": "tweets"} | dict.fromkeys(
        ORDINARY, "ordinary"
    )
    groups = np.array([names.get(each.source, "") for each in examples])
    found = np.zeros((len(LANGUAGES), len(LABELS), len(LEVELS)), np.float32)
    for number, spoken in enumerate(LANGUAGES):
        chosen = np.flatnonzero(calibrates & (language == spoken))
        for place, label in enumerate(LABELS):
            found[number, place] = anchors(
                scores[chosen, place],
                truth[chosen, place],
                near[chosen] == filter_of(label),
                decent[chosen],
                groups[chosen],
            )
    return found


def figures(examples: list[Example], numbers: np.ndarray, margins: np.ndarray) -> dict:
    """Rates at MEDIUM by label, language and kind of text; margins are scores less thresholds: (texts, labels, 3)."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        groups[kind_of(examples[number])].append(number)
    found: dict = {}
    for place, label in enumerate(LABELS):
        for group, chosen in sorted(groups.items()):
            row = figure(label, place, group, [examples[number] for number in chosen], margins[chosen, place])
            if row:
                found.setdefault(label, {})[group] = row
    return found


def figure(label: str, place: int, group: str, examples: list[Example], margin: np.ndarray) -> dict:
    truth = np.array([each.values[place] for each in examples])
    if group.startswith("ordinary"):
        return {level: round(float((margin[truth == 0, at] >= 0).mean()), 4) for at, level in enumerate(LEVELS)}
    if not (truth == 1).any():
        return {}
    row = rates(margin[:, 1] >= 0, truth)
    if (truth == 0).any():
        row["auroc"] = auroc(margin[:, 1], truth)
    if group.startswith("written"):
        near = np.array([each.extra["near"] == filter_of(label) for each in examples])
        row["look_alikes"] = round(float((margin[near, 1] >= 0).mean()), 4)
        row["auroc_look_alikes"] = auroc(margin[near | (truth == 1), 1], truth[near | (truth == 1)])
        row["patterns"] = len(
            {each.extra["pattern"] for each, value in zip(examples, truth, strict=True) if value == 1}
        )
    return row


def languages_of(examples: list[Example], made: Corpus) -> dict[str, np.ndarray]:
    """Words that tell a language, and words that are known, as fingerprints."""
    own, _ = fingerprints_of(made.hashes, made.stems)
    windows = np.diff(made.bags)
    spoken_in = np.repeat(np.array([each.language for each in examples]), windows)
    counted = []
    for spoken in LANGUAGES:
        chosen = np.flatnonzero(spoken_in == spoken)
        words, _ = ranges(made.first[chosen], made.end[chosen])
        # Windows overlap; what they share is counted once.
        counted.append(np.unique(own[np.unique(words)], return_counts=True))
    every = np.unique(np.concatenate([words for words, _ in counted]))
    counts = np.zeros((len(every), len(LANGUAGES)))
    for place, (words, found) in enumerate(counted):
        counts[np.searchsorted(every, words), place] = found
    share = counts / counts.sum(0)
    told = np.log(share + 2e-5)
    told -= told.mean(1, keepdims=True)
    worth = np.abs(told).max(1) * share.max(1)
    telling = np.sort(np.argsort(-worth, kind="stable")[:MOST_TELLING])
    known = np.argsort(-share.max(1), kind="stable")[:MOST_KNOWN]
    return {
        "telling": every[telling], "tongues": (SURE * told[telling]).astype(np.float16), "known": np.sort(every[known])
    }  # fmt: skip


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    """What ships of a fit."""
    with np.load(path) as kept:
        table, bias = kept["table"], kept["bias"]
    scales = np.quantile(np.abs(table[np.any(table, 1)]), 0.9995, axis=0) / STEPS
    rounded = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
    rounded[np.abs(rounded).max(1) <= FAINT] = 0
    return {"table": rounded, "scales": scales.astype(np.float32), "bias": bias.astype(np.float32)}


def model_of(arrays: dict[str, np.ndarray], tongues: dict[str, np.ndarray], limits: np.ndarray | None = None):
    unset = np.broadcast_to(np.array([-1, 0, 1], np.float32), (len(LANGUAGES), len(LABELS), 3))
    return runtime.ContentModel(**arrays, **tongues, anchors=unset if limits is None else limits)


def read_by(model, examples: list[Example], numbers: np.ndarray, found: tuple[np.ndarray, np.ndarray]) -> None:
    """Write scores of some texts and what their words say of their language."""
    for number in numbers:
        found[0][number], found[1][number] = model._read(fold(examples[number].text[:MOST_CHARACTERS]).text)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    examples, made = prepared(given.data, given.work, smoke=given.smoke)
    target = given.work / TARGET.name if given.smoke else TARGET
    role = np.array([each.role for each in examples])
    tongues = languages_of(examples, made)
    arrays = arrays_of(given.work / "weights-none.npz")
    read = np.full((len(examples), len(LABELS)), -20.0, np.float32), np.zeros((len(examples), 3), np.float32)
    sets = np.array([not each.source.startswith("written") for each in examples])
    read_by(model_of(arrays, tongues), examples, np.flatnonzero(sets & (role != 2)), read)
    elsewhere = np.zeros(len(examples), bool)
    for twin in list(TWINS)[-1:] if given.smoke else TWINS:
        # Rows of sets that are held out are measured with what ships.
        unseen = left_out(examples, twin) & (role != HELD) & ~(sets & (role == CALIBRATING))
        read_by(
            model_of(arrays_of(given.work / f"weights-{twin}.npz"), tongues), examples, np.flatnonzero(unseen), read
        )
        elsewhere |= unseen
    np.savez(given.work / "read.npz", scores=read[0], told=read[1], elsewhere=elsewhere)
    limits = limits_of(examples, read[0], (elsewhere & ~sets) | (sets & (role == CALIBRATING)))
    model = model_of(arrays, tongues, limits)
    margins = read[0][:, :, None] - np.stack([model.limits(told) for told in read[1]])
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_suffix(".part.npz")
    np.savez_compressed(temporary, **{name: getattr(model, name) for name in model.__dataclass_fields__})
    temporary.replace(target)
    report = {
        "at": "MEDIUM. held_out: rows of sets that nothing learned from, by the weights that ship. elsewhere: written "
        "texts and whole sets that a twin has not seen, by that twin",
        "held_out": figures(examples, np.flatnonzero(sets & (role == HELD)), margins),
        "elsewhere": figures(examples, np.flatnonzero(elsewhere), margins),
        "thresholds": {
            spoken: dict(zip(LABELS, np.round(limits[place], 3).astype(float).round(3).tolist(), strict=True))
            for place, spoken in enumerate(LANGUAGES)
        },
        "data": {
            str(path.relative_to(given.data)): digest(path)
            for name in LABELLED
            if not given.smoke
            for path in sorted((given.data / name).glob("*.jsonl*"))
        },
        "bytes": target.stat().st_size,
    }  # fmt: skip
    if not given.smoke:
        CARD.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for part in ("held_out", "elsewhere"):
        for label, groups in report[part].items():
            for group, row in groups.items():
                print(part, label, group, row)
    print(report["bytes"], "bytes")


if __name__ == "__main__":
    main()
