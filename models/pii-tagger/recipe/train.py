"""Train the tagger of names and addresses: `python models/pii-tagger/recipe/train.py DATA`, minutes on one core.

DATA is the folder of the data sets: pii-presidio (MIT), pii-meddocan (CC-BY-4.0), ner-lener-br (MIT). Of each the rows
whose id has an even SHA-256 train; the odd half is for measuring. Sentences made here from lists of names add the three
languages' everyday forms. Writes src/rocamadre/guardrails/recognisers/weights.json.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import sys
from collections import defaultdict
from pathlib import Path

from sentences import sentences

from rocamadre.guardrails.recognisers import tagger as t

OUT = Path(t.__file__).with_name("weights.json")
KINDS = {
    "PERSON": t.NAME, "NOMBRE_SUJETO_ASISTENCIA": t.NAME, "NOMBRE_PERSONAL_SANITARIO": t.NAME, "PESSOA": t.NAME,
    "STREET_ADDRESS": t.ADDRESS, "CALLE": t.ADDRESS, "ADDRESS": t.ADDRESS, "NAME": t.NAME, "ZIP_CODE": t.PLACE,
    "GPE": t.PLACE, "TERRITORIO": t.PLACE, "PAIS": t.PLACE, "LOCAL": t.PLACE, "PLACE": t.PLACE,
    "ORGANIZATION": t.ORGANISATION, "HOSPITAL": t.ORGANISATION, "INSTITUCION": t.ORGANISATION,
    "ORGANIZACAO": t.ORGANISATION,
    "CENTRO_SALUD": t.ORGANISATION, "ORGANISATION": t.ORGANISATION,
}  # fmt: skip


def trains(key: str) -> bool:
    """Whether a row trains; the others measure."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % 2 == 0


def rows(folder: Path, name: str):
    path = folder / name
    with (gzip.open if name.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if trains(row["id"]):
                yield row["text"], row["entities"]


def labelled(text: str, entities: list) -> tuple[list[str], list[int]]:
    """Words with their labels; of a relative only a name counts."""
    spans = sorted((start, end, KINDS[kind]) for start, end, kind in entities if kind in KINDS)
    spans += [(s, e, t.NAME) for s, e, k in entities if k == "FAMILIARES_SUJETO_ASISTENCIA" and text[s].isupper()]
    found = t.tokens(text)
    labels = [t.NOTHING] * len(found)
    for start, end, label in spans:
        for place, token in enumerate(found):
            if token.start < end and start < token.end:
                labels[place] = label
    return [each.text for each in found], labels


def train(examples: list, epochs: int, seed: int) -> dict[str, list[int]]:
    draw = random.Random(seed)
    weights: dict[str, list[float]] = defaultdict(lambda: [0.0] * 5)
    totals: dict[str, list[float]] = defaultdict(lambda: [0.0] * 5)
    stamps: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    step = 0
    seen: dict[tuple[str, int], list[str]] = {}

    def features(words, place, before, earlier):
        made = []
        for distance in (0, -2, -1, 1, 2):
            at = place + distance
            word = words[at] if 0 <= at < len(words) else ""
            key = (word, distance)
            if key not in seen:
                seen[key] = [f"{distance}{each}" for each in t.seen_features(word, distance)]
            made += seen[key]
        previous = words[place - 1] if place else ""
        following = words[place + 1] if place + 1 < len(words) else ""
        return made + t.joint_features(before, earlier, words[place], previous, following)

    for epoch in range(epochs):
        draw.shuffle(examples)
        wrong = weighed = 0
        for words, labels in examples:
            before = earlier = t.NOTHING
            for place, word in enumerate(words):
                following = words[place + 1] if place + 1 < len(words) else ""
                if not t.is_weighed(word, before, following):
                    earlier, before = before, t.NOTHING
                    continue
                step += 1
                weighed += 1
                active = features(words, place, before, earlier)
                # Words and lists are hidden now and then, so that the rest learns to do without.
                hidden = draw.random()
                if hidden < 0.45:
                    drop = ("0w=", "03=", "0h=") if hidden < 0.25 else ("0w=", "0k=", "03=", "0h=")
                    active = [each for each in active if not each.startswith(drop)]
                scores = [0.0] * 5
                for each in active:
                    row = weights.get(each)
                    if row is not None:
                        for label in range(5):
                            scores[label] += row[label]
                guess = scores.index(max(scores))
                truth = labels[place]
                if guess != truth:
                    wrong += 1
                    for each in active:
                        row, total, stamp = weights[each], totals[each], stamps[each]
                        for label, change in ((truth, 1.0), (guess, -1.0)):
                            total[label] += (step - stamp[label]) * row[label]
                            stamp[label] = step
                            row[label] += change
                # Its own guess half of the time, so that it learns to go on after a mistake.
                earlier, before = before, (guess if draw.random() < 0.5 else truth)
        print(f"epoch {epoch}: {wrong} of {weighed} wrong", file=sys.stderr, flush=True)
    averaged = {}
    for each, row in weights.items():
        total, stamp = totals[each], stamps[each]
        averaged[each] = [(total[label] + (step - stamp[label]) * row[label]) / step for label in range(5)]
    return averaged


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--most", type=int, default=4500, help="features kept")
    given = parser.parse_args()
    sets = (
        ("pii-presidio/presidio.jsonl", 6),
        ("pii-meddocan/meddocan.jsonl.gz", 1),
        ("ner-lener-br/lener-br.jsonl.gz", 1),
    )
    examples = [labelled(*row) for name, times in sets for row in list(rows(given.data, name)) * times]
    examples += [labelled(text, entities) for text, entities in sentences(given.seed)]
    averaged = train(examples, given.epochs, given.seed)
    strength = {each: max(row) - min(row) for each, row in averaged.items()}
    kept = sorted(strength, key=lambda each: -strength[each])[: given.most]
    weights = {each: t.packed([t.SCALE * value for value in averaged[each]]) for each in sorted(kept)}
    weights = {each: row for each, row in weights.items() if row != t.packed([0.0] * 5)}
    lines = ",\n".join(f"{json.dumps(each, ensure_ascii=False)}:{json.dumps(row)}" for each, row in weights.items())
    temporary = OUT.with_suffix(".tmp")
    temporary.write_text('{"weights":{\n' + lines + "\n}}\n", encoding="utf-8")
    temporary.replace(OUT)
    print(f"{len(weights)} of {len(averaged)} features, {OUT.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
