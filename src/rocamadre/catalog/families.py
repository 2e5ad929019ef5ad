"""Families of Bedrock's model ids, and the parts that an id is made of."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Literal

import msgspec

Kind = Literal["text", "embedding", "rerank", "absent"]

_SUFFIX = re.compile(r"(?P<base>.*[^:]):(?:\d+k|\d{3,}|mm)")


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Model ids that are treated alike.

    Attributes:
        name: What people call it.
        patterns: Of ids, with `*`.
        kind: Which local model stands in; `absent` for none.
        needs: What no local model has; only with `absent`.
    """

    name: str
    patterns: tuple[str, ...]
    kind: Kind
    needs: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    listed_geographies: tuple[str, ...]
    geographies: tuple[str, ...]
    families: tuple[Family, ...]


@cache
def _table() -> _Table:
    text = files("rocamadre.catalog").joinpath("aliases.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Table)


def families() -> tuple[Family, ...]:
    """The built-in table, in the order in which it is searched."""
    return _table().families


def listed_geographies() -> tuple[str, ...]:
    """Prefixes of the system-defined inference profiles that are listed."""
    return _table().listed_geographies


def find_family(base_id: str) -> Family | None:
    """The first family that knows this id, prefixes and suffixes taken away."""
    for family in families():
        if any(fnmatchcase(base_id, pattern) for pattern in family.patterns):
            return family
    return None


def without_suffix(model_id: str) -> str:
    """An id without the context length that may end it.

    >>> without_suffix("amazon.nova-pro-v1:0:300k"), without_suffix("meta.llama3-8b-instruct-v1:0")
    ('amazon.nova-pro-v1:0', 'meta.llama3-8b-instruct-v1:0')
    """
    match = _SUFFIX.fullmatch(model_id)
    return match["base"] if match else model_id


def without_geography(model_id: str) -> str:
    """An id without the inference profile's geography that may begin it.

    >>> without_geography("us.amazon.nova-pro-v1:0"), without_geography("ai21.jamba-1-5-mini-v1:0")
    ('amazon.nova-pro-v1:0', 'ai21.jamba-1-5-mini-v1:0')
    """
    first, dot, rest = model_id.partition(".")
    return rest if dot and "." in rest and first in _table().geographies else model_id


def base_id(model_id: str) -> str:
    """The foundation model's id in what a client wrote (no ARN)."""
    return without_suffix(without_geography(model_id))


def spellings(model_id: str) -> tuple[str, ...]:
    """An id as written, then with less and less around it; no repeats."""
    bare = without_geography(model_id)
    return tuple(dict.fromkeys((model_id, without_suffix(model_id), bare, without_suffix(bare))))


def match_alias(aliases: Mapping[str, str], names: Iterable[str]) -> str | None:
    """What an alias stands for: the exact name first, then the longest pattern.

    Args:
        aliases: Name, or pattern with `*`, to a model.
        names: Spellings of one id, best first.
    """
    names = tuple(names)
    for name in names:
        if name in aliases:
            return aliases[name]
    patterns = sorted((pattern for pattern in aliases if "*" in pattern), key=lambda pattern: (-len(pattern), pattern))
    for pattern in patterns:
        if any(fnmatchcase(name, pattern) for name in names):
            return aliases[pattern]
    return None
