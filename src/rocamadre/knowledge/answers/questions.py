"""What a question asks for, by its words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rocamadre.knowledge.answers.lexicon import FUNCTION_SETS, HEADS, KINDS, QUESTION_WORDS
from rocamadre.knowledge.answers.words import Word, words_of

_PATTERNS = {
    language: tuple((re.compile(pattern), kind) for pattern, kind in rules)
    for language, rules in QUESTION_WORDS.items()
}
_ASKING = frozenset(
    "what which who whom whose when where why how many much did do does qué cuál cuáles quién quiénes cuándo dónde "
    "cómo cuánto cuánta cuántos cuántas que quem quando onde como quanto quanta quantos quantas qual quais name type "
    "kind tipo nombre nome".split()
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a reader sees it.

    Attributes:
        kind: Place in `KINDS`.
        stems: Of its content words, without the words that ask, each once, in order.
        sequence: Stems in order, with repeats, for pairs of neighbours.
        names: Stems of its names and numbers: words with a capital inside the question, or with digits.
        head: Stem of the noun after `what` or `which`; empty for none.
        asks: Whether it is a question that a short answer settles, and no wish such as "describe".
    """

    text: str
    language: str
    kind: int
    stems: tuple[str, ...]
    sequence: tuple[str, ...]
    names: frozenset[str]
    head: str
    asks: bool


def read_question(text: str, language: str) -> Question:
    """Take a question apart.

    >>> KINDS[read_question("In what year did it open?", "en").kind]
    'time'
    """
    language = language if language in FUNCTION_SETS else "en"
    words = words_of(text, language)
    content = [word for word in words if word.stem and word.lower not in _ASKING]
    lower = text.lower()
    kind, place = "other", -1
    for pattern, named in _PATTERNS[language]:
        if (match := pattern.search(lower)) is not None:
            kind, place = named, match.end()
            break
    head = _head(words, place) if kind == "thing" else None
    if head is not None:
        kind = next((named for named, heads in HEADS.items() if head.lower in heads), kind)
    names = frozenset(
        word.stem
        for index, word in enumerate(words)
        if word.stem and ((word.shape & 1 and index > 1) or word.shape & 2)
    )
    stems = tuple(dict.fromkeys(word.stem for word in content))
    return Question(
        text=text,
        language=language,
        kind=KINDS.index(kind),
        stems=stems,
        sequence=tuple(word.stem for word in content),
        names=names & frozenset(stems),
        head=head.stem if head is not None else "",
        asks=kind != "other" or "?" in text,
    )


def _head(words: list[Word], place: int) -> Word | None:
    """The first content word after the asking word, unless a verb of being stands between."""
    for word in words:
        if word.start < place or word.lower in _ASKING:
            continue
        if word.stem:
            return word
        if word.lower in {"of", "de", "the", "o", "a", "el", "la", "is", "was", "are", "were", "es", "fue", "é", "foi"}:
            continue
        return None
    return None
