"""From a client's schema to the rule that holds a model to it; the last few hundred are remembered.

Agents send the same tools with every call. Reading, bounding and compiling their schemas takes milliseconds, which is
more than a token of a small model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from rocamadre.engines.schema.bounds import fit
from rocamadre.engines.schema.grammar import checked, json_rule
from rocamadre.engines.schema.instance import small_instance
from rocamadre.engines.schema.subset import check_schema

_REMEMBERED = 256
_LONGEST_REMEMBERED = 20_000
"""Bytes of a schema; larger ones are made anew each time, so that the memory is bounded."""


@dataclass(frozen=True, slots=True)
class Held:
    """A schema that a model can be held to.

    Attributes:
        rule: The right side of a Lark rule.
        dropped: What of the schema is not enforced; see `subset.Plain.dropped`.
    """

    rule: str
    dropped: tuple[str, ...]

    @property
    def grammar(self) -> str:
        """A grammar of values that follow the schema, and of nothing else."""
        return "start: " + self.rule


def hold(schema: Mapping[str, Any], *, max_tokens: int, at: str, relax: bool = False) -> Held:
    """The rule for a schema.

    Args:
        schema: As the client sent it.
        max_tokens: What an answer must fit into; bounds are made for a little less, to have few different ones.
        at: Where the schema stands in the request, for errors.
        relax: Leave out what cannot be enforced.

    Raises:
        InvalidRequest: see `check_schema`, `fit` and `checked`.
    """
    encoded = msgspec.json.encode(schema)
    make = _held if len(encoded) <= _LONGEST_REMEMBERED else _held.__wrapped__
    return make(encoded, _rounded(max_tokens), at, relax)


def example(schema: Mapping[str, Any], *, at: str, relax: bool = False) -> bytes:
    """A small value that follows a schema, as JSON.

    Raises:
        InvalidRequest: see `check_schema` and `small_instance`.
    """
    encoded = msgspec.json.encode(schema)
    make = _example if len(encoded) <= _LONGEST_REMEMBERED else _example.__wrapped__
    return make(encoded, at, relax)


def _rounded(max_tokens: int) -> int:
    """Down to three binary digits.

    >>> [_rounded(each) for each in (1, 7, 1000, 1024)]
    [1, 7, 896, 1024]
    """
    shift = max(0, max_tokens.bit_length() - 3)
    return max_tokens >> shift << shift


@lru_cache(maxsize=_REMEMBERED)
def _held(schema: bytes, max_tokens: int, at: str, relax: bool) -> Held:
    plain = check_schema(msgspec.json.decode(schema), at=at, relax=relax)
    held = Held(json_rule(fit(plain, max_tokens=max_tokens, at=at)), tuple(plain.dropped))
    checked(held.grammar, at=at)
    return held


@lru_cache(maxsize=_REMEMBERED)
def _example(schema: bytes, at: str, relax: bool) -> bytes:
    return msgspec.json.encode(small_instance(check_schema(msgspec.json.decode(schema), at=at, relax=relax), at=at))
