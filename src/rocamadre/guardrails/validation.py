"""What a guardrail's settings must be, beyond what the shapes of the API say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.guardrails.policies.registry import CONFIGS

MOST_THRESHOLD = 0.99

_LISTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "topicPolicyConfig": (("topicsConfig", "name"),),
    "contentPolicyConfig": (("filtersConfig", "type"),),
    "wordPolicyConfig": (("wordsConfig", "text"), ("managedWordListsConfig", "type")),
    "sensitiveInformationPolicyConfig": (("piiEntitiesConfig", "type"), ("regexesConfig", "name")),
    "contextualGroundingPolicyConfig": (("filtersConfig", "type"),),
}
"""Lists of each policy, and the member by which an item of them is told."""


def check_policies(request: Mapping[str, Any]) -> dict[str, Any]:
    """The policies of a request, in their wire form.

    Raises:
        InvalidRequest: none, an empty or repeated one, or a value out of its range.
        NotBuilt: automated reasoning or images, which are not checked here.
    """
    if request.get("automatedReasoningPolicyConfig"):
        raise NotBuilt(
            "automatedReasoningPolicyConfig: automated reasoning policies do not exist here; leave the member out, and "
            "check answers against their sources with contextualGroundingPolicyConfig"
        )
    policies = {name: request[name] for name in CONFIGS.values() if request.get(name)}
    if not policies:
        raise InvalidRequest(f"a guardrail needs at least one policy; give one of {', '.join(CONFIGS.values())}")
    for name, settings in policies.items():
        _check_lists(name, settings)
    _check_filters(policies.get("contentPolicyConfig", {}).get("filtersConfig", ()))
    _check_thresholds(policies.get("contextualGroundingPolicyConfig", {}).get("filtersConfig", ()))
    _check_tiers(policies, request.get("crossRegionConfig"))
    return policies


def _check_lists(policy: str, settings: Mapping[str, Any]) -> None:
    lists = _LISTS[policy]
    if not any(settings.get(member) for member, _ in lists):
        raise InvalidRequest(f"{policy} is empty; give {' or '.join(member for member, _ in lists)}, or leave it out")
    for member, key in lists:
        repeated = _repeated(item[key] for item in settings.get(member) or ())
        if repeated is not None:
            raise InvalidRequest(f"{policy}.{member} has two entries whose {key} is {repeated!r}; one is allowed")


def _repeated(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _check_filters(filters: Sequence[Mapping[str, Any]]) -> None:
    for each in filters:
        for member in ("inputModalities", "outputModalities"):
            if "IMAGE" in each.get(member, ()):
                raise NotBuilt(
                    f"{member} of {each['type']} names IMAGE; images are not examined here, so that a guardrail that "
                    "says so would promise too much. Give TEXT alone"
                )
        if each["type"] == "PROMPT_ATTACK" and each["outputStrength"] != "NONE":
            raise InvalidRequest(
                f"outputStrength of PROMPT_ATTACK is {each['outputStrength']}; it must be NONE, since only prompts "
                "are judged by it"
            )


def _check_thresholds(filters: Sequence[Mapping[str, Any]]) -> None:
    for each in filters:
        if not 0 <= each["threshold"] <= MOST_THRESHOLD:
            raise InvalidRequest(
                f"threshold of {each['type']} is {each['threshold']:g}; allowed are values from 0 to {MOST_THRESHOLD}"
            )


def _check_tiers(policies: Mapping[str, Any], cross_region: Any) -> None:
    for name, settings in policies.items():
        tier = (settings.get("tierConfig") or {}).get("tierName", "CLASSIC")
        if tier == "STANDARD" and not cross_region:
            raise InvalidRequest(
                f"{name} asks for the tier STANDARD, which goes with crossRegionConfig; give one, such as "
                '{"guardrailProfileIdentifier": "us.guardrail.v1:0"}, or the tier CLASSIC. Either way every check '
                "runs on this machine"
            )
