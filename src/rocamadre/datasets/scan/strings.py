"""What should not be in a text at all: characters that hide something, and orders to the model that will read it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

import re2

from rocamadre.datasets.content import shown
from rocamadre.datasets.scan.types import Finding, Row

_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK")
_WORDS = re.compile(r"[^\W\d_]{2,}")
_ORDERS: tuple[tuple[str, float, str], ...] = (
    (
        "an order to forget instructions",
        0.9,
        r"(?i)\b(?:ignore|disregard|forget|override)\W+(?:\w+\W+){0,4}(?:previous|prior|above|earlier|former|system)\W+"
        r"(?:\w+\W+){0,2}(?:instructions?|prompts?|rules|messages?|directions)\b",
    ),
    (
        "an order to forget instructions",
        0.9,
        r"(?i)\b(?:ignor[ae]d?|olvid[ae]|omite|desconsider[ae]|esque[çc][ae])\W+(?:\w+\W+){0,4}"
        r"(?:instrucciones|instruções|órdenes|ordens|reglas|regras|prompts?)\W+"
        r"(?:\w+\W+){0,1}(?:anteriores|previas|prévias|de\W+arriba|acima|do\W+sistema|del\W+sistema)\b",
    ),
    (
        "a question for the system prompt",
        0.7,
        r"(?i)\b(?:reveal|show|print|repeat|leak|revela|muestra|repite|revele|mostre|repita)\W+(?:\w+\W+){0,3}"
        r"(?:system\W+prompt|hidden\W+instructions?|prompt\W+d[eo]l?\W+sistema|instrucciones\W+ocultas|"
        r"instruções\W+ocultas)\b",
    ),
    (
        "a role without rules",
        0.8,
        r"(?i)\b(?:you\W+are\W+now|act\W+as|eres\W+ahora|ahora\W+eres|agora\W+você\W+é|você\W+agora\W+é)\W+"
        r"(?:\w+\W+){0,3}(?:DAN|jailbroken|unrestricted|unfiltered|without\W+(?:rules|restrictions)|"
        r"sin\W+(?:reglas|restricciones|filtros)|sem\W+(?:regras|restrições|filtros))\b",
    ),
    (
        "a note to a model that reads it",
        0.8,
        r"(?i)(?:\b(?:note|message|instructions?)\W+(?:to|for)\W+(?:the\W+)?(?:ai|assistant|llm|language\W+model)\b|"
        r"\bnota\W+(?:para\W+el|ao|para\W+o)\W+(?:asistente|assistente)\b)",
    ),
    (
        "a mark of a chat template",
        0.9,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id)\|>|"
        r"\[/?INST\]|<</?SYS>>|</?(?:system|assistant)>|<(?:start|end)_of_turn>",
    ),
    (
        "a picture whose address carries data",
        0.6,
        r"!\[[^\]]{0,200}\]\(https?://[^)\s]{1,300}\?[^)\s]{0,300}(?:\{|%7B|[A-Z]{6,})[^)\s]{0,300}\)",
    ),
)
_COMPILED = tuple((what, score, re2.compile(pattern)) for what, score, pattern in _ORDERS)


class _Hidden(NamedTuple):
    what: str
    score: float
    pattern: re.Pattern[str]


_HIDDEN = (
    _Hidden("letters of the tag block, which no font shows", 1.0, re.compile("[\U000e0001-\U000e007f]+")),
    _Hidden("marks that turn the direction of reading", 0.9, re.compile("[\u202a-\u202e\u2066-\u2069]+")),
    _Hidden("runs of variation selectors", 0.9, re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")),
    _Hidden("characters without width", 0.7, re.compile("[\u200b\u2060-\u2064\u180e]+|(?<=.)\ufeff+", re.DOTALL)),
    _Hidden("joiners between Latin letters", 0.7, re.compile("(?<=[A-Za-z\u00c0-\u024f])[\u200c\u200d]+")),
    _Hidden("soft hyphens", 0.3, re.compile("\u00ad+")),
    _Hidden("control characters", 0.6, re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]+")),
    _Hidden("private characters", 0.4, re.compile("[\ue000-\uf8ff]+")),
)
_FLAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{2,7}\U000e007f")
"""Flags of England, Scotland and the like are written with the tag block."""


def find_hidden(row: Row) -> list[Finding]:
    """Characters that people cannot see, and words that mix alphabets."""
    if row.text.isascii() and row.text.isprintable():
        return []
    text = _FLAGS.sub("", row.text)
    found = []
    for kind in _HIDDEN:
        if matches := kind.pattern.findall(text):
            codes = ", ".join(dict.fromkeys(f"U+{ord(match[0]):04X}" for match in matches[:5]))
            reason = f"{kind.what} ({len(matches)}: {codes})"
            found.append(Finding("hidden", row.file, row.line, reason, kind.score, shown(row.text)))
    mixed = [word for word in dict.fromkeys(_WORDS.findall(text)) if not word.isascii() and _is_mixed(word)]
    if mixed:
        reason = f"words that mix alphabets: {shown(', '.join(mixed[:5]), 60)}"
        found.append(Finding("hidden", row.file, row.line, reason, 0.8, shown(row.text)))
    return found


def _is_mixed(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word}
    return len(scripts & set(_SCRIPTS)) > 1


def find_orders(row: Row) -> list[Finding]:
    """Orders to a model, and marks of chat templates, which data has no business to hold."""
    found: dict[str, Finding] = {}
    for what, score, pattern in _COMPILED:
        if what not in found and (match := pattern.search(row.text)):
            found[what] = Finding("injection", row.file, row.line, what, score, shown(match.group()))
    return list(found.values())


RowCheck = Callable[[Row], list[Finding]]
"""Looks at one row alone."""
