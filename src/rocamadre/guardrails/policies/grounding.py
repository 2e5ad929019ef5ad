"""The contextual grounding policy: is an answer borne out by its source, and does it answer its question?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.grounding import judge
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.text import Text

MOST_SOURCE = 100_000
MOST_QUERY = 1_000
MOST_ANSWER = 5_000
"""Characters, as AWS allows them."""
MOST_THRESHOLD = 0.99
KINDS = ("GROUNDING", "RELEVANCE")

_ACTIONS = {"BLOCK": Action.BLOCK, "NONE": Action.NONE}


@dataclass(frozen=True, slots=True)
class _Filter:
    threshold: float
    action: Action


class GroundingChecker:
    """Thresholds of one guardrail."""

    longest_match = None

    def __init__(self, filters: Mapping[str, _Filter]) -> None:
        self._filters = filters

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """A finding about the whole text for each filter, detected when the score is below the threshold.

        Only answers are judged, and only by what was given with them: grounding needs a source, relevance a query.

        Raises:
            InvalidRequest: The answer, the source or the query is longer than what can be judged.
        """
        if source is not Source.OUTPUT or not text.raw.strip():
            return []
        grounding = "\n\n".join(each for each in around.grounding if each.strip())
        query = " ".join(each.strip() for each in around.queries if each.strip())
        wanted = {"GROUNDING": bool(grounding), "RELEVANCE": bool(query)}
        if not any(wanted[kind] for kind in self._filters):
            return []
        for what, found, most in (
            ("grounding source", grounding, MOST_SOURCE),
            ("query", query, MOST_QUERY),
            ("answer to be checked for grounding", text.raw, MOST_ANSWER),
        ):
            if len(found) > most:
                raise InvalidRequest(
                    f"the {what} has {len(found)} characters; {most} are allowed, as on AWS: shorten it"
                )
        asked = {kind: kind in self._filters and wanted[kind] for kind in KINDS}
        scores = judge(text.raw, grounding, query, grounding=asked["GROUNDING"], relevance=asked["RELEVANCE"])
        found_scores = {"GROUNDING": scores.grounding, "RELEVANCE": scores.relevance}
        return [
            self._finding(kind, round(score, 2), len(text.raw))
            for kind in KINDS
            if asked[kind] and (score := found_scores[kind]) is not None
        ]

    def _finding(self, kind: str, score: float, length: int) -> Finding:
        wanted = self._filters[kind]
        return Finding(
            "filters",
            kind,
            wanted.action if score < wanted.threshold else Action.NONE,
            detected=score < wanted.threshold,
            end=length,
            detail={"threshold": wanted.threshold, "score": score},
        )


class Grounding:
    """Answers that their source does not bear out, or that do not answer."""

    name = "contextualGroundingPolicy"
    config = "contextualGroundingPolicyConfig"

    def checker(self, config: Mapping[str, Any], tier: str) -> GroundingChecker:
        """The checker for filters and their thresholds.

        Raises:
            InvalidRequest: A filter of another type or named twice, a threshold that is none, or an unknown action.
        """
        filters: dict[str, _Filter] = {}
        seen: set[str] = set()
        for each in config.get("filtersConfig") or []:
            kind = each["type"]
            if kind not in KINDS:
                raise InvalidRequest(f"there is no filter {kind!r} here; there are GROUNDING and RELEVANCE")
            if kind in seen:
                raise InvalidRequest(f"filtersConfig names the filter {kind} twice; give it one threshold")
            seen.add(kind)
            threshold = each["threshold"]
            if not 0 <= threshold <= MOST_THRESHOLD:
                raise InvalidRequest(
                    f"the threshold of {kind} is {threshold}; it is from 0 to {MOST_THRESHOLD}, as 1 would block all"
                )
            action = each.get("action", "BLOCK")
            if action not in _ACTIONS:
                raise InvalidRequest(f"the action of {kind} is {action!r}; a grounding filter takes BLOCK or NONE")
            if each.get("enabled", True):
                filters[kind] = _Filter(float(threshold), _ACTIONS[action])
        if not seen:
            raise InvalidRequest("filtersConfig is empty; name GROUNDING, RELEVANCE or both")
        return GroundingChecker(filters)
