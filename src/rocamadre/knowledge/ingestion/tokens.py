"""Tokens of texts as an embedder counts them, without loading the embedder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.chunkers.registry import CountTokens

if TYPE_CHECKING:
    from rocamadre.catalog.types import Model

_SHORT = 40
_MOST_KNOWN = 200_000
_LETTERS_PER_TOKEN = 4


def tokenizer_of(model: Model) -> Path | None:
    """A model's own `tokenizer.json`; None where it has none here."""
    path = None if model.path is None else model.path / "tokenizer.json"
    return path if path is not None and path.is_file() else None


def counter_at(path: Path | None) -> CountTokens:
    """Counts a text's tokens with a `tokenizer.json`, or, without one, by its letters.

    Raises:
        InvalidRequest: the file cannot be read.
    """
    return by_letters if path is None else _counter(path, path.stat().st_mtime_ns)


def by_letters(text: str) -> int:
    """Four letters to a token, and at least one for each word.

    >>> by_letters("Internationalisation, a word")
    8
    """
    words = text.split()
    return sum([-(-len(word) // _LETTERS_PER_TOKEN) for word in words])


@lru_cache(maxsize=4)
def _counter(path: Path, _changed_ns: int) -> CountTokens:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exceptions for damaged files
        raise InvalidRequest(f"{path}: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    known: dict[str, int] = {}

    def count(text: str) -> int:
        if len(text) > _SHORT:
            return len(tokenizer.encode(text))
        # Chunkers ask for words one by one, and the same words come in every document.
        found = known.get(text)
        if found is None:
            if len(known) >= _MOST_KNOWN:
                known.clear()
            found = known[text] = len(tokenizer.encode(text))
        return found

    return count
