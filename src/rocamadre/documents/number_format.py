"""Numbers as a sheet shows them: number formats of Office Open XML (ECMA-376 part 1, section 18.8.31).

Dates whose format follows the reader's locale are written as ISO 8601 has them. Fractions, colours and conditions are
not followed: the number is shown plainly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import cache, lru_cache

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy-mm-dd",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 37: "#,##0;-#,##0", 38: "#,##0;-#,##0", 39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
}  # fmt: skip
_TOKEN = re.compile(
    r'"([^"]*)"'  # 1: text
    r"|\\(.)"  # 2: one character
    r"|[_*]."  # space of a character's width, or a fill
    r"|\[\$([^\]-]*)[^\]]*\]"  # 3: currency
    r"|(\[(?:h+|m+|s+)\])"  # 4: time gone by
    r"|\[[^\]]*\]"  # colour, condition
    r"|(AM/PM|A/P)"  # 5
    r"|(General|[yYdD]+|[mM]+|[hH]+|[sS]+(?:\.0+)?)"  # 6: parts of times
    r"|([0#?][0#?,]*(?:\.[0#?]*)?(?:[eE][+-][0#?]+)?,*|\.[0#?]+)"  # 7: digits
    r"|(.)",  # 8: any other character
    re.DOTALL,
)
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MOST_FORMAT = 255
_MOST_DAYS = 2_958_466


@dataclass(frozen=True, slots=True)
class Formats:
    """The formats of a workbook.

    Attributes:
        custom: Code by number.
        used: Number by style.
        date1904: Days are counted from 1904.
    """

    custom: Mapping[int, str]
    used: Sequence[int]
    date1904: bool = False

    def code(self, style: int) -> str:
        """The format of cells of a style."""
        number = self.used[style] if 0 <= style < len(self.used) else 0
        return self.custom.get(number) or _BUILT_IN.get(number, "General")


@lru_cache(maxsize=8192)
def shown(text: str, code: str, *, date1904: bool = False) -> str:
    """A number as a cell of this format shows it.

    >>> shown("1234.5", "#,##0.00"), shown("0.256", "0.0%"), shown("-3", '0.00" €";(0.00" €")')
    ('1,234.50', '25.6%', '(3.00 €)')
    >>> shown("46347", "dd/mm/yyyy"), shown("46347.75", "yyyy-mm-dd h:mm"), shown("0.1", "General")
    ('21/11/2026', '2026-11-21 18:00', '0.1')
    """
    if code == "General" and len(text) < 10 and text.isdecimal():
        return str(int(text))
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > 310:
        return text[:40]
    if code == "General" or len(code) > _MOST_FORMAT or code == "@":
        return _general(number)
    try:
        return _by_code(number, text, code, date1904=date1904)
    except InvalidOperation:  # More digits than are computed with.
        return _general(number)


def _by_code(number: Decimal, text: str, code: str, *, date1904: bool) -> str:
    sections = _sections(code)  # Tokens of each section, read once per code.
    tokens, value = sections[0], number
    if number < 0 and len(sections) > 1 and sections[1]:
        tokens, value = sections[1], -number
    elif number == 0 and len(sections) > 2:
        tokens = sections[2]
    if any(token[3] or token[4] or (token[5] and token[5] != "General") for token in tokens):
        return _time(tokens, number, date1904=date1904)
    return _number(tokens, value, text)


@cache
def _sections(code: str) -> tuple[tuple[tuple[str | None, ...], ...], ...]:
    """The format for positive numbers, negative ones and zero, each as its tokens."""
    found, rest = [""], code
    for match in re.finditer(r'"[^"]*"|\\.|\[[^\]]*\]|.', rest, re.DOTALL):
        if match[0] == ";":
            found.append("")
        else:
            found[-1] += match[0]
    return tuple(tuple(match.groups() for match in _TOKEN.finditer(section)) for section in found)


def _general(number: Decimal) -> str:
    """Up to eleven digits, as a cell that is wide enough has it."""
    return f"{float(number):.11g}" if number != number.to_integral_value() or abs(number) >= 10**11 else f"{number:.0f}"


def _number(tokens: Sequence[tuple[str | None, ...]], number: Decimal, text: str) -> str:
    digits = [token[6] for token in tokens if token[6]]
    slash = any(token[7] == "/" for token in tokens)
    if len(digits) > 1 or slash:  # a fraction, or digits spread between other characters
        return _general(number if not text.startswith("-") else -abs(number))
    percents = sum(token[7] == "%" for token in tokens)
    number *= 100**percents
    pieces: list[str] = []
    for token in tokens:
        literal = next((part for part in (token[0], token[1], token[2], token[7]) if part is not None), None)
        if token[6]:
            pieces.append(_digits(number, token[6]))
        elif token[5] == "General":
            pieces.append(_general(number))
        elif literal is not None:
            pieces.append(literal)
    shown_text = "".join(pieces).strip()
    if number < 0 and digits and "-" in shown_text:
        shown_text = "-" + shown_text.replace("-", "", 1)
    return shown_text


def _digits(number: Decimal, form: str) -> str:
    body, _, power = form.partition("E") if "E" in form else form.partition("e")
    scaled = body.rstrip(",")
    number /= 1000 ** (len(body) - len(scaled))
    whole, _, fraction = scaled.partition(".")
    least = fraction.count("0")
    if power:
        shown_text = f"{float(number):.{len(fraction)}E}"
        mantissa, _, exponent = shown_text.partition("E")
        width = power.count("0")
        return f"{mantissa}E{exponent[0] if power[0] == '+' or exponent[0] == '-' else ''}{exponent[1:].zfill(width)}"
    rounded = number.quantize(Decimal(1).scaleb(-len(fraction)), ROUND_HALF_UP)
    text = f"{rounded:,.{len(fraction)}f}" if "," in whole else f"{rounded:.{len(fraction)}f}"
    front, _, back = text.partition(".")
    back = back[:least] + back[least:].rstrip("0")
    sign, front = ("-", front[1:]) if front.startswith("-") else ("", front)
    front = front.zfill(whole.count("0")) if "0" in whole else front.lstrip("0")
    if not any(digit in "123456789" for digit in front + back):
        sign = ""
    return sign + front + (f".{back}" if back or (fraction and least) else "")


def _time(tokens: Sequence[tuple[str | None, ...]], number: Decimal, *, date1904: bool) -> str:
    if not 0 <= number < _MOST_DAYS:
        return _general(number)
    days = number + 1462 if date1904 else number
    # Day 60 of the 1900 system is a 29 February that never was; before it, days are one further.
    start = datetime(1899, 12, 31) if days < 60 else datetime(1899, 12, 30)
    smallest = Decimal(1) if not any(token[5] and "." in token[5] for token in tokens) else Decimal("0.001")
    seconds = (days * 86_400).quantize(smallest, ROUND_HALF_UP)
    moment = start + timedelta(milliseconds=int(seconds * 1000))
    half = any(token[4] for token in tokens)
    pieces: list[str] = []
    for place, token in enumerate(tokens):
        if token[3]:
            pieces.append(_elapsed(token[3], int((number * 86_400).quantize(Decimal(1), ROUND_HALF_UP))))
        elif token[4]:
            pieces.append("AM" if moment.hour < 12 else "PM")
        elif token[5]:
            pieces.append(_part(token[5], moment, half=half, minutes=_is_minutes(tokens, place)))
        else:
            pieces.append(next((part for part in (token[0], token[1], token[2], token[7]) if part is not None), ""))
    return "".join(pieces).strip()


def _is_minutes(tokens: Sequence[tuple[str | None, ...]], place: int) -> bool:
    """Whether an `m` stands for minutes: hours before it, or seconds after it."""
    before = next((t[5] or t[3] for t in reversed(tokens[:place]) if t[5] or t[3]), "") or ""
    after = next((t[5] or t[3] for t in tokens[place + 1 :] if t[5] or t[3]), "") or ""
    return before.strip("[").lower().startswith("h") or after.strip("[").lower().startswith("s")


def _elapsed(token: str, seconds: int) -> str:
    unit = {"h": 3600, "m": 60, "s": 1}[token[1]]
    return str(seconds // unit).zfill(len(token) - 2)


def _part(token: str, moment: datetime, *, half: bool, minutes: bool) -> str:
    kind, size = token[0].lower(), len(token)
    if kind == "y":
        return f"{moment.year % 100:02d}" if size <= 2 else f"{moment.year:04d}"
    if kind == "d":
        name = _DAYS[moment.weekday()]
        return str(moment.day).zfill(size) if size <= 2 else (name[:3] if size == 3 else name)
    if kind == "h":
        hour = (moment.hour - 1) % 12 + 1 if half else moment.hour
        return str(hour).zfill(min(size, 2))
    if kind == "s":
        whole, _, part = token.partition(".")
        text = str(moment.second).zfill(min(len(whole), 2))
        return f"{text}.{moment.microsecond // 1000:03d}"[: len(text) + 1 + len(part)] if part else text
    if minutes and size <= 2:
        return str(moment.minute).zfill(size)
    name = _MONTHS[moment.month - 1]
    if size <= 2:
        return str(moment.month).zfill(size)
    return {3: name[:3], 5: name[0]}.get(size, name)
