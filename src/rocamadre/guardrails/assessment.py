"""Findings as assessments in the API's shapes, and the units and characters that an examination counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rocamadre.guardrails.policies.protocol import Finding, Source
from rocamadre.guardrails.policies.registry import CONFIGS

UNIT = 1000
"""Characters in one unit of usage."""

_LEVELS = {"NONE": 0, "LOW": 1, "MEDIUM": 2, "HIGH": 3}
_UNITS = {name: f"{name}Units" for name in CONFIGS}
_FREE = "sensitiveInformationPolicyFreeUnits"

Config = Mapping[str, Any]
"""The members of CreateGuardrail that configure policies, by name."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What an assessment is made for: the policy's settings, whose text, and whether all is listed."""

    settings: Config
    source: Source
    full: bool


def enabled(item: Mapping[str, Any], source: Source) -> bool:
    """Whether a filter, topic, word, type or expression is looked for in texts of a source.

    >>> enabled({"type": "HATE", "inputStrength": "NONE", "outputStrength": "LOW"}, Source.INPUT)
    False
    """
    side = "input" if source is Source.INPUT else "output"
    if item.get("type") == "PROMPT_ATTACK" and source is Source.OUTPUT:
        return False
    return item.get(f"{side}Enabled", True) is not False and item.get(f"{side}Strength") != "NONE"


def active(config: Config, policy: str, source: Source, *, grounded: bool) -> bool:
    """Whether a policy has anything to look for.

    Args:
        config: Of the guardrail.
        policy: Its member of an assessment.
        source: Whose text.
        grounded: Whether a grounding source and a query are at hand.
    """
    settings = config.get(CONFIGS[policy]) or {}
    if policy == "contextualGroundingPolicy":
        return grounded and source is Source.OUTPUT and any(_grounding(settings))
    return any(enabled(item, source) for item in _items(settings))


def usage(config: Config, source: Source, *, guarded: int, context: int) -> dict[str, int]:
    """Units by policy: one for each 1,000 characters begun, for policies that looked.

    Args:
        config: Of the guardrail.
        source: Whose text.
        guarded: Characters that were examined.
        context: Characters of grounding sources and queries; 0 without both.
    """
    units = -(-guarded // UNIT)
    found = {
        member: units if active(config, policy, source, grounded=False) else 0 for policy, member in _UNITS.items()
    }
    sensitive = config.get(CONFIGS["sensitiveInformationPolicy"]) or {}
    pii, expressions = (
        any(enabled(item, source) for item in sensitive.get(name) or ())
        for name in ("piiEntitiesConfig", "regexesConfig")
    )
    found[_UNITS["sensitiveInformationPolicy"]] = units if pii else 0
    found[_FREE] = units if expressions else 0
    if active(config, "contextualGroundingPolicy", source, grounded=bool(context)):
        found[_UNITS["contextualGroundingPolicy"]] = -(-(guarded + context) // UNIT)
    return found


def assess(by_policy: Mapping[str, Iterable[Finding]], config: Config, source: Source, *, full: bool) -> dict[str, Any]:
    """Findings as an assessment; what was found twice stands there once.

    Args:
        by_policy: Findings by the policy's member of an assessment, in order of place.
        config: Of the guardrail.
        source: Whose text.
        full: Whether what was looked for and not found is listed too. Words and expressions never are, as in AWS.
    """
    found: dict[str, Any] = {}
    for policy, members in _MEMBERS.items():
        findings = list(by_policy.get(policy, ()))
        wanted = _Wanted(config.get(CONFIGS[policy]) or {}, source, full)
        lists = {name: make(name, findings, wanted) for name, make in members.items()}
        if any(lists.values()):
            found[policy] = lists
    return found


def _filters(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    best: dict[str, Finding] = {}
    for each in findings:
        if each.kind == name and (each.type not in best or _weight(each) > _weight(best[each.type])):
            best[each.type] = each
    entries = []
    for item in wanted.settings.get("filtersConfig") or ():
        kind = item["type"]
        strength = item["inputStrength" if wanted.source is Source.INPUT else "outputStrength"]
        if kind in best and (wanted.full or best[kind].detected):
            one = best[kind]
            entries.append({"type": kind, "confidence": "NONE", "filterStrength": strength, **one.detail, **_end(one)})
        elif wanted.full and kind not in best and enabled(item, wanted.source):
            entries.append({"type": kind, "confidence": "NONE", "filterStrength": strength, **_NOTHING})
    return entries


def _scores(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    """Scores of grounding and relevance, the lowest of each; they are told whatever they are."""
    worst: dict[str, Finding] = {}
    for each in findings:
        if each.type not in worst or each.detail["score"] < worst[each.type].detail["score"]:
            worst[each.type] = each
    return [{"type": kind, **one.detail, **_end(one)} for kind, one in sorted(worst.items())]


def _topics(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    best: dict[str, Finding] = {}
    for each in findings:
        if each.name not in best or each.detected > best[each.name].detected:
            best[each.name] = each
    entries = []
    for item in wanted.settings.get("topicsConfig") or ():
        one = best.get(item["name"])
        if one is not None and one.detected:
            entries.append({"name": one.name, "type": one.type, **_end(one)})
        elif wanted.full and enabled(item, wanted.source):
            entries.append({"name": item["name"], "type": "DENY", **_NOTHING})
    return entries


def _words(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    unique = {(each.match, each.action): each for each in findings if each.kind == name and each.detected}
    if name == "customWords":
        return [{"match": one.match, **_end(one)} for one in unique.values()]
    return [{"match": one.match, "type": one.type, **_end(one)} for one in unique.values()]


def _entities(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    unique = {(each.type, each.match): each for each in findings if each.kind == name and each.detected}
    entries = [{"match": one.match, "type": one.type, **_end(one)} for one in unique.values()]
    if wanted.full:
        types = {one.type for one in unique.values()}
        entries += [
            {"match": "", "type": item["type"], **_NOTHING}
            for item in wanted.settings.get("piiEntitiesConfig") or ()
            if item["type"] not in types and enabled(item, wanted.source)
        ]
    return entries


def _regexes(name: str, findings: Sequence[Finding], wanted: _Wanted) -> list[dict[str, Any]]:
    unique = {(each.name, each.match): each for each in findings if each.kind == name and each.detected}
    return [{"name": one.name, "match": one.match, **one.detail, **_end(one)} for one in unique.values()]


_MEMBERS: dict[str, dict[str, Callable[[str, Sequence[Finding], _Wanted], list[dict[str, Any]]]]] = {
    "topicPolicy": {"topics": _topics},
    "contentPolicy": {"filters": _filters},
    "wordPolicy": {"customWords": _words, "managedWordLists": _words},
    "sensitiveInformationPolicy": {"piiEntities": _entities, "regexes": _regexes},
    "contextualGroundingPolicy": {"filters": _scores},
}
"""Lists of each policy's member of an assessment, and what writes them."""
_NOTHING = {"action": "NONE", "detected": False}


def _end(finding: Finding) -> dict[str, Any]:
    return {"action": finding.action.value, "detected": finding.detected}


def _weight(finding: Finding) -> tuple[bool, int]:
    return finding.detected, _LEVELS.get(finding.detail.get("confidence", "NONE"), 0)


def _items(settings: Config) -> Iterable[Mapping[str, Any]]:
    for member, items in settings.items():
        if member != "tierConfig" and isinstance(items, list):
            yield from items


def _grounding(settings: Config) -> Iterable[bool]:
    return (item.get("enabled", True) is not False for item in settings.get("filtersConfig") or ())
