"""Whether a text is English, Spanish, Portuguese or something else: by its small words and its letters.

Every word that is a small word of one language gives that language a point, one that two share half a point each;
letters and endings that one language has alone give a little. A text in which too few words say anything is `other`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

LANGUAGES = ("en", "es", "pt")
OTHER = "other"

_WORDS = re.compile(r"[^\W\d_]+")
_MOST_LETTERS = 20_000
_LEAST_SHARE = 0.08
_LEAST_POINTS = 1.0
_CLEAR_POINTS = 12.0
_CLEAR = 2.0
"""A language with so many points, and so many times those of the next, is it without a look at the letters."""

_SMALL = {
    "en": "the of and to in is that it was for on are as with his they be at one have this from or had by not but "
    "what all were we when your can said there use an each which she do how their if will up other about out "
    "many then them these so some her would make him into has more go no could my than been who its now did "
    "get may you i me our us he why where a am does very just because only also over after any here should "
    "don while between write give find explain describe please list tell using following",
    "es": "el la los las de del y que en un una es por con para no se su al lo como más pero sus le ya o este sí "
    "porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno "
    "les ni contra otros ese eso ante ellos e esto mí antes algunos qué unos yo otro otras otra él tanto esa "
    "estos mucho quienes nada muchos cual poco ella estar estas algunas algo nosotros mi tú te ti tu son fue "
    "era ser está han ha sido tiene hacer cómo cuál cuáles dónde usted según así después hacia cada vez puede "
    "escribe explica describe siguiente hola buenos gracias",
    "pt": "o a os as de do da dos das e que em no na nos nas um uma é por com para não se seu sua ao à aos pelo "
    "pela como mais mas ou este sim porque esta entre quando muito sem sobre também me até há onde quem desde "
    "todo durante todos uns ele ela eles elas isso isto antes alguns qual quais eu outro outra foi era ser "
    "está têm tem são você vocês nós meu minha seus suas nem lhe já só depois cada vez pode fazer num numa "
    "pelos pelas aquele essa esse estes às então assim ainda escreva explique descreva seguinte olá obrigado",
    "de": "der die das und ist von mit den des ein eine nicht zu auf für im dem es sich auch wie bei aus nach über "
    "wird sind war hat ich sie wir was oder wenn kann einen einer zur zum",
    "fr": "le les des et est du une un dans pour pas qui sur au par ne ce il elle nous vous je avec plus sont cette "
    "mais ou aux leur être fait ont quel quelle ses deux comme",
    "it": "il di che è e la per un una non sono del della con si dei nel alla le da come più anche gli al ma questo "
    "questa ha cui qual quale nella delle dal degli",
    "ca": "el la els les de del i que en un una és per amb no se al com més però seu aquest aquesta són dels als "
    "pel va han ser qual",
}
"""The last four are only there so that they are not taken for one of the first three."""
_SIGNS = {
    "en": ("th", "wh", "ing ", "ck", "'s "),
    "es": ("ñ", "¿", "¡", "ción", "ll", "ué"),
    "pt": ("ã", "õ", "ç", "lh", "nh", "ê", "ções"),
    "de": ("ü", "ä", "ö", "ß", "sch", "ei"),
    "fr": ("è", "ç", "eau", "aux", "ê", "l'", "d'"),
    "it": ("gli", "zion", "ò", "cch", "tt"),
    "ca": ("l·l", "ny", "ç", "ció", "è"),
}
POINTS: dict[str, tuple[tuple[str, float], ...]] = {}
"""Of each small word, what it gives to which languages."""


def _prepare() -> None:
    owners: dict[str, list[str]] = {}
    for language, words in _SMALL.items():
        for word in set(words.split()):
            owners.setdefault(word, []).append(language)
    for word, languages in owners.items():
        # A word of ours says nothing for the others: they must win by words that are theirs alone.
        ours = [language for language in languages if language in LANGUAGES] or languages
        POINTS[word] = tuple((language, 1 / len(ours)) for language in ours)


_prepare()


def detect_language(text: str, words: Sequence[str] | None = None) -> str:
    """One of `LANGUAGES`, or `OTHER` where too little says which.

    Args:
        text: Its first 20,000 characters count.
        words: Its words in lower case, where somebody has them already.

    >>> detect_language("What is the capital of France?"), detect_language("¿Cuál es la capital de Francia?")
    ('en', 'es')
    >>> detect_language("Qual é a capital da França?"), detect_language("Was ist die Hauptstadt von Frankreich?")
    ('pt', 'other')
    """
    if words is None:
        words = _WORDS.findall(text[:_MOST_LETTERS].lower())
    if not words:
        return OTHER
    # Counted before they are looked at: texts are detected by the hundred thousand.
    return decided_language(
        text, len(words), ((count, POINTS[word]) for word, count in Counter(filter(POINTS.__contains__, words)).items())
    )


def decided_language(
    text: str, words: int, found: Iterable[tuple[int, Sequence[tuple[str, float]]]], *, margin: float = 0.0
) -> str:
    """See `detect_language`, for who has counted already.

    Args:
        text: Where letters are looked at.
        words: That it has.
        found: Of small words, how often, and what of `POINTS` each time.
        margin: Where so little would decide, nothing is returned: the order of a sum is worth as much.
    """
    points = dict.fromkeys(_SMALL, 0.0)
    for count, values in found:
        for language, value in values:
            points[language] += count * value
    second, first = sorted(points.values())[-2:]
    least = max(_LEAST_POINTS * 0.5, _LEAST_SHARE * words)
    near = abs(first - least) < margin
    if first < least and not near:
        return OTHER
    near = near or abs(first - _CLEAR_POINTS) < margin or abs(first - _CLEAR * second) < margin
    if first < _CLEAR_POINTS or first < _CLEAR * second:  # Else no sign can change anything, in practice.
        _add_signs(text[:_MOST_LETTERS].lower(), points)
        second, first = sorted(points.values())[-2:]
    if near or first - second < margin or abs(first - _LEAST_POINTS) < margin:
        return ""
    best = max(points, key=lambda language: points[language])
    return best if best in LANGUAGES and points[best] >= _LEAST_POINTS else OTHER


def _add_signs(text: str, points: dict[str, float]) -> None:
    for language, signs in _SIGNS.items():
        points[language] += 0.5 * sum(text.count(sign) for sign in signs)
