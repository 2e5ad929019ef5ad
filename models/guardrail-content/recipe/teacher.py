"""Vectors of English sentences by MiniLM: `python teacher.py WORK EMBEDDER_WORK`.

Reads what `models/roca-embed/recipe/run.py … --only-teacher` keeps in its folder: the sentences of its corpus and the
teacher's vectors of those it has asked about. The sets and their licences are listed there (`corpus.py: SETS`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import sys
from pathlib import Path

import numpy as np

LONGEST = 300


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("embedder", type=Path)
    given = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[2] / "roca-embed" / "recipe"))
    corpus = pickle.loads((given.embedder / "final" / "corpus.pickle").read_bytes())
    known = {}
    for path in sorted((given.embedder / "teacher").glob("*.npz")):
        with np.load(path) as kept:
            known.update(zip(kept["names"].tolist(), kept["vectors"], strict=True))
    texts, vectors = [], []
    for place in corpus.english:
        text = corpus.texts[place]
        if len(text) <= LONGEST:
            name = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
            if name in known:
                texts.append(text)
                vectors.append(known[name])
    given.work.mkdir(parents=True, exist_ok=True)
    np.save(given.work / "teacher.npy", np.array(vectors, np.float16))
    (given.work / "teacher.json").write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    print(len(texts), "sentences")


if __name__ == "__main__":
    main()
