"""Answers worded in the ways a model words them: alone, in a sentence made of the question, shortened, turned round."""

from __future__ import annotations

import random
import re

END = re.compile(r"(?<=[.!?])[\"'”»)\]]*\s+(?=[A-ZÁÉÍÓÚÂÊÔÃÕÇÑ\"“«¿¡(\d])")
_CARRIERS = {
    "en": ("The answer is {}.", "According to the text, {}.", "{}.", "It is {}.", "The text says that it was {}."),
    "es": ("La respuesta es {}.", "Según el texto, {}.", "{}.", "Es {}.", "El texto dice que fue {}."),
    "pt": ("A resposta é {}.", "Segundo o texto, {}.", "{}.", "É {}.", "O texto diz que foi {}."),
}
_WH = {
    "en": r"who|whom|what|which|when|where|why|how many|how much|how long|how old|how",
    "es": r"quién|quiénes|qué|cuál|cuáles|cuándo|dónde|por qué|cuántos|cuántas|cuánto|cuánta|cómo",
    "pt": r"quem|que|o que|qual|quais|quando|onde|por que|quantos|quantas|quanto|quanta|como",
}
_DENIALS = frozenset(
    "not no never none neither nor without cannot nunca jamás sin ni ningún ninguna ninguno nadie nada tampoco não sem "
    "nem nenhum nenhuma ninguém".split()
)
_ASIDE = re.compile(r"\s*\([^()]{1,80}\)")


def sentences(text: str) -> list[str]:
    """Sentences of a passage, roughly."""
    return [each.strip() for part in text.splitlines() for each in END.split(part) if each.strip()]


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def statement(question: str, answer: str, language: str, draw: random.Random) -> str:
    """Question and answer as one sentence; clumsy where the grammar would take a parser."""
    plain = question.strip(" ?¿").strip()
    match = re.match(rf"(?:(\w{{1,7}}) )?(?:(?:{_WH[language]}))\b", plain, re.IGNORECASE)
    made = ""
    if match and len(plain) > match.end() + 4:
        preposition, rest = match[1] or "", plain[match.end() :].strip()
        made = (
            _english(match[0].lower(), preposition, rest, answer)
            if language == "en"
            else _romance(match[0].lower(), preposition, rest, answer, language)
        )
    if not made or draw.random() < 0.15:
        return carried(answer, language, draw)
    return upper_first(made.strip()).rstrip(".") + "."


def _english(asked: str, preposition: str, rest: str, answer: str) -> str:
    words = rest.split()
    if preposition.lower() in {"in", "on", "at", "to", "from", "by", "for", "with", "of"}:
        aux = next((n for n, w in enumerate(words[:4]) if w in {"did", "does", "do", "was", "were", "is", "are"}), None)
        if aux is None:
            return ""
        tail = words[aux + 1 :]
        middle = [] if words[aux] in {"did", "does", "do"} else [words[aux]]
        return " ".join([*tail[:-1], *middle, *tail[-1:], preposition.lower(), answer])
    if words[0] in {"did", "does", "do"}:
        link = {"when": "in", "where": "in", "why": "because of"}.get(asked, "")
        return " ".join(
            filter(None, [*words[1:], link if answer.split(maxsplit=1)[0].islower() is False else "", answer])
        )
    if words[0] in {"was", "were", "is", "are"} and asked in {"when", "where", "why", "how"}:
        return " ".join([*words[1:-1], words[0], words[-1], "in" if asked in {"when", "where"} else "", answer])
    if asked.startswith("how m") or asked.startswith("who") or asked == "what" or asked == "which":
        return f"{answer} {rest}"
    return ""


def _romance(asked: str, preposition: str, rest: str, answer: str, language: str) -> str:
    words = rest.split()
    if preposition and preposition.lower() in {"en", "em", "a", "de", "con", "com", "por", "para", "desde"}:
        return " ".join([*words[1:], preposition.lower(), answer]) if len(words) > 3 else ""
    if asked in {"cuándo", "dónde", "quando", "onde"}:
        return f"{rest} {'en' if language == 'es' else 'em'} {answer}"
    if asked in {"por qué", "por que", "cómo", "como"}:
        return f"{rest} {'por' if 'por' in asked else 'con' if language == 'es' else 'com'} {answer}"
    return f"{answer} {rest}"


def joined(first: str, second: str, language: str, draw: random.Random) -> str:
    """Two sentences as one."""
    link = draw.choice({"en": (", and ", "; "), "es": (", y ", "; "), "pt": (", e ", "; ")}[language])
    return first.rstrip(".") + link + second[:1].lower() + second[1:]


def carried(answer: str, language: str, draw: random.Random) -> str:
    """An answer in a sentence that says nothing else."""
    return upper_first(draw.choice(_CARRIERS[language]).format(answer.rstrip(".")))


def _stays(word: str) -> bool:
    return word[0].isupper() or len(word) > 7 or word.lower() in _DENIALS


def shortened(sentence: str, draw: random.Random, keep: str = "") -> str:
    """A sentence without asides, and perhaps without its first or last part; `keep` stays in."""
    made = _ASIDE.sub("", sentence)
    parts = made.split(", ")
    if len(parts) > 2:
        cut = parts[1:] if draw.random() < 0.5 else parts[:-1]
        other = ", ".join(cut)
        if keep in other and len(other) > 30:
            made = other
    elif len(parts) == 2 and draw.random() < 0.5 and len(parts[0]) > 15:
        made = f"{parts[1].rstrip('.')}, {parts[0][:1].lower()}{parts[0][1:]}"
    if draw.random() < 0.5:
        words = made.split()
        made = " ".join(w for w in words if not w.isalpha() or _stays(w) or draw.random() > 0.12)
    made = upper_first(made.strip(" ,"))
    return made if made.endswith((".", "!", "?")) else made + "."
