"""The topic policy: subjects that are not to be talked about, each given by a name, a definition and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.classifiers.topics import Topic, topic_scores
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.text import Text

MOST_TOPICS = 30
MOST_EXAMPLES = 5
THRESHOLD = 0.5
"""Probability from which a topic is found."""
TIERS = ("CLASSIC", "STANDARD")

_ACTIONS = {"BLOCK": Action.BLOCK, "NONE": Action.NONE}


@dataclass(frozen=True, slots=True)
class _Denied:
    name: str
    topic: Topic
    by_source: Mapping[Source, Action | None]


class TopicChecker:
    """Topics of one guardrail."""

    longest_match = None

    def __init__(self, denied: list[_Denied]) -> None:
        self._denied = denied

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """A finding about the whole text for each topic that it touches."""
        wanted = [each for each in self._denied if each.by_source[source] is not None]
        if not wanted or not text.raw.strip():
            return []
        scores = topic_scores(text.folded.text, [each.topic for each in wanted])
        return [
            Finding("topics", "DENY", action, name=each.name)
            for each, score in zip(wanted, scores, strict=True)
            if score >= THRESHOLD and (action := each.by_source[source]) is not None
        ]


class Topics:
    """Topics that are denied. Both tiers are the same method: it knows three languages in either."""

    name = "topicPolicy"
    config = "topicPolicyConfig"

    def checker(self, config: Mapping[str, Any], tier: str) -> TopicChecker:
        """The checker for topics.

        Raises:
            InvalidRequest: Too many topics or examples, one without a definition, a name given twice, or an unknown
                type, action or tier.
        """
        if tier and tier not in TIERS:
            raise InvalidRequest(f"there is no tier {tier!r}; there are {', '.join(TIERS)}")
        topics = config.get("topicsConfig") or []
        if len(topics) > MOST_TOPICS:
            raise InvalidRequest(f"topicsConfig has {len(topics)} topics; {MOST_TOPICS} are allowed")
        names = [each["name"] for each in topics]
        for name in names:
            if names.count(name) > 1:
                raise InvalidRequest(f"the topic {name!r} is given twice; choose another name or leave one out")
        return TopicChecker([_read(each) for each in topics])


def _read(each: Mapping[str, Any]) -> _Denied:
    name, examples = each["name"], each.get("examples") or []
    if not (each.get("definition") or "").strip():
        raise InvalidRequest(f"the topic {name!r} has no definition; say in a sentence what it is about")
    if each.get("type", "DENY") != "DENY":
        raise InvalidRequest(f"the type of the topic {name!r} is {each['type']!r}; it may be DENY")
    if len(examples) > MOST_EXAMPLES:
        raise InvalidRequest(f"the topic {name!r} has {len(examples)} examples; {MOST_EXAMPLES} are allowed")
    actions: dict[Source, Action | None] = {}
    for source, side in ((Source.INPUT, "input"), (Source.OUTPUT, "output")):
        action = each.get(f"{side}Action", "BLOCK")
        if action not in _ACTIONS:
            raise InvalidRequest(f"{side}Action of the topic {name!r} is {action!r}; a topic takes BLOCK or NONE")
        actions[source] = _ACTIONS[action] if each.get(f"{side}Enabled", True) else None
    return _Denied(name, Topic.read(name, each["definition"], examples), actions)
