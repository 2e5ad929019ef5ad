"""How hard a request looks, and which of two models should answer it.

A heuristic that is written down, not a trained predictor: it looks at what a request asks for, never at who asks. Its
score stands for "by how many percentage points would the stronger model's answer be better", and has not been
calibrated on answers of any model; `benchmarks/routing.py` measures how well it tells easy requests from hard ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rocamadre.core.messages import Document, GenerationRequest, Media, Text, ToolResult

_MOST_CHARACTERS = 20_000
"""Of a request's text; cues beyond it are not looked for, so that routing stays quick."""

_REASONING = re.compile(
    r"\b(?:why|explain|prove|proof|derive|deduce|step by step|reason(?:ing)?|compare|contrast|trade-?offs?|analy[sz]e|"
    r"evaluate|critique|argue|justify|design|architect|plan|optimi[sz]e|strategy|diagnose|root cause|infer|"
    r"por qué|explica|demuestra|deduce|paso a paso|razona|compara|analiza|evalúa|critica|argumenta|justifica|diseña|"
    r"planifica|optimiza|estrategia|diagnostica|"
    r"por ?qu[eê]|explique|demonstre|prove que|deduza|passo a passo|raciocine|compare|analise|avalie|critique|"
    r"argumente|justifique|projete|planeje|otimize|estratégia)\b",
    re.IGNORECASE,
)
_COUNTING = re.compile(
    r"\b(?:calculate|compute|solve|how many|how much|what is the probability|integral|derivative|equation|"
    r"calcula|resuelve|cuántos|cuántas|cuánto|probabilidad|ecuación|"
    r"calcule|resolva|quantos|quantas|quanto|probabilidade|equação)\b|\d {0,3}[-+*/^=<>×÷] {0,3}\(?-?[\dxyn]|∑|∫|√|≤|≥",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|^[ \t]*(?:def|class|import|from|public|private|func|fn|const|let|var|#include)\s|"
    r"\b(?:select\b.{1,200}\bfrom|create table|git rebase|regex|unit tests?|stack trace|traceback|algorithm|refactor|"
    r"debug|algoritmo|programa en|código|depura|"
    r"python|javascript|typescript|java|rust|golang|c\+\+|sql|bash)\b|[{};][ \t]{0,9}$|=>|\(\)\s*[{:]",
    re.IGNORECASE | re.MULTILINE,
)
_ORDERS = re.compile(r"\?|^[ \t]*(?:[-*•]|\d+[.)])\s", re.MULTILINE)
_MUST = re.compile(
    r"\b(?:must|should|exactly|at least|at most|only if|unless|without using|constraints?|requirements?|ensure|"
    r"debe|deben|exactamente|al menos|como máximo|solo si|a menos que|sin usar|"
    r"deve|devem|exatamente|pelo menos|no máximo|somente se|a menos que|sem usar)\b",
    re.IGNORECASE,
)
_ENGLISH = frozenset("the of and to in is that it for what are how with do you a i me my this please".split())
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard a request looks.

    Attributes:
        score: In percentage points, 0 to 100; the sum of the cues.
        cues: What was found, with its points.
    """

    score: float
    cues: Mapping[str, float] = field(default_factory=dict)


def difficulty(request: GenerationRequest) -> Difficulty:
    """Judge a request by its last question and by what comes with it.

    Points: length (0 to 20, from 40 words, by the logarithm), reasoning, arithmetic and code (up to 25 each), several
    questions or orders (up to 10), conditions (up to 10), documents (10), media (15), tools or a schema (15), a long
    conversation (up to 5), another language than English, in which small models are weaker (5).
    """
    question, beside, documents, media = _parts(request)
    words = len(question.split())
    beside_words = len(beside.split())
    cues = {
        "length": min(20.0, 5 * math.log2(max(1.0, (words + beside_words / 4) / 40))),
        "reasoning": min(25.0, 15.0 * len(_REASONING.findall(question))),
        "arithmetic": min(25.0, 15.0 * len(_COUNTING.findall(question))),
        "code": min(25.0, 15.0 * len(_CODE.findall(question))),
        "questions": min(10.0, 2.5 * max(0, len(_ORDERS.findall(question)) - 1)),
        "conditions": min(10.0, 4.0 * len(_MUST.findall(question))),
        "documents": 10.0 if documents else 0.0,
        "media": 15.0 if media else 0.0,
        "tools": 15.0 if request.tools or request.schema is not None else 0.0,
        "turns": min(5.0, max(0, len(request.messages) - 2) / 2),
        "language": 0.0 if _is_english(question) else 5.0,
    }
    found = {name: round(points, 1) for name, points in cues.items() if points > 0}
    return Difficulty(min(100.0, round(sum(found.values()), 1)), found)


def prefers_other(score: float, quality_difference: float, *, other_is_stronger: bool) -> bool:
    """Whether the model beside the fallback should answer.

    Args:
        score: By how many percentage points the stronger model is predicted to be better.
        quality_difference: The router's criterion.
        other_is_stronger: Whether the other model is the stronger, and the fallback the cheaper one.

    Returns:
        A cheaper one is taken where it is at most so much worse; a stronger one where it is more than so much better.

    >>> prefers_other(20, 25, other_is_stronger=False), prefers_other(20, 25, other_is_stronger=True)
    (True, False)
    """
    return score > quality_difference if other_is_stronger else score <= quality_difference


def _parts(request: GenerationRequest) -> tuple[str, str, bool, bool]:
    """The last question, the text beside it, and whether there are documents and media."""
    if request.prompt is not None:
        return request.prompt[:_MOST_CHARACTERS], "", False, False
    texts: list[str] = []
    beside = [request.system]
    documents = media = False
    for place, message in enumerate(request.messages):
        last = place == len(request.messages) - 1
        for block in message.content:
            if isinstance(block, Text):
                (texts if last else beside).append(block.text)
            elif isinstance(block, Document):
                documents = True
                beside.append(block.text)
            elif isinstance(block, ToolResult):
                beside.append(block.text)
            media = media or isinstance(block, Media)
    return "\n".join(texts)[:_MOST_CHARACTERS], "\n".join(beside)[:_MOST_CHARACTERS], documents, media


def _is_english(text: str) -> bool:
    """Whether common English words are there; short texts get the benefit of the doubt."""
    words = [word.lower() for word in _WORD.findall(text[:2000])]
    if text and not text[:2000].isascii() and not words:
        return False
    if len(words) < 4:
        return True
    return sum(word in _ENGLISH for word in words) / len(words) > 0.1
