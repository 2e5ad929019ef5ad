"""Calibrate, measure, write the weights: `python publish.py DATA WORK`, after `fit.py` for each fold and `--all`.

MEDIUM stands where the mean of balanced F1 over kinds of text and languages is best, with at most `FALSE` of the
ordinary texts of any language found; LOW and HIGH on either side. Thresholds are chosen on calibrating rows of the sets
and on written patterns that the scoring twin did not train. A fold of patterns is measured with thresholds chosen
without it; held-out rows of the sets are measured with the weights and thresholds that ship.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from corpus import MOST_CHARACTERS
from examples import CALIBRATING, FOLDS, HELD, LABELS, Example, fold_of
from fit import prepared
from sources import LANGUAGES, digest

from rocamadre.guardrails.classifiers import model as runtime
from rocamadre.guardrails.folding import fold

TARGET = Path(runtime.__file__).with_name("weights") / "content.npz"
CARD = Path(__file__).parents[1] / "figures.json"
FALSE = {"LOW": 0.05, "MEDIUM": 0.016, "HIGH": 0.003}
"""The largest part of ordinary texts of a language that may be found at a level."""
STEPS = 6
"""Of a word vector's numbers, either side of zero."""
OTHERS = 0.05
"""The largest part of written texts of a language, not of the label, that MEDIUM may find."""
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


def anchors(score: np.ndarray, truth: np.ndarray, kinds: np.ndarray) -> list[float]:
    """Scores of LOW, MEDIUM and HIGH."""
    plain = [score[(kinds == f"ordinary/{each}") & (truth == 0)] for each in LANGUAGES]
    least = {level: max(float(np.quantile(each, 1 - share)) for each in plain) for level, share in FALSE.items()}
    # What the other patterns of a language may say at most: decent look-alikes, and harm of other kinds.
    others = [score[(kinds == f"written/{each}") & (truth == 0)] for each in LANGUAGES]
    alike = [float(np.quantile(each, 1 - OTHERS)) for each in others if len(each) > 30]
    least["MEDIUM"] = max([least["MEDIUM"], *alike])
    groups = [each for each in np.unique(kinds) if ((kinds == each) & (truth == 1)).sum() >= 8]
    groups = [each for each in groups if ((kinds == each) & (truth == 0)).sum() >= 8]
    grid = np.quantile(score, np.linspace(0.2, 0.9995, 400))

    def worth(limit: float) -> float:
        """The mean of F1 with as many positives as negatives: how rare they are differs from use to use."""
        found = [rates(score[kinds == each] >= limit, truth[kinds == each]) for each in groups]
        return float(np.mean([2 * each["recall"] / (1 + each["recall"] + each["false_positives"]) for each in found]))

    best = max(grid, key=worth) if groups else least["MEDIUM"]
    medium = max(float(best), least["MEDIUM"])
    low = max(min(medium - 0.8, float(best)), min(least["LOW"], medium - 0.2))
    high = max(medium + 1.0, least["HIGH"])
    return [low, medium, high]


def carried(limits: np.ndarray, twins: np.ndarray, shipped: np.ndarray) -> np.ndarray:
    """What as many ordinary texts reach with the shipped weights as reach the thresholds with the twins."""
    found = np.empty_like(limits)
    for place in range(len(limits)):
        old, new = np.sort(twins[:, place]), np.sort(shipped[:, place])
        for level, limit in enumerate(limits[place]):
            above = len(old) - int(np.searchsorted(old, limit))
            # Beyond the few loudest texts the distance to them counts.
            least = max(above, 4)
            found[place, level] = new[-least] + limit - old[-least] if above < 4 else new[-above]
        found[place] = [
            min(found[place, 0], found[place, 1] - 0.2),
            found[place, 1],
            max(found[place, 1:].max(), 0.2 + found[place, 1]),
        ]
    return found


def figures(examples: list[Example], numbers: np.ndarray, margins: np.ndarray) -> dict:
    """Rates at MEDIUM by label, language and kind of text; margins are scores less thresholds, a column per level."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number in numbers:
        groups[kind_of(examples[number])].append(number)
    found: dict = {}
    for place, label in enumerate(LABELS):
        for group, chosen in sorted(groups.items()):
            truth = np.array([examples[number].values[place] for number in chosen])
            p = margins[chosen, place]
            if group.startswith("ordinary"):
                known = truth == 0
                found.setdefault(label, {})[group] = {
                    level: round(float((p[known, column] >= 0).mean()), 4) for column, level in enumerate(FALSE)
                }
            elif (truth == 1).any():
                row = found.setdefault(label, {})[group] = rates(p[:, 1] >= 0, truth)
                if (truth == 0).any():
                    row["auroc"] = auroc(p[:, 1], truth)
                if group.startswith("written"):
                    benign = np.array([examples[number].source == "written-benign" for number in chosen])
                    row["look_alikes"] = round(float((p[benign, 1] >= 0).mean()), 4)
                    row["patterns"] = len(
                        {examples[n].extra["pattern"] for n, t in zip(chosen, truth, strict=True) if t == 1}
                    )
    return found


def reader(weights) -> dict[str, np.ndarray]:
    """The arrays of the part that reads vectors. Its last bias is in `bias`."""
    return {
        "inner": weights["reader.inner.weight"].T.astype(np.float16),
        "inner_bias": weights["reader.inner.bias"],
        "outer": weights["reader.outer.weight"].T,
    }  # fmt: skip


def coarsened(source: Path, target: Path) -> None:
    """Vectors with `STEPS` steps either side of zero: a third of the bytes, and cosines hardly change."""
    with np.load(source) as arrays:
        kept = dict(arrays)
    table = kept["table"].astype(np.float32)
    kept["table"] = np.rint(table / (127 / STEPS)).astype(np.int8)
    kept["scales"] = (kept["scales"].astype(np.float32) * (127 / STEPS)).astype(np.float16)
    temporary = target.with_suffix(".part.npz")
    np.savez_compressed(temporary, **kept)
    temporary.replace(target)


def as_shipped(path: Path, examples: list[Example], numbers: np.ndarray) -> np.ndarray:
    """Scores of some texts by the weights in a file, rounded as they are."""
    model = runtime.read(path)
    found = np.full((len(examples), len(LABELS)), -20.0, np.float32)
    for number in numbers:
        found[number] = model.worst(fold(examples[number].text[:MOST_CHARACTERS]).text)
    return found


def arrays_of(weights, hashes: np.ndarray) -> dict[str, np.ndarray]:
    """What ships, but for the thresholds."""
    table = weights["bag.weight"]
    scales = np.quantile(np.abs(table[np.abs(table).sum(1) > 0]), 0.9995, axis=0) / 127
    rounded = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
    rounded[np.abs(rounded).max(1) <= 2] = 0
    common = np.unique(hashes, return_counts=True)
    known = common[0][np.argsort(-common[1])[:12_000]]
    mixed = (known ^ (known >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    return {
        "table": rounded,
        "scales": (float(weights["kept"]) * scales).astype(np.float32),
        "bias": (weights["bias"] + weights["reader.outer.bias"]).astype(np.float32),
        **reader(weights),
        "known": np.sort((mixed >> np.uint64(32)).astype(np.uint32)),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    examples, made = prepared(given.data, given.work, smoke=given.smoke)
    target = given.work / TARGET.name if given.smoke else TARGET
    target.parent.mkdir(exist_ok=True)
    if not given.smoke:
        coarsened(given.work / "vectors.npz", target.parent / "vectors.npz")
    arrays = arrays_of(np.load(given.work / "linear-all.npz"), made.hashes)
    temporary = target.with_suffix(".part.npz")
    np.savez_compressed(temporary, **arrays, anchors=np.zeros((len(LABELS), 3), np.float32))
    twins = np.stack([np.load(given.work / f"scores-{number}.npz")["scores"] for number in range(FOLDS)])
    truth = np.array([each.values for each in examples])
    role = np.array([each.role for each in examples])
    folds = np.array([fold_of(each) for each in examples])
    kinds = np.array([kind_of(each) for each in examples])
    scores = np.where((folds >= 0)[:, None], twins[folds, np.arange(len(folds))], twins.mean(axis=0))
    calibrates = (role == CALIBRATING) | (folds >= 0)

    def limits_without(left_out: int) -> np.ndarray:
        found = []
        for place in range(len(LABELS)):
            chosen = calibrates & (folds != left_out) & (truth[:, place] >= 0)
            found.append(anchors(scores[chosen, place], truth[chosen, place], kinds[chosen]))
        return np.array(found)

    plain = (role == CALIBRATING) & np.char.startswith(kinds, "ordinary")
    shipped = as_shipped(temporary, examples, np.flatnonzero(plain | (role == HELD)))
    limits = carried(limits_without(FOLDS), scores[plain], shipped[plain])
    margins = shipped[:, :, None] - limits
    for number in range(FOLDS):
        margins[folds == number] = scores[folds == number][:, :, None] - limits_without(number)
    measured = np.flatnonzero((role == HELD) | (folds >= 0))
    np.savez_compressed(temporary, **arrays, anchors=limits.astype(np.float32))
    temporary.replace(target)
    report = {
        "at": "MEDIUM, on texts that were not trained on; written patterns in two folds of a fifth each",
        "thresholds": dict(zip(LABELS, [[round(float(each), 3) for each in row] for row in limits], strict=True)),
        "held_out": figures(examples, measured, margins),
        "data": {
            str(path.relative_to(given.data)): digest(path)
            for name in LABELLED
            for path in sorted((given.data / name).glob("*.jsonl*"))
        },
    }  # fmt: skip
    report["bytes"] = target.stat().st_size
    if not given.smoke:
        CARD.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for label, groups in report["held_out"].items():
        for group, row in groups.items():
            if group.split("/")[1] in LANGUAGES:
                print(label, group, row)
    print(report["thresholds"], report["bytes"])


if __name__ == "__main__":
    main()
