"""From the data folder to token shards: cleaned texts, tokenizer, one shard a source and task. Each step is done once.

build/roca-mini/EDITION/clean/SOURCE.json    texts kept (test articles, held-out texts, copies left out)
build/roca-mini/EDITION/tokenizer.json
build/roca-mini/EDITION/shards/NAME.npy      16-bit ids (shards.py), conversations with NAME.ends.npy beside
build/roca-mini/EDITION/manifest.json        written last: what there is, with hashes and licences
"""

import hashlib
import json
import logging
from collections import defaultdict
from pathlib import Path

import corpus
import instruct
import numpy as np
import shards
import smoke
import vocabulary
from editions import MADE, READ, Edition
from tokenizers import Tokenizer

logger = logging.getLogger("roca-mini")
SMOKE_SOURCE = "made-up_text"


def clean(data: Path, work: Path) -> None:
    """Write the texts of each source that may be trained on; a killed run goes on with the next source."""
    folder = work / "clean"
    folder.mkdir(parents=True, exist_ok=True)
    forbidden, seen = None, corpus.Seen()
    for entry in corpus.SOURCES:
        if not entry.weight:
            continue
        path, known = folder / f"{entry.name}.json", folder / f"{entry.name}.grams.npy"
        if path.is_file() and known.is_file():
            seen.known.update(np.load(known).tolist())
            continue
        before = set(seen.known)
        forbidden = corpus.test_grams(data) if forbidden is None else forbidden
        texts = corpus.documents(data, entry, forbidden, seen)
        shards.write_array(known, np.array(sorted(seen.known - before), dtype=np.uint64))
        shards.write_json(path, texts)
        logger.info("cleaned %s: %d texts, %.1f MB", entry.path, len(texts), sum(map(len, texts)) / 1e6)


def texts_of(work: Path, entry: corpus.Source) -> list[str]:
    return json.loads((work / "clean" / f"{entry.name}.json").read_text(encoding="utf-8"))


def make_tokenizer(work: Path, *, size: int, seed: int) -> Tokenizer:
    """Train the tokenizer on the three languages in equal parts, or load it when a run before has."""
    path = work / "tokenizer.json"
    if not path.is_file():
        texts = defaultdict(list)
        for entry in corpus.SOURCES:
            if entry.weight and "-" not in entry.language:
                texts[entry.language].extend(texts_of(work, entry))
        text = vocabulary.balanced(texts, characters=vocabulary.CHARACTERS_PER_LANGUAGE, seed=seed)
        vocabulary.save(vocabulary.reveal_marks(vocabulary.train_tokenizer(text, size=size)), path)
        logger.info("trained the tokenizer, %d tokens", size)
    return Tokenizer.from_file(str(path))


def make_text_shards(work: Path, tokenizer: Tokenizer) -> None:
    """Encode each source's texts."""
    for entry in corpus.SOURCES:
        path = work / "shards" / f"{entry.name}.npy"
        if entry.weight and not path.is_file():
            texts = texts_of(work, entry)
            shards.save_texts(path, shards.encode_texts(tokenizer, shards.shuffled(texts, seed=0)))
            logger.info("encoded %s", entry.path)


def make_task_shards(work: Path, tokenizer: Tokenizer, edition: Edition, data: Path | None, *, seed: int) -> None:
    """Encode each task's conversations; those made from sets only when there is a data folder."""
    for name, share in (MADE | READ).items():
        path = work / "shards" / f"{name}.npy"
        if path.is_file():
            continue
        count = max(10, int(edition.conversations * share))
        if name == "echo":
            pieces = instruct.echoes(tokenizer, count, seed=seed)
        elif data is not None and (name in instruct.FROM_SETS or name in instruct.CHECKED):
            pieces = instruct.encode(tokenizer, instruct.from_sets(name, data, seed=seed))
        elif name in instruct.MAKERS:
            pieces = instruct.encode(tokenizer, instruct.made(name, count, seed=seed))
        else:
            continue
        shards.save_pieces(path, shards.shuffled(pieces, seed=seed))
        logger.info("made %s: %d conversations, %d tokens", name, len(pieces), sum(map(len, pieces)))


def write_manifest(work: Path, data: Path | None) -> None:
    """What the shards are, last of all."""
    entries = {entry.name: entry for entry in corpus.SOURCES}
    table = {}
    for path in sorted((work / "shards").glob("*.npy")):
        if path.name.endswith(".ends.npy"):
            continue
        ids = np.load(path, mmap_mode="r")
        table[path.stem] = {"tokens": len(ids), "learnt": int((ids < shards.READ_ONLY).sum())}
        if path.stem in entries and data is not None:
            entry = entries[path.stem]
            digest = hashlib.sha256((data / entry.path).read_bytes()).hexdigest()
            table[path.stem] |= {"file": entry.path, "sha256": digest, "licence": entry.licence}
    tokenizer = hashlib.sha256((work / "tokenizer.json").read_bytes()).hexdigest()
    shards.write_json(work / "manifest.json", {"tokenizer sha256": tokenizer, "shards": table})


def prepare(edition: Edition, work: Path, data: Path, *, seed: int) -> Tokenizer:
    """All of it, or nothing when the manifest is there.

    Raises:
        DataMissing: there is no data folder, and no finished preparation either.
    """
    path = work / "tokenizer.json"
    if (work / "manifest.json").is_file():
        return Tokenizer.from_file(str(path))
    (work / "shards").mkdir(parents=True, exist_ok=True)
    if edition.name == "smoke":
        texts = list(smoke.documents(seed))
        tokenizer = vocabulary.reveal_marks(vocabulary.train_tokenizer(iter(texts), size=edition.shape.vocabulary))
        vocabulary.save(tokenizer, path)
        shards.save_texts(work / "shards" / f"{SMOKE_SOURCE}.npy", shards.encode_texts(tokenizer, texts))
        make_task_shards(work, tokenizer, edition, None, seed=seed)
        write_manifest(work, None)
        return tokenizer
    corpus.find_data(data)
    clean(data, work)
    tokenizer = make_tokenizer(work, size=edition.shape.vocabulary, seed=seed)
    make_text_shards(work, tokenizer)
    make_task_shards(work, tokenizer, edition, data, seed=seed)
    write_manifest(work, data)
    return tokenizer
