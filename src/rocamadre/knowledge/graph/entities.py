"""Names, dates and codes in a text, by rules.

A name is a run of capitalised words, with small words between them as each language has them (`Banco de la Nación`,
`University of Oxford`). A single capitalised word counts where no sentence begins, or where the same text has it
elsewhere. A part of a longer name stands for that name within one document (`Lovelace` for `Ada Lovelace`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from rocamadre.knowledge.chunkers.sentences import sentences

Kind: TypeAlias = Literal["name", "date", "code"]

MOST_ENTITIES = 64
"""Of one chunk."""

_WORD = r"[^\W\d_](?:[^\W_]|['’.&-](?=[^\W_]))*+"
_CAPITAL = re.compile(_WORD)
_TOKEN = re.compile(rf"(?P<word>{_WORD})|(?P<other>[^\w\s]|\d+)")
_JOINS = frozenset("of the de del da do dos das di la las los el y e and & van von der den du des al".split())
_LAST_JOINS = frozenset("and y e &".split())
_MONTHS = (
    "january february march april may june july august september october november december enero febrero marzo abril "
    "mayo junio julio agosto septiembre octubre noviembre diciembre janeiro fevereiro março maio junho julho setembro "
    "outubro novembro dezembro"
)
_MONTH = "|".join(sorted(_MONTHS.split(), key=len, reverse=True))
_DATE = re.compile(
    rf"\b(?:\d{{1,2}}(?:st|nd|rd|th|º)?\s+(?:de\s+|of\s+)?(?:{_MONTH})(?:\s+(?:de\s+|del\s+)?|,\s*)\d{{4}}"
    rf"|(?:{_MONTH})\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{1,2}}/\d{{4}})\b",
    re.IGNORECASE,
)
_CODE = re.compile(r"\b(?=[\w-]{3,30}\b)(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[^\W_]+(?:-[^\W_]+)*\b")
_COMMON = frozenset(
    "a after all although an and as at because before but by during each every for from he her here his how however i "
    "if in it its many most my no not on one or our she since so some such that the their then there these they this "
    "those to today under until we what when where which while who why with yesterday yet you your "
    "a al algunos ante antes aquel aquella así aunque ayer cada como con cuando de del desde después donde dónde cuál "
    "durante el él ella ellas ellos en entonces entre era es esa ese eso esta este esto están fue ha hay hasta hoy la "
    "las le lo los más mientras muchos muy nada no nos para pero poco por porque pues que qué quien quién se según ser "
    "si sí sin sobre son su sus también tan te todo todos tras tu un una unas uno unos y ya yo cómo cuánto cuándo "
    "à ainda algumas alguns antes ao aos apesar após aquela aquele aqui as até cada com como contra da das de depois "
    "desde do dos durante e é ela elas ele eles em embora enquanto então entre era essa esse esta está este eu foi há "
    "hoje isso isto já mais mas muitos na nas não nem no nos o onde ontem os ou para pela pelo por porque quais qual "
    "quando quem que são se sem ser seu sua também tem todo todos um uma você quanto".split()
)


@dataclass(frozen=True, slots=True)
class Entity:
    """A name, a date or a code where it stands.

    Attributes:
        key: In small letters without accents: what is the same is compared by it.
        name: As it is written.
        start: First character.
        end: One past the last.
    """

    key: str
    name: str
    kind: Kind
    start: int
    end: int


class _Span(NamedTuple):
    start: int
    end: int
    words: int
    first: bool


def key_of(name: str) -> str:
    """A name in the form in which it is compared.

    >>> key_of("La  Coruña’s"), key_of("BANCO de la Nación")
    ('la coruna', 'banco de la nacion')
    """
    plain = unicodedata.normalize("NFKD", name.replace("’", "'")).casefold().removesuffix("'s")
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def entities(text: str, *, known: Sequence[str] = ()) -> list[Entity]:
    """What a text names, in the order of the text, without overlap.

    Args:
        text: A document, a chunk or a question.
        known: Names of the document around it: parts of these stand for them.

    >>> [each.name for each in entities("In 1842 Ada Lovelace met the University of Turin’s Menabrea on 3 May 1842.")]
    ['Ada Lovelace', 'University of Turin’s Menabrea', '3 May 1842']
    """
    taken: list[tuple[int, int]] = []
    found: list[Entity] = []
    kinds: tuple[tuple[Kind, re.Pattern[str]], ...] = (("date", _DATE), ("code", _CODE))
    for kind, pattern in kinds:
        for match in pattern.finditer(text):
            if _free(match.span(), taken):
                taken.append(match.span())
                found.append(Entity(key_of(match[0]), match[0], kind, *match.span()))
    spans = [span for span in _runs(text) if _free((span.start, span.end), taken)]
    sure = {key_of(text[span.start : span.end]) for span in spans if span.words > 1 or not span.first}
    whole = {key_of(name) for name in known} | {key_of(text[span.start : span.end]) for span in spans if span.words > 1}
    longer = _parts(whole)
    for span in spans:
        name = text[span.start : span.end]
        key = key_of(name)
        if span.words > 1 or key in sure or key in longer or (name.isupper() and len(name) > 1):
            found.append(Entity(longer.get(key, key), name, "name", span.start, span.end))
    return sorted(found, key=lambda each: each.start)


def names_of(text: str) -> list[str]:
    """The names of more than one word in a document, for `known`."""
    return [text[span.start : span.end] for span in _runs(text) if span.words > 1]


def _parts(whole: set[str]) -> dict[str, str]:
    """The last word of each longer name to that name, where only one name ends so."""
    found: dict[str, str] = {}
    for name in sorted(whole):
        last = name.rpartition(" ")[2]
        found[last] = "" if last in found else name
    return {last: name for last, name in found.items() if name and last != name}


def _runs(text: str) -> Iterator[_Span]:
    """Runs of capitalised words, sentence by sentence."""
    for sentence in sentences(text):
        run: list[tuple[int, int]] = []
        joins: list[tuple[int, int]] = []
        begins = True
        first = False
        for match in _TOKEN.finditer(text, sentence.start, sentence.end):
            word = match["word"]
            gap = text[run[-1][1] if run and not joins else match.start() : match.start()]
            if word and word[0].isupper() and "\n" not in gap:
                if not run:
                    first = begins
                run += [*joins, match.span()] if run else [match.span()]
                joins = []
            elif word and run and word.lower() in _JOINS and len(joins) < 2:
                joins.append(match.span())
            else:
                yield from _named(text, run, first=first)
                run, joins = [], []
            begins = begins and not word
        yield from _named(text, run, first=first)


def _named(text: str, run: list[tuple[int, int]], *, first: bool) -> Iterator[_Span]:
    """A run as a name, without the words before it that only begin the sentence; parted at `and`."""
    pieces: list[list[tuple[int, int]]] = [[]]
    for start, end in run:
        if text[start:end].lower() in _LAST_JOINS:
            pieces.append([])
        else:
            pieces[-1].append((start, end))
    for place, whole in enumerate(pieces):
        piece, begins = whole, first and place == 0
        while piece and (
            (begins and text[slice(*piece[0])].lower() in _COMMON) or text[slice(*piece[0])].lower() in _JOINS
        ):
            piece, begins = piece[1:], False
        while piece and text[slice(*piece[-1])].lower() in _JOINS:
            piece = piece[:-1]
        if piece and not (len(piece) == 1 and len(text[slice(*piece[0])]) < 2):
            yield _Span(piece[0][0], piece[-1][1], len(piece), begins)


def _free(span: tuple[int, int], taken: Sequence[tuple[int, int]]) -> bool:
    return all(span[1] <= start or end <= span[0] for start, end in taken)
