"""Scores of a text by category, for callers without a guardrail."""

from __future__ import annotations

from collections.abc import Mapping

from rocamadre.guardrails.classifiers.model import content_model
from rocamadre.guardrails.text import Text


def content_scores(text: Text) -> Mapping[str, float]:
    """Probabilities from 0 to 1 of the six filters and of the kinds of prompt attack.

    >>> sorted(content_scores(Text("What a lovely day")))[:3]
    ['HATE', 'INSULTS', 'JAILBREAK']
    """
    return content_model().judge(text).scores
