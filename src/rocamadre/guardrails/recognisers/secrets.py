"""What opens doors: keys, passwords, user names, PINs."""

from __future__ import annotations

import re

from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern

_PASSWORD = (
    r"(?:pass ?words?|passwd|pwd|pass ?phrase|pass ?code|contrase(?:ñ|n)as?|clave|senhas?|palavra[- ]?passe|credential)"
)
_USER = (
    r"(?:user ?names?|user[ _-]?id|user|login|log-?in|screen name|nick ?name|usuario"
    r"|nombre de usuario|usu[aá]rio|nome de usu[aá]rio|utilizador|nome de utilizador|apodo|apelido)"
)
_QUALIFIED = r"(?: (?:for|of|to|de|del|da|do|para) [\pL\d' -]{1,30})?"
_SAID = r"(?: is| was| to| es| era| é| foi| será)"
_WORDS = frozenset(
    "required correct incorrect wrong invalid field not never always must should the a an and or your my este esta que "
    "muy para incorrecta obligatoria incorreta obrigatória".split()
)
_ODD = re.compile(r"[\d\W_]|[a-z][A-Z]")


def _trimmed(value: str) -> int:
    """Without the punctuation of the sentence."""
    return len(value.rstrip(".,;:)\"'»”"))


def _looks_made_up(value: str) -> bool:
    """Not a word of the sentence."""
    kept = value[: _trimmed(value)]
    return len(kept) >= 3 and bool(_ODD.search(kept)) and kept.lower() not in _WORDS


def _given(value: str) -> bool:
    kept = value[: _trimmed(value)]
    return len(kept) >= 3 and kept.lower() not in _WORDS and not set(kept) <= set("*•x.-_<>[]{}")


def _secret_key(value: str) -> bool:
    return (
        any(each.isupper() for each in value)
        and any(each.islower() for each in value)
        and any(each.isdigit() or each in "+/" for each in value)
        and len(set(value)) > 12
    )


PATTERNS = (
    Pattern("AWS_ACCESS_KEY", r"(?:AKIA|ASIA|AROA|AIDA|ABIA|ACCA|AGPA|ANPA)[A-Z0-9]{16}", Certainty.CHECKED),
    Pattern(
        "AWS_SECRET_KEY",
        r"[A-Za-z0-9/+]{40}",
        Certainty.CHECKED,
        check=_secret_key,
        near=r"(?:aws|amazon|secret|AKIA|ASIA|secreta|access.?key)",
        before=120,
        after=60,
    ),
    Pattern(
        "PASSWORD",
        rf"(?i:\b{_PASSWORD}{_QUALIFIED}{_SAID}?\s{{0,3}}[:=]\s{{0,3}}[\"'`]?)([^\s\"'`]{{3,64}})",
        check=_given,
        cut=_trimmed,
        bounded=False,
        longest=120,
    ),
    Pattern(
        "PASSWORD",
        rf"(?i:\b{_PASSWORD}{_QUALIFIED}{_SAID} [\"'`]?)([^\s\"'`]{{4,64}})",
        check=_looks_made_up,
        cut=_trimmed,
        bounded=False,
        longest=120,
    ),
    Pattern(
        "USERNAME",
        rf"(?i:\b{_USER}{_QUALIFIED}\s{{0,3}}[:=]\s{{0,3}}[\"'`]?)([^\s\"'`,;]{{3,64}})",
        check=_given,
        cut=_trimmed,
        bounded=False,
        longest=120,
    ),
    Pattern(
        "USERNAME",
        rf"(?i:\b{_USER}{_QUALIFIED}{_SAID} [\"'`]?)([^\s\"'`,;]{{3,64}})",
        check=_looks_made_up,
        cut=_trimmed,
        bounded=False,
        longest=120,
    ),
    Pattern("PIN", r"\d{4,8}", near=r"(?:\bpin\b|\bnip\b)[^\d\n.]{0,28}$", before=40),
)
