"""Calibrate, measure, write the weights: `python publish.py DATA WORK`, after `fit.py` and `fit.py --all`.

MEDIUM stands where the mean of balanced F1 over kinds of text and languages is best, with at most `FALSE` of the
ordinary texts found; LOW and HIGH on either side. All this on texts kept for it; figures come from others, that neither
trained nor calibrated, with the weights that never saw their patterns.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from examples import CALIBRATING, HELD, LABELS, Example
from fit import prepared
from sources import LANGUAGES, digest

from rocamadre.guardrails.classifiers import model as runtime

TARGET = Path(runtime.__file__).with_name("weights") / "content.npz"
CARD = Path(__file__).parents[1] / "figures.json"
FALSE = {"LOW": 0.04, "MEDIUM": 0.013, "HIGH": 0.003}
"""The largest part of ordinary texts that may be found at a level."""
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
    plain = np.sort(
        np.concatenate(
            [score[(kinds == each) & (truth == 0)] for each in np.unique(kinds) if each.startswith("ordinary")]
        )
    )[::-1]
    least = {level: float(plain[int(share * len(plain))]) for level, share in FALSE.items()}
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


def figures(examples: list[Example], scores: np.ndarray, limits: np.ndarray) -> dict:
    """Held-out rates at MEDIUM by label, language and kind of text."""
    groups: dict[str, list[int]] = defaultdict(list)
    for number, each in enumerate(examples):
        if each.role == HELD:
            groups[kind_of(each)].append(number)
    found: dict = {}
    for place, label in enumerate(LABELS):
        for group, numbers in sorted(groups.items()):
            truth = np.array([examples[number].values[place] for number in numbers])
            p = scores[numbers, place]
            if group.startswith("ordinary"):
                known = truth == 0
                found.setdefault(label, {})[group] = {
                    level: round(float((p[known] >= limit).mean()), 4)
                    for level, limit in zip(("LOW", "MEDIUM", "HIGH"), limits[place], strict=True)
                }
            elif (truth == 1).any():
                found.setdefault(label, {})[group] = rates(p >= limits[place, 1], truth)
                if (truth == 0).any():
                    found[label][group]["auroc"] = auroc(p, truth)
                if group.startswith("written"):
                    benign = np.array([examples[number].source == "written-benign" for number in numbers])
                    found[label][group]["look_alikes"] = round(float((p[benign] >= limits[place, 1]).mean()), 4)
    return found


def reader(weights) -> dict[str, np.ndarray]:
    """The arrays of the part that reads vectors; zeros where there is none. Its last bias is in `bias`."""
    if "reader.inner.weight" not in weights:
        return {
            "inner": np.zeros((192, 1), np.float16),
            "inner_bias": np.zeros(1, np.float32),
            "outer": np.zeros((2, len(LABELS)), np.float32),
        }
    return {
        "inner": weights["reader.inner.weight"].T.astype(np.float16),
        "inner_bias": weights["reader.inner.bias"],
        "outer": weights["reader.outer.weight"].T,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--smoke", action="store_true")
    given = parser.parse_args()
    examples, made = prepared(given.data, given.work, smoke=given.smoke)
    scores = np.load(given.work / "scores.npz")["scores"]
    truth = np.array([each.values for each in examples])
    role = np.array([each.role for each in examples])
    kinds = np.array([kind_of(each) for each in examples])
    limits = []
    for place in range(len(LABELS)):
        chosen = (role == CALIBRATING) & (truth[:, place] >= 0)
        limits.append(anchors(scores[chosen, place], truth[chosen, place], kinds[chosen]))
    report = {
        "at": "MEDIUM, on texts that were not trained on",
        "thresholds": dict(zip(LABELS, [[round(each, 3) for each in row] for row in limits], strict=True)),
        "held_out": figures(examples, scores, np.array(limits)),
        "data": {
            str(path.relative_to(given.data)): digest(path)
            for name in LABELLED
            for path in sorted((given.data / name).glob("*.jsonl*"))
        },
    }  # fmt: skip
    weights = np.load(given.work / ("linear-all.npz" if (given.work / "linear-all.npz").exists() else "linear.npz"))
    table = weights["bag.weight"] if "bag.weight" in weights else weights["table"]
    bias = weights["bias"] + (weights["reader.outer.bias"] if "reader.outer.bias" in weights else 0)
    scales = np.quantile(np.abs(table[np.abs(table).sum(1) > 0]), 0.9995, axis=0) / 127
    kept = float(weights["kept"]) if "kept" in weights else 1.0
    rounded = np.clip(np.rint(table / scales), -127, 127).astype(np.int8)
    rounded[np.abs(rounded).max(1) <= 2] = 0
    common = np.unique(made.hashes, return_counts=True)
    known = common[0][np.argsort(-common[1])[:12_000]]
    mixed = (known ^ (known >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    target = given.work / TARGET.name if given.smoke else TARGET
    target.parent.mkdir(exist_ok=True)
    temporary = target.with_suffix(".part.npz")
    f32 = np.float32
    np.savez_compressed(
        temporary,
        table=rounded,
        scales=(kept * scales).astype(f32),
        bias=bias.astype(f32),
        **reader(weights),
        anchors=np.array(limits, f32),
        known=np.sort((mixed >> np.uint64(32)).astype(np.uint32)),
    )
    temporary.replace(target)
    if not given.smoke:
        (target.parent / "vectors.npz").write_bytes((given.work / "vectors.npz").read_bytes())
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
