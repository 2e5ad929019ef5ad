"""Keys, tokens and passwords: by their form, and by their entropy where something calls them a secret."""

from __future__ import annotations

import math
import re
from collections import Counter

import re2

from rocamadre.datasets.scan.types import Finding, Row

_FORMS: tuple[tuple[str, float, str], ...] = (
    ("a private key", 1.0, r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("an AWS access key", 0.9, r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("a GitHub token", 1.0, r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})\b"),
    ("a GitLab token", 1.0, r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", 1.0, r"\bxox[abprs]-[A-Za-z0-9-]{10,}"),
    ("a Google API key", 0.9, r"\bAIza[0-9A-Za-z_-]{35}"),
    ("a Stripe key", 1.0, r"\b[rs]k_live_[0-9A-Za-z]{16,}"),
    ("an API key of a model service", 0.9, r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,}"),
    ("a Hugging Face token", 0.9, r"\bhf_[A-Za-z0-9]{30,}"),
    ("an npm token", 1.0, r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a web token", 0.8, r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("a password in an address", 0.9, r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@]{1,64}:[^\s/@]{3,64}@[^\s/]{3,}"),
    ("an account key", 0.9, r"(?i)\bAccountKey=[A-Za-z0-9+/]{40,}={0,2}"),
)
_COMPILED = tuple((what, score, re2.compile(pattern)) for what, score, pattern in _FORMS)
_NAMED = re2.compile(
    r"(?i)\b((?:[a-z0-9]+[_-])*(?:api[_-]?key|secret(?:[_-]?(?:access)?[_-]?key)?|access[_-]?token|auth[_-]?token|token|"
    r"passwor[dt]|passwd|pwd|contraseña|clave|senha))"
    r"[\"']?\s{0,3}(?::|=|=>)\s{0,3}[\"']?([^\s\"',;<>]{8,200})"
)
_EXAMPLES = re.compile(
    r"(?i)example|ejemplo|exemplo|xxx|\*\*\*|your[_-]|<|\{|\.\.\.|changeme|placeholder|1234567|abcdef"
)
_BITS = 3.2
"""A letter, on average: words have some 2.5 to 3, random letters and digits more, as far as their length lets them."""
_SHOWN = 4


def find_secrets(row: Row) -> list[Finding]:
    """What looks like a secret; only its first letters are repeated."""
    found: list[Finding] = []
    taken: list[tuple[int, int]] = []
    for what, score, pattern in _COMPILED:
        for match in pattern.finditer(row.text):
            sample = _EXAMPLES.search(match.group()) is not None
            found.append(_finding(row, what, match.group(), score / 3 if sample else score))
            taken.append(match.span())
    for match in _NAMED.finditer(row.text):
        start, end = match.span(2)
        value = match.group(2)
        if any(start < stop and begin < end for begin, stop in taken) or _EXAMPLES.search(value):
            continue
        if bits(value) >= _BITS or (any(map(str.isdigit, value)) and any(map(str.isalpha, value))):
            score = min(0.8, bits(value) / 5)
            found.append(
                _finding(row, f"a value of {match.group(1)!r} ({bits(value):.1f} bits a letter)", value, score)
            )
    return found


def bits(text: str) -> float:
    """Shannon entropy of a text's letters, in bits a letter.

    >>> bits("aaaa"), bits("abcd")
    (0.0, 2.0)
    """
    counts, size = Counter(text), len(text)
    return abs(math.fsum(-count / size * math.log2(count / size) for count in counts.values()))


def _finding(row: Row, what: str, value: str, score: float) -> Finding:
    return Finding("secret", row.file, row.line, what, score, f"{value[:_SHOWN]}… ({len(value)} characters)")
