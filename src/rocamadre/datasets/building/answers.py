"""Which answers of models are worth keeping."""

from __future__ import annotations

import re

from rocamadre.datasets.building.rouge import rouge_l, words

_REFUSALS = re.compile(
    r"(?i)\b(?:as an? (?:ai|language model)|i(?:'m| am) (?:just )?an? (?:ai|language model)|"
    r"i (?:cannot|can't|am unable to) (?:help|assist|answer|do|provide|fulfil)|i'?m sorry|"
    r"i don'?t have (?:access|the ability)|como (?:un )?modelo de lenguaje|como (?:um )?modelo de linguagem|"
    r"the documents do not answer|los documentos no responden|os documentos não respondem|"
    r"lo siento|desculpe|no puedo (?:ayudar|responder)|não posso (?:ajudar|responder))\b"
)
_LEFTOVERS = re.compile(r"(?im)^\s*(?:task|instruction|input|output|example|tarea|tarefa)\s*\d*\s*:")
_MEDIA = re.compile(
    r"(?i)\b(?:image|images|picture|pictures|photo|graph|graphs|chart|file|files|map|maps|draw|plot|video|audio|music|"
    r"diagram|flowchart|go to|imagen|imágenes|gráfico|dibuja|imagem|desenhe|vídeo)\b"
)
_LIST = re.compile(r"^\s*(?:\d{1,3}[.):]|[-*•]|(?:task|tarea|tarefa)\s*\d{1,3}\s*[:.)])\s*", re.IGNORECASE)


def listed(text: str) -> list[str]:
    r"""The points of a list that a model wrote, their numbers taken away; lines without a number go on with the last.

    >>> listed("1. Name a bird.\n2) Name a fish\n   of the sea.")
    ['Name a bird.', 'Name a fish of the sea.']
    """
    found: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        if _LIST.match(line):
            found.append(_LIST.sub("", line).strip())
        elif found:
            found[-1] = f"{found[-1]} {line.strip()}"
    return [each for each in found if each]


def bad_instruction(text: str) -> str:
    """Why an instruction is not wanted; empty where it is. The rules are those of Self-Instruct, in three languages.

    >>> bad_instruction("Draw a picture of a cat and a dog."), bad_instruction("List three birds of Peru.")
    ('asks for what text cannot give', '')
    """
    found = words(text)
    if not 3 <= len(found) <= 150:
        return "too short or too long"
    if _MEDIA.search(text):
        return "asks for what text cannot give"
    if text[0] in ".,;:!?)]}-" or (not text[0].isascii() and not text[0].isalpha() and text[0] not in "¿¡"):
        return "begins with a sign"
    if text.lower().startswith(("write a program", "escribe un programa", "escreva um programa")):
        return "asks for a program"
    return "the same words again and again" if repeats(text) else ""


def bad_answer(instruction: str, answer: str, *, whole: bool) -> str:
    """Why an answer is not wanted; empty where it is.

    >>> bad_answer("Name a bird.", "I'm sorry, I cannot help with that.", whole=True)
    'is no answer'
    """
    found = words(answer)
    if not found:
        return "answer empty"
    if not whole:
        return "answer cut off"
    if len(found) > 800:
        return "answer too long"
    if _REFUSALS.search(answer) and len(found) < 80:
        return "is no answer"
    if _LEFTOVERS.search(answer):
        return "answer holds parts of the prompt"
    if rouge_l(words(instruction), found) > 0.9:
        return "answer repeats the question"
    return "answer repeats itself" if repeats(answer) else ""


def repeats(text: str) -> bool:
    """Whether a text says the same again and again, as models do that are lost.

    >>> repeats("a bird " * 10), repeats("One bird sings while the other one sleeps in the tree by the river.")
    (True, False)
    """
    found = words(text)
    if len(found) < 8:
        return len(found) >= 4 and len(set(found)) == 1
    threes = [tuple(found[at : at + 3]) for at in range(len(found) - 2)]
    return len(set(threes)) < 0.6 * len(threes)
