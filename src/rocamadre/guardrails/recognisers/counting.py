"""Personal data counted by kind, for those who look through data rather than at one text."""

from __future__ import annotations

from collections import Counter

from rocamadre.guardrails.folding import clean
from rocamadre.guardrails.recognisers import secrets
from rocamadre.guardrails.recognisers.pattern import Certainty
from rocamadre.guardrails.recognisers.registry import PATTERNS
from rocamadre.guardrails.recognisers.scanner import scanner_of

_ELSEWHERE = {each.type for each in secrets.PATTERNS} | {"AGE", "URL"}
"""What has a check of its own, and what is no personal data by itself."""

_COUNTED = frozenset(each.type for each in PATTERNS if each.certainty > Certainty.GUESS) - _ELSEWHERE


def count_values(text: str) -> Counter[str]:
    """Values that have a form or check digits, by kind. Names and street addresses are left out: they are guesses.

    >>> count_values("Write to ana@example.org, DNI 12345678Z.")
    Counter({'email': 1, 'es dni': 1})
    """
    found = scanner_of(_COUNTED).scan(clean(text).text)
    return Counter(each.type.lower().replace("_", " ") for each in found if each.certainty > Certainty.GUESS)
