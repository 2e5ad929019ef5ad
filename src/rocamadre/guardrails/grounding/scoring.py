"""Scores of an answer: how well its source bears it out, and how well it answers the question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rocamadre.guardrails.grounding.claims import claims_of
from rocamadre.guardrails.grounding.features import answers_yes_or_no, grounding_features, relevance_features, wants
from rocamadre.guardrails.grounding.model import Model, models
from rocamadre.guardrails.grounding.source import index
from rocamadre.guardrails.grounding.tokens import guess_language, tokenise

PLAIN_ANSWER = 0.95
"""Relevance of yes and no where they are asked for: they share no word with the question, and answer it."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What is thought of an answer; None where it was not asked or cannot be said.

    Attributes:
        grounding: From 0, made up, to 1, borne out by the source; that of the weakest sentence.
        relevance: From 0, beside the question, to 1; that of the best sentence.
    """

    grounding: float | None
    relevance: float | None


class Rows(NamedTuple):
    """The numbers of each sentence of an answer; none for an answer that says nothing.

    Attributes:
        grounding: For the model of that name.
        relevance: For that one.
        says_yes_or_no: Whether the question asks for yes or no, and the answer begins so.
    """

    grounding: list[list[float]]
    relevance: list[list[float]]
    says_yes_or_no: bool = False


def rows(answer: str, source: str, question: str, *, grounding: bool = True, relevance: bool = True) -> Rows:
    """What is seen of each sentence, for the models that are asked."""
    indexed = index(source)
    own = indexed.tokens.language if source.strip() else "en"
    tokens = tokenise(answer, guess_language(answer, own))
    asked = tokenise(question, guess_language(question, tokens.language)) if question.strip() else None
    wanted = wants(asked)
    claims = claims_of(tokens, indexed, asked)
    return Rows(
        [grounding_features(claim, wanted) for claim in claims] if grounding else [],
        [relevance_features(claim, wanted) for claim in claims] if relevance else [],
        asked is not None and answers_yes_or_no(tokens, asked),
    )


def total(model: Model, found: Sequence[Sequence[float]], *, relevance: bool) -> float:
    """The sum for a whole answer: its weakest sentence's, or for relevance its best."""
    sums = model.trees(np.array(found, dtype=np.float64))
    if relevance:
        return float(sums.max())
    return float(sums.min()) + model.per_sentence * math.log(len(sums))


def judge(answer: str, source: str, question: str = "", *, grounding: bool = True, relevance: bool = True) -> Scores:
    """How an answer stands to its source and question.

    Args:
        answer: What a model wrote.
        source: What it was to rest on.
        question: What it was to answer; it also tells what a short answer means.
        grounding: Whether to say how well the source bears it out.
        relevance: Whether to say how well it answers.

    >>> source = "London is the capital of the United Kingdom. Tokyo is the capital of Japan."
    >>> right = judge("The capital of Japan is Tokyo.", source, "What is the capital of Japan?")
    >>> wrong = judge("The capital of Japan is London.", source, "What is the capital of Japan?")
    >>> right.grounding > wrong.grounding
    True
    """
    relevance = relevance and bool(question.strip())
    found = rows(answer, source, question, grounding=grounding, relevance=relevance)
    relevant = _score("relevance", found.relevance, 0.0) if relevance else None
    if relevant is not None and found.says_yes_or_no:
        relevant = max(relevant, PLAIN_ANSWER)
    return Scores(_score("grounding", found.grounding, 1.0) if grounding else None, relevant)


def _score(name: str, found: Sequence[Sequence[float]], nothing: float) -> float:
    """A model's score; `nothing` for what says nothing: it claims nothing, and answers nothing."""
    model = models()[name]
    return model.score(total(model, found, relevance=name == "relevance")) if found else nothing
