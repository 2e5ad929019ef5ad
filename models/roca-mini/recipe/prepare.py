"""First steps of the recipe: tokenizer and pre-training shard from the data folder."""

import json
import logging
from collections import defaultdict
from pathlib import Path

import corpus
import packing
import vocabulary
from tokenizers import Tokenizer

logger = logging.getLogger("roca-mini")


def load_documents(data: Path) -> dict[str, list[str]]:
    """Pre-training texts by source path."""
    forbidden = corpus.test_grams(data)
    found = {}
    for entry in corpus.SOURCES:
        if entry.weight:
            found[entry.path] = corpus.documents(data, entry, forbidden)
            logger.info("read %s: %d texts", entry.path, len(found[entry.path]))
    return found


def make_tokenizer(documents: dict[str, list[str]], path: Path, *, size: int, seed: int) -> Tokenizer:
    """Train the tokenizer, or load it when a run before has."""
    if path.is_file():
        return Tokenizer.from_file(str(path))
    texts = defaultdict(list)
    for entry in corpus.SOURCES:
        if entry.weight and "-" not in entry.language:
            texts[entry.language].extend(documents[entry.path])
    text = vocabulary.balanced(texts, characters=vocabulary.CHARACTERS_PER_LANGUAGE, seed=seed)
    tokenizer = vocabulary.reveal_marks(vocabulary.train_tokenizer(text, size=size))
    vocabulary.save(tokenizer, path)
    return tokenizer


def make_pretraining_shard(
    documents: dict[str, list[str]], tokenizer: Tokenizer, path: Path, *, tokens: int, seed: int
) -> None:
    """Write the packed shard and, beside it, what went into it."""
    weights = {entry.path: entry.weight for entry in corpus.SOURCES}
    pools = {name: packing.encode_documents(tokenizer, texts) for name, texts in documents.items()}
    shard = packing.mix(pools, weights, tokens=tokens, seed=seed)
    sizes = {name: int(sum(map(len, pool))) for name, pool in pools.items()}
    path.with_suffix(".json").write_text(json.dumps({"tokens": len(shard), "available": sizes}, indent=1))
    packing.write_array(path, shard)
