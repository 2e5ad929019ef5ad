"""Personal data in texts, counted by kind: addresses, numbers and ids that have a form, checked where they can be.

Names have no form and are not found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import re2

from rocamadre.datasets.checksums import cnpj, cpf, dni, iban, luhn, nie, ssn


class Found(NamedTuple):
    """One piece of personal data.

    Attributes:
        kind: A name in `KINDS`.
        start: First character.
        end: Behind the last.
    """

    kind: str
    start: int
    end: int


class _Pattern(NamedTuple):
    kind: str
    pattern: str
    holds: Callable[[str], bool]


def _phone(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return 9 <= len(digits) <= 15 and len(set(digits)) > 2


def _address(text: str) -> bool:
    return all(int(part) < 256 for part in text.split("."))


_PATTERNS = (
    _Pattern("email", r"\b[\w.%+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.\pL{2,}\b", lambda _: True),
    _Pattern("iban", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", iban),
    _Pattern("card", r"\b\d(?:[ -]?\d){12,18}\b", luhn),
    _Pattern("cnpj", r"\b\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\b", cnpj),
    _Pattern("cpf", r"\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b", cpf),
    _Pattern("dni", r"\b\d{8}-?[A-Za-z]\b", dni),
    _Pattern("nie", r"\b[XYZxyz]-?\d{7}-?[A-Za-z]\b", nie),
    _Pattern("ssn", r"\b\d{3}-\d{2}-\d{4}\b", ssn),
    _Pattern("ip", r"\b\d{1,3}(?:\.\d{1,3}){3}\b", _address),
    _Pattern(
        "phone",
        r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?\b\d{2,5}(?:[ .-]\d{2,5}){1,4}\b|\+\d{9,15}\b|\b[679]\d{8}\b",
        _phone,
    ),
)
KINDS = tuple(each.kind for each in _PATTERNS)
"""`email`, `iban`, `card` (payment cards, by Luhn's checksum), `cnpj` and `cpf` (Brazil), `dni` and `nie` (Spain),
`ssn` (United States), `ip`, `phone`."""

_COMPILED = tuple((each, re2.compile(each.pattern)) for each in _PATTERNS)
_ANY = re2.compile(r"[@\d]")


def find_personal(text: str) -> list[Found]:
    """Personal data in a text, by place; what is one kind is no other, the more particular wins.

    >>> [(each.kind) for each in find_personal("ana@example.org, 4111 1111 1111 1111, 1234")]
    ['email', 'card']
    """
    if not _ANY.search(text):
        return []
    found: list[Found] = []
    for each, pattern in _COMPILED:
        for match in pattern.finditer(text):
            start, end = match.span()
            if each.holds(match.group()) and not any(start < other.end and other.start < end for other in found):
                found.append(Found(each.kind, start, end))
    return sorted(found, key=lambda one: one.start)


def count_personal(text: str) -> Counter[str]:
    """How many there are by kind."""
    return Counter(each.kind for each in find_personal(text))
