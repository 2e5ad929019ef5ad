"""Follow-up questions that can be looked up by themselves, and questions that ask for several things."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rocamadre.knowledge.answers.lexicon import FOLLOW_UPS, FUNCTION_SETS, OPENERS
from rocamadre.knowledge.answers.questions import read_question
from rocamadre.knowledge.answers.words import words_of

MOST_PARTS = 4
_SHORT = 3
_ASKING = {
    "en": r"what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|do|did|can",
    "es": r"qué|cuál|cuáles|quién|quiénes|cuándo|dónde|por qué|cómo|cuánto|cuánta|cuántos|cuántas",
    "pt": r"qual|quais|quem|quando|onde|por que|porque|como|quanto|quanta|quantos|quantas|o que",
}
_AND = {"en": "and|or also", "es": "y|e", "pt": "e"}
_NAME = re.compile(
    r"[A-ZÁÉÍÓÚÂÊÔÃÕÇÑÜ][\w’'\-]*(?:\s+(?:(?:of|de|del|da|do|dos|das|the|la)\s+)?[A-ZÁÉÍÓÚÂÊÔÃÕÇÑÜ][\w’'\-]*)*"
)
_POSSESSIVE = frozenset("its his their her su sus seu sua seus suas".split())


def follows_up(question: str, language: str) -> bool:
    """Whether a question needs what was said before: it opens with `and`, points with a pronoun, or says too little.

    >>> follows_up("And when was it built?", "en"), follows_up("When was the Eiffel Tower built?", "en")
    (True, False)
    """
    language = language if language in OPENERS else "en"
    text = question.strip().lstrip("¿ ")
    if re.search(OPENERS[language], text, re.IGNORECASE):
        return True
    asked = read_question(question, language)
    pointing = any(word.lower in FOLLOW_UPS for word in words_of(question, language))
    if pointing and not asked.names:
        return True
    return not asked.names and len(asked.stems) < _SHORT


def rewrite(question: str, earlier: Sequence[tuple[str, str]], language: str) -> str:
    """A follow-up with what it points at put in, by rule; the question itself where nothing is missing.

    Args:
        question: As it was put.
        earlier: Questions and answers before it, oldest first; the questions as they were rewritten.
        language: Of the question.

    >>> rewrite("When was it built?", [("Where is the Eiffel Tower?", "Paris")], "en")
    'When was the Eiffel Tower built?'
    >>> rewrite("And of Spain?", [("What is the capital of France?", "Paris")], "en")
    'What is the capital of Spain?'
    """
    if not earlier or not follows_up(question, language):
        return question
    previous = earlier[-1][0]
    language = language if language in OPENERS else "en"
    own, before = names_of(question, language), names_of(previous, language)
    opened = re.sub(OPENERS[language], "", question.strip().lstrip("¿ "), flags=re.IGNORECASE).strip(" ,?¿")
    asks = re.match(rf"(?:{_ASKING[language]})\b", opened, re.IGNORECASE) is not None
    if own and before and not asks:
        return _swap(previous, before[-1], own[-1])
    topic = _topic(previous, earlier, before)
    if not topic:
        return question
    words = [word for word in words_of(question, language) if word.lower in FOLLOW_UPS]
    if words and not own:
        word = words[0]
        named = f"{topic}'s" if word.lower in _POSSESSIVE and language == "en" else topic
        if word.lower in _POSSESSIVE and language != "en":
            return f"{question.rstrip(' ?')} ({topic})?"
        return question[: word.start] + named + question[word.end :]
    return f"{question.rstrip(' ?')} ({topic})?"


def _swap(previous: str, old: str, new: str) -> str:
    place = previous.rfind(old)
    return previous[:place] + new + previous[place + len(old) :]


def _topic(previous: str, earlier: Sequence[tuple[str, str]], before: Sequence[str]) -> str:
    if before:
        name = before[-1]
        place = previous.rfind(name)
        article = re.search(r"\b(the|el|la|los|las|o|a|os|as)\s+$", previous[:place])
        return f"{article.group(1)} {name}" if article else name
    for question, answer in reversed(earlier):
        if found := names_of(question, "en") or names_of(answer, "en"):
            return found[0]
    kept = read_question(previous, "en").stems
    words = [word for word in re.findall(r"\w+", previous) if len(word) > _SHORT]
    return " ".join(words[-4:]) if kept else ""


def names_of(text: str, language: str) -> list[str]:
    """Names in a question: runs of words with capitals, but for the first word of a sentence that is no name."""
    function = FUNCTION_SETS.get(language, FUNCTION_SETS["en"])
    found = []
    for match in _NAME.finditer(text):
        name = match.group()
        opens = not text[: match.start()].strip(" ¿¡\"'") or text[: match.start()].rstrip()[-1:] in ".!?¿"
        if opens:
            first, _, rest = name.partition(" ")
            asking = re.fullmatch("|".join(_ASKING.values()), first, re.IGNORECASE)
            if asking or first.lower() in function or not rest:
                name = rest
            while name and name.partition(" ")[0].lower() in function:
                name = name.partition(" ")[2]
        if name:
            found.append(name)
    return found


def decompose(question: str, language: str) -> list[str]:
    """The questions in a question, by rule: parted by question marks, or by `and` before a word that asks.

    >>> decompose("Who wrote Dracula and when was it published?", "en")
    ['Who wrote Dracula?', 'when was Dracula published?']
    """
    language = language if language in OPENERS else "en"
    pieces = [piece.strip() for piece in re.split(r"(?<=\?)\s+", question) if piece.strip()]
    joint = re.compile(
        rf",?\s+(?:{_AND[language]})\s+(?=(?:¿\s*)?(?:(?:in|en|em|on|at|for|para|de)\s+)?(?:{_ASKING[language]})\b)",
        re.IGNORECASE,
    )
    parts = [part.strip(" ,") for piece in pieces for part in joint.split(piece) if part.strip(" ,")]
    if len(parts) == 1:
        return [question]
    whole: list[str] = []
    earlier: list[tuple[str, str]] = []
    for part in parts[:MOST_PARTS]:
        text = part if part.endswith("?") else f"{part}?"
        text = rewrite(text, earlier, language) if earlier else text
        whole.append(text)
        earlier.append((text, ""))
    return whole
