"""Sentences with names and addresses in three languages, made from lists, and sentences that only look so."""

from __future__ import annotations

import random
import re
import tomllib
from importlib.resources import files
from pathlib import Path

DATA = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))
ACCENTED = DATA["accented"]
CODES = ("NY", "CA", "TX", "IL", "WA", "OH")
AREAS = ("SW", "LS", "BS", "M", "EH")
STATES = ("SP", "RJ", "MG", "PE", "PR")
SLOT = re.compile(r"\{(\w)\}")


def sentences(seed: int, rounds: int = 45):
    """Texts and their entities."""
    draw = random.Random(seed)
    data = tomllib.loads(files("rocamadre.guardrails").joinpath("wordlists/people.toml").read_text("utf-8"))
    thirds = {kind: dict(zip(("en", "es", "pt"), _parts(data[kind]), strict=True)) for kind in ("first", "last")}
    for language in thirds["first"]:
        for _ in range(rounds):
            for form in DATA[language]["forms"]:
                yield _filled(form, language, thirds, draw)


def _parts(block: str) -> list[list[str]]:
    """The lists of the three languages: each begins anew at the head of the alphabet."""
    parts: list[list[str]] = [[]]
    last = ""
    for line in block.strip().splitlines():
        words = line.split()
        if words[0] < last[:1] and words[0][0] == "a" and last[0] > "f":
            parts.append([])
        parts[-1] += words
        last = words[-1]
    return parts


def _written(word: str, draw: random.Random) -> str:
    return ACCENTED.get(word, word.capitalize()) if draw.random() < 0.7 else word.capitalize()


def _filled(form: str, language: str, thirds: dict, draw: random.Random):
    text, entities, at = "", [], 0
    for slot in SLOT.finditer(form):
        value, kind = _value(slot.group(1), language, thirds, draw)
        text += form[at : slot.start()]
        for part, label in ((value, kind),) if isinstance(value, str) else value:
            if label:
                entities.append([len(text), len(text) + len(part), label])
            text += part
        at = slot.end()
    text += form[at:]
    if draw.random() < 0.05 and "{" not in text:
        text = text.upper()
    return text, entities


def _value(letter: str, language: str, thirds: dict, draw: random.Random):
    first = lambda: _written(draw.choice(thirds["first"][language]), draw)  # noqa: E731
    last = lambda: _written(draw.choice(thirds["last"][language]), draw)  # noqa: E731
    if letter == "F":
        return first(), "NAME"
    if letter == "L":
        return last(), "NAME"
    if letter == "T":
        return _one(language, "titles", draw), ""
    if letter == "C":
        return _one(language, "cities", draw), "PLACE"
    if letter == "O":
        return draw.choice(DATA["organisations"].split(";")), "ORGANISATION"
    if letter == "N":
        return _name(language, first, last, draw), "NAME"
    address = _address(language, draw)
    return (address[0].lower() + address[1:] if letter == "a" else address), "ADDRESS"


def _name(language: str, first, last, draw: random.Random) -> str:
    style = draw.random()
    if style < 0.12:
        return first()
    if language == "en":
        middle = f" {draw.choice('ABCDEFGHJKLMNPRSTW')}." if style > 0.85 else ""
        return f"{first()}{middle} {last()}" + (f"-{last()}" if style > 0.97 else "")
    if style < 0.4:
        return f"{first()} {last()}"
    if style < 0.55:
        return f"{first()} {first()} {last()}"
    link = (
        draw.choice((" de ", " de la ", " del ") if language == "es" else (" de ", " da ", " dos ", " e "))
        if style > 0.85
        else " "
    )
    return f"{first()} {last()}{link}{last()}"


def _one(language: str, what: str, draw: random.Random) -> str:
    return draw.choice(DATA[language][what].split(";"))


def _address(language: str, draw: random.Random) -> str:
    number, street, city = draw.randint(1, 2400), _one(language, "streets", draw), _one(language, "cities", draw)
    return {"en": _english, "es": _spanish, "pt": _portuguese}[language](number, street, city, draw)


def _english(number: int, street: str, city: str, draw: random.Random) -> str:
    kind = draw.choice("Street St Road Rd Avenue Ave Lane Drive Boulevard Court Terrace Way".split())
    units = ("", f", Apt {draw.randint(1, 99)}", f", Suite {draw.randint(100, 900)}", f" Flat {draw.randint(1, 30)}")
    british = f"{draw.choice(AREAS)}{draw.randint(1, 20)} {draw.randint(1, 9)}{draw.choice(('AB', 'QT', 'LX'))}"
    province, area = draw.choice(("ON", "BC", "QC")), draw.choice("KMVH")
    canadian = f"{province} {area}{draw.randint(1, 9)}{draw.choice('ABCX')} {draw.randint(1, 9)}L{draw.randint(1, 9)}"
    code = draw.choice((f"{draw.choice(CODES)} {draw.randint(10000, 99999)}", british, canadian))
    tail = draw.choice(("", f", {city}", f", {city}, {code}", f", {city} {british}"))
    style = draw.random()
    if style < 0.08:
        return f"{draw.choice(('PO Box', 'P.O. Box'))} {number}{tail}"
    if style < 0.14:
        return f"Flat {draw.randint(1, 40)}, {number} {street} {kind}{tail}"
    side = draw.choice(("N ", "S ", "West ", "E. ")) if style < 0.22 else ""
    behind = draw.choice((" East", " West", " N")) if style > 0.95 else ""
    numbered = draw.choice(("1st", "22nd", "5th", "43rd")) if 0.18 < style < 0.26 else street
    return f"{number} {side}{numbered} {kind}{behind}{draw.choice(units)}{tail}"


def _spanish(number: int, street: str, city: str, draw: random.Random) -> str:
    kind = draw.choice("Calle;C/;Avenida;Av.;Avda.;Paseo;Plaza;Carrera;Carretera".split(";"))
    floor = draw.randint(1, 9)
    units = ("", "", f", {floor}º {draw.choice('ABCD')}", f", piso {draw.randint(1, 20)}", f", {floor}º izquierda")
    code = draw.randint(10000, 52999)
    tail = draw.choice(("", f", {city}", f", {code} {city}", f". {code}. {city}"))
    return f"{kind} {street}{draw.choice((' ', ', ', ' nº ', ' # '))}{number}{draw.choice(units)}{tail}"


def _portuguese(number: int, street: str, city: str, draw: random.Random) -> str:
    kind = draw.choice("Rua;R.;Avenida;Av.;Travessa;Praça;Alameda;Largo;Estrada".split(";"))
    floor = f", {draw.randint(1, 9)}º {draw.choice(('Esq.', 'Dto.', 'andar'))}"
    block = f", bloco {draw.choice('ABC')}"
    units = ("", "", f", apto {draw.randint(11, 999)}", floor, block, f", sala {draw.randint(1, 99)}")
    portugal = f", {draw.randint(1000, 9999)}-{draw.randint(100, 999)} {city}"
    brazil = f", CEP {draw.randint(10000, 99999)}-{draw.randint(100, 999)}"
    tail = draw.choice(("", f", {city}", f", {city} - {draw.choice(STATES)}", portugal, brazil))
    return f"{kind} {street}{draw.choice((', ', ' ', ', n.º '))}{number}{draw.choice(units)}{tail}"
