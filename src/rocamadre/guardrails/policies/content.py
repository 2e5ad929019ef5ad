"""The content policy: hate, insults, sexual content, violence, misconduct and attacks on the prompt, by strength."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.classifiers.model import FILTERS, LEVELS, content_model
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.text import Text

STRENGTHS = LEVELS
"""A filter of strength HIGH acts on LOW confidence and above, MEDIUM on MEDIUM and above, LOW on HIGH only."""
TIERS = ("CLASSIC", "STANDARD")

_ACTIONS = {"BLOCK": Action.BLOCK, "NONE": Action.NONE}


@dataclass(frozen=True, slots=True)
class _Filter:
    """One filter for one source."""

    type: str
    strength: str
    action: Action

    def acts_on(self, confidence: str) -> bool:
        return LEVELS.index(confidence) > 3 - LEVELS.index(self.strength)


class ContentChecker:
    """Filters of one guardrail."""

    longest_match = None
    """A filter judges what a text says; the last word may turn it."""

    def __init__(self, filters: Mapping[Source, list[_Filter]]) -> None:
        self._filters = filters

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """A finding about the whole text for each filter that has any confidence, detected if its strength says so."""
        filters = self._filters[source]
        if not filters or not text.raw.strip():
            return []
        levels = content_model().judge(text).levels
        found = []
        for each in filters:
            confidence = levels[each.type]
            if confidence != "NONE":
                detected = each.acts_on(confidence)
                found.append(
                    Finding(
                        "filters",
                        each.type,
                        each.action if detected else Action.NONE,
                        detected,
                        detail={"confidence": confidence, "filterStrength": each.strength},
                    )
                )
        return found


class Content:
    """Categories of content that are refused. Both tiers are the same model: it knows three languages in either."""

    name = "contentPolicy"
    config = "contentPolicyConfig"

    def checker(self, config: Mapping[str, Any], tier: str) -> ContentChecker:
        """The checker for filters.

        Raises:
            InvalidRequest: An unknown filter, strength, action or tier, a filter given twice, or one for images.
        """
        if tier and tier not in TIERS:
            raise InvalidRequest(f"there is no tier {tier!r}; there are {', '.join(TIERS)}")
        filters: dict[Source, list[_Filter]] = {source: [] for source in Source}
        seen = set()
        for each in config.get("filtersConfig") or []:
            kind = each["type"]
            if kind not in FILTERS:
                raise InvalidRequest(f"there is no filter {kind!r}; there are {', '.join(FILTERS)}")
            if kind in seen:
                raise InvalidRequest(f"the filter {kind} is given twice; leave one out")
            seen.add(kind)
            for source, side in ((Source.INPUT, "input"), (Source.OUTPUT, "output")):
                one = _read(each, kind, side)
                # Whoever answers does not attack the prompt.
                if one is not None and not (kind == "PROMPT_ATTACK" and source is Source.OUTPUT):
                    filters[source].append(one)
        return ContentChecker(filters)


def _read(each: Mapping[str, Any], kind: str, side: str) -> _Filter | None:
    """The filter of one side; None where it does nothing."""
    strength, action = each.get(f"{side}Strength", "NONE"), each.get(f"{side}Action", "BLOCK")
    if strength not in STRENGTHS:
        raise InvalidRequest(f"{side}Strength of {kind} is {strength!r}; it may be {', '.join(STRENGTHS)}")
    if action not in _ACTIONS:
        raise InvalidRequest(f"{side}Action of {kind} is {action!r}; a content filter takes BLOCK or NONE")
    if "IMAGE" in (each.get(f"{side}Modalities") or ()):
        raise InvalidRequest(
            f"{side}Modalities of {kind} asks for IMAGE; images cannot be judged here: give TEXT alone"
        )
    if strength == "NONE" or not each.get(f"{side}Enabled", True):
        return None
    return _Filter(kind, strength, _ACTIONS[action])
