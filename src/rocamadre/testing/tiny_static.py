"""A table of vectors of a few pieces, for tests of embedders without layers."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

WORDS = ("red", "fox", "blue", "whale", "lazy", "dog", "zorro", "rojo")


def tiny_static(folder: Path, *, rank: int = 16, dimensions: int = 24, seed: int = 0) -> Path:
    """Make such a model below `folder`, with random vectors, and return its own folder."""
    rng = np.random.default_rng(seed)
    letters = string.ascii_lowercase + string.digits + string.punctuation
    pieces = ["[UNK]", *WORDS, *letters, *(f"##{each}" for each in letters)]
    made = folder / "static"
    made.mkdir(parents=True)
    tokenizer = Tokenizer(WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(strip_accents=True, lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(made / "tokenizer.json"))
    rows = rng.integers(-127, 128, (len(pieces), rank), np.int8)
    scales = rng.uniform(0.01, 0.1, len(pieces)).astype(np.float32)
    space = rng.normal(size=(rank, dimensions)).astype(np.float16)
    save_file({"rows": rows, "scales": scales, "map": space}, made / "static.safetensors")
    return made
