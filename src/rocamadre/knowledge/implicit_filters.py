"""Filters that a question spells out itself: "reports of 2023", "in Spanish", "written by Ana Vidal".

No model is asked. A condition is made only where the question holds a value that chunks near it really have, or a
number beside the attribute's name; what is in doubt is left to the search. Names and values are compared without case
and accents, word by word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rocamadre.knowledge.search.types import Embed
from rocamadre.store.vectors.filters import Condition, Filter, Scalar, all_of
from rocamadre.store.vectors.protocol import VectorStore

_CANDIDATES = 200
_MOST_VALUES = 3
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:[.,]\d+)?(?![\w]|[.,]\d)")
_COMPARISONS = {
    "greaterThanOrEquals": ("since", "at least", "starting in", "desde", "al menos", "a partir de", "pelo menos"),
    "greaterThan": (
        *("after", "over", "above", "more than", "later than"),
        *("despues de", "mas de", "mayor que", "posterior a"),
        *("depois de", "mais de", "maior que", "apos", "acima de"),
    ),
    "lessThanOrEquals": ("until", "up to", "at most", "hasta", "como maximo", "ate", "no maximo"),
    "lessThan": (
        *("before", "under", "below", "less than", "earlier than"),
        *("antes de", "menos de", "menor que", "anterior a", "abaixo de"),
    ),
}
"""Words that stand right before a number, plain."""
_NEGATIONS = frozenset({"not", "no", "without", "non", "un", "sin", "nao", "sem"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """A metadata attribute that an implicit filter may use; `type` is STRING, NUMBER, BOOLEAN or STRING_LIST."""

    key: str
    type: str
    description: str


def implicit_filter(
    store: VectorStore, text: str, attributes: Sequence[Attribute], embed: Embed, where: Filter | None
) -> Filter | None:
    """The filter that a question spells out; None for none.

    Args:
        store: Whose values count.
        text: The question.
        attributes: What may be filtered by.
        embed: The knowledge base's embedder.
        where: The explicit filter, which narrows what values count.
    """
    values = _values(store, text, attributes, embed, where)
    conditions = [_condition(text, each, values.get(each.key, set())) for each in attributes]
    return all_of(*conditions)


def _values(
    store: VectorStore, text: str, attributes: Sequence[Attribute], embed: Embed, where: Filter | None
) -> dict[str, set[Scalar]]:
    """The attributes' values among the chunks that are nearest to the question."""
    hits = store.by_vector(embed([text])[0], limit=_CANDIDATES, where=where)
    found: dict[str, set[Scalar]] = {}
    for chunk in store.chunks([hit.chunk for hit in hits]):
        for attribute in attributes:
            value: Any = chunk.metadata.get(attribute.key)
            members: Iterable[Any] = value if isinstance(value, list | tuple) else (value,)
            found.setdefault(attribute.key, set()).update(each for each in members if each is not None)
    return found


def _condition(text: str, attribute: Attribute, values: set[Scalar]) -> Filter | None:
    if attribute.type == "NUMBER":
        return _number(text, attribute, {each for each in values if _is_number(each)})
    if attribute.type == "BOOLEAN":
        return _boolean(text, attribute, values)
    return _string(text, attribute, sorted({each for each in values if isinstance(each, str)}))


def _string(text: str, attribute: Attribute, values: Sequence[str]) -> Filter | None:
    plain = f" {' '.join(_words(text))} "
    said = [each for each in values if _words(each) and f" {' '.join(_words(each))} " in plain]
    # Of "New York" and "York" only the longer one was meant.
    said = [each for each in said if not any(each != other and _plain(each) in _plain(other) for other in said)]
    if not 0 < len(said) <= _MOST_VALUES:
        return None
    if attribute.type == "STRING_LIST":
        return all_of(*(Condition("listContains", attribute.key, each) for each in said))
    if len(said) == 1:
        return Condition("equals", attribute.key, said[0])
    return Condition("in", attribute.key, tuple(said))


def _number(text: str, attribute: Attribute, values: set[Scalar]) -> Filter | None:
    plain = _plain(text)
    found = []
    for match in _NUMBER.finditer(plain):
        number = _read(match.group())
        before = _words(plain[: match.start()])
        ends = tuple(f" {' '.join(before[-size:])}" for size in (1, 2, 3))
        operator = next(
            (name for name, words in _COMPARISONS.items() if {f" {word}" for word in words} & {*ends}), "equals"
        )
        named = any(word in before[-4:] for word in _words(attribute.key))
        # A number alone is meant where chunks have it; one with a comparison, where it is within what they have.
        within = bool(values) and min(map(float, values)) <= number <= max(map(float, values))
        if number in values if operator == "equals" else within:
            found.append(Condition(operator, attribute.key, number))
        elif named:
            found.append(Condition(operator, attribute.key, number))
    return all_of(*found) if len(found) <= _MOST_VALUES - 1 else None


def _boolean(text: str, attribute: Attribute, values: set[Scalar]) -> Filter | None:
    if not values & {True, False}:
        return None
    words, names = _words(text), _words(re.sub(r"^(is|has|es|tem|tiene)[_\W]", "", attribute.key, flags=re.IGNORECASE))
    for at in range(len(words) - len(names) + 1):
        if names and words[at : at + len(names)] == names:
            return Condition("equals", attribute.key, not _NEGATIONS & set(words[max(0, at - 2) : at]))
    return None


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(text: str) -> int | float:
    number = float(text.replace(",", "."))
    return int(number) if number.is_integer() else number


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in decomposed if not unicodedata.combining(each))


def _words(text: str) -> list[str]:
    return _WORD.findall(_plain(text))
