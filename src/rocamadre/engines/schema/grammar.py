"""Bounded schemas as grammars for llguidance, checked before a model sees them, and answers checked after.

llama.cpp runs the same release of llguidance as the package that is imported here; a grammar that it cannot read would
silently leave the model unconstrained, so each is compiled here first. What a model wrote under a grammar is read
through the same grammar once more, byte by byte.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from llguidance import LLMatcher, LLTokenizer

from rocamadre.core.errors import InvalidRequest, ModelFailure

_STYLE = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""JSON as Python's `json.dumps` writes it, and as models have read most of it."""
_MOST_BYTES = 1_000_000
_LONGEST_WALK = 20_000


def json_rule(bounded: Mapping[str, Any]) -> str:
    """The right side of a Lark rule for JSON that follows a bounded schema."""
    return "%json " + msgspec.json.encode({**bounded, "x-guidance": _STYLE}).decode()


def checked(lark: str, *, at: str) -> str:
    """The grammar, if llguidance can compile it.

    Raises:
        InvalidRequest: it cannot (a pattern with look-around, bounds that exclude each other, too large); says why.
    """
    if len(lark) > _MOST_BYTES:
        raise InvalidRequest(f"{at}: the JSON Schema makes a grammar of over {_MOST_BYTES} bytes; make it smaller")
    problem = LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(lark), _tokenizer())
    if problem:
        raise InvalidRequest(f"{at}: this JSON Schema cannot be enforced: {_plain(problem)}")
    return lark


def follows(lark: str, text: str) -> bool:
    """Whether a text is a whole sentence of a grammar."""
    matcher = LLMatcher(_tokenizer(), LLMatcher.grammar_from_lark(lark))
    data = text.encode()
    return matcher.try_consume_tokens(list(data)) == len(data) and bool(matcher.is_accepting())


def some_sentence(lark: str, seed: int) -> str:
    """A sentence of a grammar: the same for the same seed; short where the grammar lets it end.

    Raises:
        ModelFailure: it has none within reason.
    """
    matcher = LLMatcher(_tokenizer(), LLMatcher.grammar_from_lark(lark))
    dice = random.Random(seed)
    written = bytearray()
    while len(written) < _LONGEST_WALK and not matcher.is_error():
        if matcher.is_stopped() or matcher.is_accepting():
            return written.decode()
        allowed = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8), bitorder="little")[:256]
        bytes_ = np.flatnonzero(allowed[:128]).tolist() or np.flatnonzero(allowed).tolist()
        letters = [each for each in bytes_ if each < 128 and chr(each).isalnum()] or bytes_
        if not bytes_:
            break
        # Quotes and brackets come up too, so that strings and lists end.
        byte = dice.choice(letters if dice.random() < 0.75 else bytes_)
        matcher.consume_token(byte)
        written.append(byte)
    raise ModelFailure("no example of this JSON Schema was found")


@lru_cache(maxsize=1)
def _tokenizer() -> LLTokenizer:
    """One token per byte."""
    return LLTokenizer("byte")


def _plain(problem: str) -> str:
    """The sentence of llguidance without the grammar's own text, which may be long."""
    first = problem.strip().splitlines()[0]
    return first.partition("failed to compile JSON schema: ")[2] or first[:300]
