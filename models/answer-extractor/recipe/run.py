"""Make the answer extractor: read the data, make questions, train, calibrate, write the file, compare both.

    python models/answer-extractor/recipe/run.py DATA WORK [--smoke] [--ship]

DATA is the folder of data sets, WORK a folder for what lies between; a run that was cut off goes on from there. Needs
`models/roca-embed`, whose word vectors are used as they are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import random
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import data
import numpy as np
import root
import torch
from calibrate import BY_WORDS, by_search, learn, look, scenes
from export import compared, save
from net import Net
from packing import Packer, common_words, cut
from training import Trainer, judged

from benchmarks.answers import token_f1
from rocamadre.knowledge.answers.extractive import ExtractiveReader
from rocamadre.knowledge.answers.extractor.network import FILE, Network
from rocamadre.knowledge.answers.extractor.reader import TrainedReader
from rocamadre.knowledge.answers.extractor.space import WordSpace

SEED = 20261122
TARGET = Path(__file__).parents[1]
COMMON = 2400


def neighbours(texts: dict[str, list[str]], words: data.Words, space: WordSpace) -> dict[str, list[str]]:
    """Frequent words to their nearest ones of the same language."""
    made: dict[str, list[str]] = {}
    for language, own in texts.items():
        counts = Counter[str]()
        for text in own:
            counts.update(word.lower for word in words.of(text, language) if word.stem and not word.shape)
        frequent = [word for word, _ in counts.most_common(5000)]
        vectors = space.meanings(frequent).vectors
        for at in range(0, len(frequent), 500):
            likeness = vectors[at : at + 500] @ vectors.T
            for row, nearest in enumerate(np.argpartition(-likeness, 4, axis=1)[:, :4]):
                word = frequent[at + row]
                made[word] = [frequent[k] for k in nearest if likeness[row, k] > 0.55 and frequent[k] != word]
    return made


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--made", type=int, default=3000, help="questions out of the text of each language")
    parser.add_argument("--seconds", type=float, default=400, help="processor time of the training")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--word", type=int, default=64)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--wall", type=float, default=1e9, help="end the training after so many seconds by the clock")
    parser.add_argument("--only-prepare", action="store_true")
    parser.add_argument("--ship", action="store_true", help="write the result beside this recipe")
    parser.add_argument("--smoke", action="store_true", help="a few steps on little data, to WORK alone")
    return parser.parse_args()


def prepare(given: argparse.Namespace) -> dict:
    """All examples, packed; from WORK if they are there."""
    kept = given.work / "examples.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    chance, words, begun = random.Random(SEED), data.Words(), time.monotonic()
    space = WordSpace(root.ROOT / "models" / "roca-embed")
    asked = {language: data.questions(given.data, language, "train", words) for language in data.ASKED}
    dev = {language: data.questions(given.data, language, "dev", words) for language in data.ASKED}
    if given.smoke:
        asked, dev = ({name: chance.sample(part, min(40, len(part))) for name, part in each.items()}
                      for each in (asked, dev))  # fmt: skip
    real = [each for part in asked.values() for each in part]
    common = common_words(real, words, COMMON)
    near = neighbours({name: [each.passage for each in part] for name, part in asked.items()}, words, space)
    maker, made = data.Maker(near, words, chance), []
    for language in data.ASKED:
        made += data.made(given.data, language, maker, chance, 40 if given.smoke else given.made)
    spoiler = data.Spoiler(real, words, chance)
    spoilt = [spoiler.other(each) if chance.random() < 0.6 else spoiler.swapped(each)
              for each in real if each.spans and chance.random() < 0.5]  # fmt: skip
    aside, sample = data.Spoiler([e for part in dev.values() for e in part], words, chance), []
    for part in dev.values():
        good, bad = [e for e in part if e.spans], [e for e in part if not e.spans]
        sample += chance.sample(good, min(250, len(good))) + chance.sample(bad, min(200, len(bad)))
        sample += [e for e in map(aside.other, chance.sample(part, min(120, len(part)))) if e is not None]
    sample += [e for e in data.across(dev) if e.spans][:120]
    groups = {
        "real": real, "crossed": chance.sample(found := data.across(asked), len(found) // 3), "made": made,
        "spoilt": [each for each in spoilt if each is not None],
        "qamr": data.qamr(given.data, words, chance, 40 if given.smoke else 10_000), "dev": sample,
    }  # fmt: skip
    packer = Packer(space, common, words)
    packed = {name: packer.packed(part) for name, part in groups.items()}
    ready = {"packed": packed, "common": common, "table": packer.table()}
    print({name: Counter((p.example.reads, p.example.kind) for p in part) for name, part in packed.items()},
          f"{time.monotonic() - begun:.0f} s", flush=True)  # fmt: skip
    part = kept.with_suffix(".part")
    part.write_bytes(pickle.dumps(ready, protocol=5))
    os.replace(part, kept)
    return ready


def main() -> None:
    given = arguments()
    torch.set_num_threads(1)
    given.work.mkdir(parents=True, exist_ok=True)
    ready = prepare(given)
    if given.only_prepare:
        return
    packed, words = ready["packed"], data.Words()

    def judge(net):
        return judged(net, packed["dev"], ready["table"], words, token_f1)

    def draw(chance, done):
        """Short cuts of the passages first: half the work for the same questions."""
        found = drawn(chance, done)
        if done < 0.6:
            found = [cut(each, chance) if chance.random() < 0.85 else each for each in found]
        return found

    def drawn(chance, done):
        found = packed["real"] + chance.sample(packed["spoilt"], len(packed["spoilt"]) // 2)
        found += chance.sample(packed["crossed"], len(packed["crossed"]) // 3)
        share = 1.0 if done < 0.25 else 0.3 if done < 0.6 else 0.1
        for name in ("made", "qamr"):
            found += chance.sample(packed[name], int(share * len(packed[name])))
        return found

    torch.manual_seed(SEED)
    net = Net(len(ready["common"]), word=given.word, hidden=given.hidden, layers=given.layers)
    print(f"{sum(p.numel() for p in net.parameters()):,} parameters", flush=True)
    trainer = Trainer(net, ready["table"], given.work, seed=SEED, wall=given.wall,
                      seconds=2 if given.smoke else given.seconds)  # fmt: skip
    if (given.work / "last.pt").exists():
        trainer.load()
    trainer.train(draw, high=3e-3, low=3e-5, judge=judge, every=40)
    finish(given, trainer.averaged(), ready, {"steps": trainer.steps, "training_seconds": round(trainer.used),
                                              "given_the_passage": _numbers(judge(trainer.averaged()))})  # fmt: skip


def _numbers(figures: dict[str, float]) -> dict[str, float | None]:
    """Without what could not be measured, which JSON has no word for."""
    return {name: None if np.isnan(value) else value for name, value in figures.items()}


def finish(given: argparse.Namespace, net: Net, ready: dict, facts: dict) -> None:
    """Calibrate, write the file, compare, note."""
    words, space, weights = data.Words(), WordSpace(root.ROOT / "models" / "roca-embed"), net.state_dict()
    file = given.work / FILE
    known = {"holds": [], "refuse_below": 0.0, "span_from": 1.0, "by_search": 1.0, "by_words": BY_WORDS}

    def reader(value: float) -> TrainedReader:
        save(file, weights, ready["common"], known | {"by_search": value}, space.sha256)
        return TrainedReader(Network(file), space, ExtractiveReader())

    chance, found = random.Random(5), []
    for language in data.ASKED:
        found += scenes(data.questions(given.data, language, "dev", words), 10 if given.smoke else 120, chance)
    known["by_search"] = by_search(reader, found)
    learned = learn(look(reader(known["by_search"]), found))
    known |= learned["calibration"]
    save(file, weights, ready["common"], known, space.sha256)
    facts |= {"dev": learned["figures"], "calibration": known}
    facts |= {"parity": compared(net, file, ready["packed"]["dev"][:200], ready["table"])}
    facts |= {"parameters": sum(value.numel() for value in weights.values()), "bytes": file.stat().st_size}
    facts |= {"word_vectors_sha256": space.sha256}
    facts |= {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "data_sha256": data.hashes(given.data)}
    facts |= {"licences": {name: licence for name, (licence, _) in data.SETS.items()}, "seed": SEED}
    (given.work / "figures.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    if given.ship:
        for name in (FILE, "figures.json"):
            part = TARGET / f"{name}.part"
            part.write_bytes((given.work / name).read_bytes())
            os.replace(part, TARGET / name)
    print(json.dumps({name: facts[name] for name in facts if name not in ("data_sha256", "licences")}, indent=1))


if __name__ == "__main__":
    main()
