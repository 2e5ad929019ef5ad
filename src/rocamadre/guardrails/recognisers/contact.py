"""Where someone is reached: e-mail, telephone, addresses of the web and of machines."""

from __future__ import annotations

import ipaddress
import re

from rocamadre.guardrails.recognisers.checksums import digits, varied
from rocamadre.guardrails.recognisers.pattern import Certainty, Pattern

_CALL = (
    r"\b(?:tel|tels|tlf|tlfn|tfno|telf|phone|phones|telephone|fax|mobile|cell|cellphone|call|calling"
    r"|text me|dial|reach|ring|hotline"
    r"|whats ?app|sms|contact|number is|tel[eé]fonos?|m[oó]vil|celular(?:es)?|ll[aá]m\w+|contact[aeo]\w*|fijo|fono|cel"
    r"|telefones?|telem[oó]vel|telem[oó]veis|lig(?:a|ar|ue|o|uem)|ligue-\w+|contato|fone|zap|extension|ext)\b"
)
_DATE = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])[ ./-](?:0?[1-9]|1[0-2])[ ./-](?:19|20)\d\d|(?:19|20)\d\d[ ./-]\d\d?[ ./-]\d\d?"
)
_YEARS = re.compile(r"(?:1[5-9]|20)\d\d-(?:1[5-9]|20)\d\d$")
"""Seasons, reigns and the like, which occur far more often than such a number."""
_POSTCODE = re.compile(r"\d{5}-\d{3}")
_NUMBERED = (
    r"\b(?:n[º°o]|no|num|nr|ref|id|isbn|issn|order|pedido|invoice|factura|fatura|case|expediente"
    r"|processo|account|cuenta|conta|nhc|art|lei|ley|col|nif|niss|nass|dni|cpf|rg|ssn|sin|nhs|utr|vin"
    r"|card|passport|cep|zip|cp|postal|tracking|code|c[oó]digo|lote|serie|s[eé]rie)\b[^\pL\d]{0,5}$"
    r"|\d[ .-]?$"
)
_ENDINGS = (
    r"com|org|net|edu|gov|info|io|dev|app|ai|biz|com\.[a-z]{2}|co\.[a-z]{2}|org\.[a-z]{2}|gov\.[a-z]{2}|edu\.[a-z]{2}"
    r"|gob\.[a-z]{2}"
)
_TRAILING = ".,;:!?)]}'\"»”’*"


def _email(value: str) -> bool:
    name, _, domain = value.partition("@")
    return ".." not in value and name[-1] != "." and not domain.startswith("-")


def _trimmed(value: str) -> int:
    """A URL without the punctuation of the sentence around it."""
    end = len(value.rstrip(_TRAILING))
    # A bracket that the URL itself opened belongs to it.
    while end < len(value) and value[end] == ")" and value[:end].count("(") > value[:end].count(")"):
        end += 1
    return end


def _version_4(value: str) -> bool:
    parts = value.split(".")
    return all(int(each) < 256 and (each == "0" or each[0] != "0") for each in parts) and value != "0.0.0.0"


def _version_6(value: str) -> bool:
    if not any(each.isdigit() for each in value) or value.count(":") < 2 or len(value) < 6:
        return False
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def _mac(value: str) -> bool:
    return len({each for each in value if not each.isalnum()}) == 1 and len(set(value)) > 3


def _phone(value: str) -> bool:
    number = digits(value)
    return 7 <= len(number) <= 15 and len(set(number)) > 2 and not _DATE.fullmatch(value.strip())


def _groups(value: str) -> bool:
    """Groups of digits that no date, range or list of numbers would have."""
    if _POSTCODE.fullmatch(value) or _YEARS.search(value):
        return False
    return 8 <= len(digits(value)) <= 11 and varied(value) and _phone(value)


PATTERNS = (
    Pattern(
        "EMAIL",
        r"[A-Za-z0-9À-ÿ_%+-][A-Za-z0-9À-ÿ._%+-]{0,63}@(?:[A-Za-z0-9À-ÿ-]{1,63}\.){1,6}[A-Za-z]{2,24}",
        check=_email,
        longest=320,
        unbroken=True,
    ),
    Pattern(
        "EMAIL",
        (
            r"[A-Za-z0-9._-]{1,40} ?(?:\(at\)|\[at\]|\(arroba\)|\[arroba\]) ?[A-Za-z0-9-]{1,40}(?: ?(?:\."
            r"|\(dot\)|\[dot\]) ?[A-Za-z]{2,10}){1,3}"
        ),
        longest=160,
    ),
    Pattern(
        "URL",
        r"(?i:https?|ftps?|wss?|s3|ssh)://[^\s<>\"`{}|\\^\x00-\x20]{3,500}",
        cut=_trimmed,
        bounded=False,
        longest=512,
        unbroken=True,
    ),
    Pattern(
        "URL",
        r"(?i:www)\.(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,12}(?:[/?#:][^\s<>\"`{}|\\^]{0,300})?",
        cut=_trimmed,
        longest=400,
        unbroken=True,
    ),
    Pattern(
        "URL",
        rf"(?:[A-Za-z0-9][A-Za-z0-9-]{{0,62}}\.){{1,4}}(?i:{_ENDINGS})(?:[/?#][^\s<>\"`{{}}|\\^]{{0,300}})?",
        cut=_trimmed,
        far=r"[@.\pL\d_-]$",
        longest=400,
        unbroken=True,
    ),
    Pattern(
        "IP_ADDRESS",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        check=_version_4,
        far=r"(?:v|ver|version|versi[oó]n|vers[aã]o|release|build|section|secci[oó]n)\.? {0,2}$",
    ),
    Pattern("IP_ADDRESS", r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}", check=_version_6),
    Pattern(
        "MAC_ADDRESS", r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}", check=_mac
    ),
    # With the country's code.
    Pattern(
        "PHONE",
        r"(?:\+|\b00)\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{1,5}){1,5}(?: ?(?:x|ext\.?) ?\d{1,5})?",
        check=_phone,
    ),
    # (212) 555-0143, (11) 98765-4321, (01) 427-3456, (5982) 487-3837
    Pattern("PHONE", r"\(\d{2,5}\)[ .-]?\d{2,5}(?:[ .-]\d{2,5}){1,3}(?: ?(?:x|ext\.?) ?\d{1,5})?", check=_phone),
    # 212-555-0143, 617.555.0118
    Pattern("PHONE", r"(?:1[ .-])?[2-9]\d{2}[ .-]\d{3}[ .-]\d{4}(?: ?(?:x|ext\.?) ?\d{1,5})?", check=_phone),
    # 98765-4321, 21 2345-6789
    Pattern("PHONE", r"(?:0?[1-9]\d[ .-])?9?[2-9]\d{3}-\d{4}", check=_groups, far=_NUMBERED),
    # 020 7946 0958, 07700 900461, 0490 75 40 81
    Pattern("PHONE", r"0\d{1,4}[ .-]\d{2,8}(?:[ .-]\d{2,4}){0,4}", check=_groups, far=_NUMBERED),
    # 612 345 678, 912 34 56 78, 91 336 87 85, 699-956-915, 986 413144
    Pattern(
        "PHONE",
        r"[2-9]\d{2}[ .-]\d{3}[ .-]\d{3}|[6-9]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}",
        check=_groups,
        far=_NUMBERED,
    ),
    Pattern("PHONE", r"9\d[ .-]\d{3}[ .-]\d{2}[ .-]\d{2}|9\d{2} \d{6}|[67]\d{2} \d{6}", check=_groups, far=_NUMBERED),
    Pattern(
        "PHONE",
        r"\d{2,3}(?: \d{2,3}){2,3}|\d{2} \d{6}",
        Certainty.GUESS,
        check=_groups,
        near=_CALL,
        before=60,
        after=20,
    ),
    # Any other, where the text says that it is one.
    Pattern(
        "PHONE", r"[\d(][\d ()./-]{5,20}\d", Certainty.GUESS, check=_phone, near=_CALL + r"[^\d\n]{0,30}", before=45
    ),
)
