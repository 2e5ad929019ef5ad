"""Make the embedder: read the data, learn the pieces, ask the teacher, train, write the file, compare both.

    python models/roca-embed/recipe/run.py DATA HOME WORK [--smoke]

DATA is the folder of data sets, HOME a platform's folder where `rocamadre.engines.embed.prepare` has run, WORK a folder
for what lies between; a run that was cut off goes on from there. An hour on one core, most of it the teacher's.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pickle
import time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import corpus as data
import numpy as np
import teacher
import vocabulary

SEED = 20261121
PIECES = 32_768
SERVED = ("static.safetensors", "tokenizer.json")
TARGET = Path(__file__).parents[1]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("home", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--pieces", type=int, default=PIECES)
    parser.add_argument("--rank", type=int, default=256)
    parser.add_argument("--steps", type=int, default=1600)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--name", default="final", help="of this training, below WORK")
    parser.add_argument("--teacher-seconds", type=float, default=1e9, help="ask no longer than this")
    parser.add_argument("--only-teacher", action="store_true")
    parser.add_argument("--choosing", action="store_true", help="keep the articles away that settings are chosen on")
    parser.add_argument("--part", type=float, help="share of the data; 1, with --smoke 0.01")
    parser.add_argument("--smoke", action="store_true", help="a hundredth of the data and of the steps, to WORK alone")
    parser.add_argument("--ship", action="store_true", help="write the result beside this recipe")
    return parser.parse_args()


def read(given: argparse.Namespace, folder: Path) -> data.Corpus:
    kept = folder / "corpus.pickle"
    if kept.exists():
        return pickle.loads(kept.read_bytes())
    corpus = data.read(given.data, choosing=given.choosing, part=given.part, seed=SEED)
    if given.smoke:
        corpus.english = corpus.english[:512]
    kept.with_suffix(".part").write_bytes(pickle.dumps(corpus))
    kept.with_suffix(".part").replace(kept)
    return corpus


def main() -> None:
    given = arguments()
    given.part = given.part or (0.01 if given.smoke else 1.0)
    if given.smoke:
        given.pieces, given.rank, given.steps, given.name = 2000, 32, 60, "smoke"
    folder, begun = given.work / given.name, time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    corpus = read(given, folder)
    tokenizer = vocabulary.learn(corpus, given.pieces, folder / "tokenizer.json", seed=SEED)
    vocabulary.add_words(corpus, tokenizer)
    texts = [corpus.texts[place] for place in corpus.english]
    encoder = given.home / "models" / "all-minilm-l6-v2"
    places, taught = teacher.cached(given.work / "teacher", encoder, texts, seconds=given.teacher_seconds)
    corpus.english = [corpus.english[place] for place in places]
    print(f"{len(corpus.texts):,} texts, {len(taught):,} of {len(texts):,} with the teacher's vector", flush=True)
    if given.only_teacher:
        return
    import training  # torch: a run that only asks the teacher does without

    facts = training.make(corpus, tokenizer, taught, folder, given, seed=SEED)
    facts |= {"seconds": round(time.monotonic() - begun), "data_sha256": data.hashes(given.data)}
    facts |= {"licences": data.SETS}
    facts |= {"sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in SERVED}}
    (folder / "figures.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    if given.ship:
        for name in (*SERVED, "figures.json"):
            (TARGET / name).write_bytes((folder / name).read_bytes())
    print(
        json.dumps(
            {key: value for key, value in facts.items() if key not in ("data_sha256", "licences", "sha256")}, indent=1
        )
    )


if __name__ == "__main__":
    np.seterr(all="raise", under="ignore")
    main()
