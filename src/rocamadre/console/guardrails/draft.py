"""A guardrail that somebody edits: what GetGuardrail tells of it, and what CreateGuardrail and UpdateGuardrail take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

SIDES = ("input", "output")
STRENGTHS = ("NONE", "LOW", "MEDIUM", "HIGH")
FILTERS = ("HATE", "INSULTS", "SEXUAL", "VIOLENCE", "MISCONDUCT", "PROMPT_ATTACK")
GROUNDING = ("GROUNDING", "RELEVANCE")
PROMPTS_ONLY = "PROMPT_ATTACK"
OFF = "OFF"
"""The choice for a side on which nothing is looked for."""
BLOCK, MASK, REPORT = "BLOCK", "ANONYMIZE", "NONE"
MOST_THRESHOLD = 0.99
MOST_WORD_CHARACTERS = 200_000
"""A longer list is changed by a program: browsers send no more of a field."""

PII = {
    "person": (
        "NAME", "AGE", "ADDRESS", "EMAIL", "PHONE", "USERNAME", "DRIVER_ID", "LICENSE_PLATE",
        "VEHICLE_IDENTIFICATION_NUMBER",
    ),
    "secrets": ("PASSWORD", "PIN", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"),
    "network": ("IP_ADDRESS", "MAC_ADDRESS", "URL"),
    "money": (
        "CREDIT_DEBIT_CARD_NUMBER", "CREDIT_DEBIT_CARD_CVV", "CREDIT_DEBIT_CARD_EXPIRY",
        "INTERNATIONAL_BANK_ACCOUNT_NUMBER", "SWIFT_CODE", "US_BANK_ACCOUNT_NUMBER", "US_BANK_ROUTING_NUMBER",
    ),
    "states": (
        "US_SOCIAL_SECURITY_NUMBER", "US_INDIVIDUAL_TAX_IDENTIFICATION_NUMBER", "US_PASSPORT_NUMBER",
        "CA_HEALTH_NUMBER", "CA_SOCIAL_INSURANCE_NUMBER", "UK_NATIONAL_HEALTH_SERVICE_NUMBER",
        "UK_NATIONAL_INSURANCE_NUMBER", "UK_UNIQUE_TAXPAYER_REFERENCE_NUMBER",
    ),
}  # fmt: skip
"""Types of personal data by the group that a person looks for them in."""

_SHOWN = {
    "contentPolicy": {"filters": "filtersConfig"},
    "topicPolicy": {"topics": "topicsConfig"},
    "wordPolicy": {"words": "wordsConfig", "managedWordLists": "managedWordListsConfig"},
    "sensitiveInformationPolicy": {"piiEntities": "piiEntitiesConfig", "regexes": "regexesConfig"},
    "contextualGroundingPolicy": {"filters": "filtersConfig"},
}
POLICIES = tuple(_SHOWN)
"""Members of GetGuardrail and of an assessment, in the order in which pages show them."""


@dataclass(slots=True, eq=False)
class Draft:
    """A guardrail in the middle of being changed. Entries are those of the API, with defaults written out or not.

    Attributes:
        filters: By type; those without an entry look for nothing.
        words: In the order in which they are kept.
        profanity: The entry of the managed list; None without it.
        grounding: By type.
        tiers: `tierConfig` by policy, kept as it was.
        kept: Other members that are sent back as they came.
    """

    name: str = ""
    description: str = ""
    blocked_input: str = ""
    blocked_output: str = ""
    filters: dict[str, Json] = field(default_factory=dict)
    topics: list[Json] = field(default_factory=list)
    words: list[Json] = field(default_factory=list)
    profanity: Json | None = None
    pii: list[Json] = field(default_factory=list)
    regexes: list[Json] = field(default_factory=list)
    grounding: dict[str, Json] = field(default_factory=dict)
    tiers: Json = field(default_factory=dict)
    kept: Json = field(default_factory=dict)

    def members(self) -> Json:
        """Members of CreateGuardrail, which UpdateGuardrail takes too; what goes without saying is left out."""
        found: Json = {"name": self.name}
        if self.description:
            found["description"] = self.description
        policies: dict[str, dict[str, list[Json]]] = {
            "contentPolicy": {"filtersConfig": [_filter(each) for each in self.filters.values() if _looks(each)]},
            "topicPolicy": {"topicsConfig": [_topic(each) for each in self.topics]},
            "wordPolicy": {
                "wordsConfig": [_plain(each, "text") for each in self.words],
                "managedWordListsConfig": [_plain(self.profanity, "type")] if self.profanity else [],
            },
            "sensitiveInformationPolicy": {
                "piiEntitiesConfig": [_masked(each, "type") for each in self.pii],
                "regexesConfig": [_masked(each, "name", "description", "pattern") for each in self.regexes],
            },
            "contextualGroundingPolicy": {"filtersConfig": [_threshold(each) for each in self.grounding.values()]},
        }
        for policy, lists in policies.items():
            filled = {name: entries for name, entries in lists.items() if entries}
            if filled:
                tier = {"tierConfig": self.tiers[policy]} if policy in self.tiers else {}
                found[f"{policy}Config"] = {**filled, **tier}
        messages = {"blockedInputMessaging": self.blocked_input, "blockedOutputsMessaging": self.blocked_output}
        return {**found, **messages, **self.kept}

    @property
    def missing(self) -> list[str]:
        """What must be filled in before anything is sent: name, messages, topics, regexes, policies."""
        found = [] if self.name else ["name"]
        if not (self.blocked_input and self.blocked_output):
            found.append("messages")
        if any(not (each["name"].strip() and each["definition"].strip()) for each in self.topics):
            found.append("topics")
        if any(not (each["name"].strip() and each["pattern"]) for each in self.regexes):
            found.append("regexes")
        if not any(name.endswith("PolicyConfig") for name in self.members()):
            found.append("policies")
        return found

    def set_words(self, written: str) -> None:
        """Take a list of one word or phrase a line; those that stay keep what is done about them."""
        known = {each["text"]: each for each in self.words}
        choices = {side: self.words_choice(side) or BLOCK for side in SIDES}
        words = []
        for text in dict.fromkeys(line.strip() for line in written.splitlines()):
            if text:
                entry = known.get(text, {"text": text})
                if text not in known:
                    for side, choice in choices.items():
                        choose(entry, side, choice)
                words.append(entry)
        self.words = words

    def words_choice(self, side: str) -> str:
        """What is done about words on a side; empty where it differs from word to word."""
        choices = {chosen(each, side) for each in self.words}
        return next(iter(choices)) if len(choices) == 1 else "" if choices else BLOCK


def chosen(entry: Mapping[str, Any], side: str) -> str:
    """What an entry does on a side: BLOCK, ANONYMIZE, NONE (told only) or OFF.

    >>> chosen({"type": "EMAIL", "action": "ANONYMIZE", "outputEnabled": False}, "input")
    'ANONYMIZE'
    """
    if entry.get(f"{side}Enabled", True) is False:
        return OFF
    return str(entry.get(f"{side}Action") or entry.get("action") or BLOCK)


def choose(entry: Json, side: str, choice: str) -> None:
    """Set what an entry does on a side."""
    entry[f"{side}Enabled"] = choice != OFF
    if choice != OFF:
        entry[f"{side}Action"] = choice


def read_guardrail(told: Mapping[str, Any]) -> Draft:
    """The draft that GetGuardrail's answer describes."""
    lists: dict[str, list[Json]] = {}
    tiers: Json = {}
    for policy, members in _SHOWN.items():
        settings = told.get(policy) or {}
        for shown, given in members.items():
            lists[f"{policy}.{given}"] = [dict(each) for each in settings.get(shown) or ()]
        if settings.get("tier", {}).get("tierName", "CLASSIC") != "CLASSIC":
            tiers[policy] = settings["tier"]
    kept: Json = {}
    if told.get("kmsKeyArn"):
        kept["kmsKeyId"] = told["kmsKeyArn"]
    if profile := (told.get("crossRegionDetails") or {}).get("guardrailProfileArn"):
        kept["crossRegionConfig"] = {"guardrailProfileIdentifier": profile}
    return Draft(
        name=told.get("name", ""),
        description=told.get("description", ""),
        blocked_input=told.get("blockedInputMessaging", ""),
        blocked_output=told.get("blockedOutputsMessaging", ""),
        filters={each["type"]: each for each in lists["contentPolicy.filtersConfig"]},
        topics=lists["topicPolicy.topicsConfig"],
        words=lists["wordPolicy.wordsConfig"],
        profanity=next(iter(lists["wordPolicy.managedWordListsConfig"]), None),
        pii=lists["sensitiveInformationPolicy.piiEntitiesConfig"],
        regexes=lists["sensitiveInformationPolicy.regexesConfig"],
        grounding={each["type"]: each for each in lists["contextualGroundingPolicy.filtersConfig"]},
        tiers=tiers,
        kept=kept,
    )


def sensible(blocked_input: str, blocked_output: str) -> Draft:
    """A starting point for most: harm and attacks blocked, secrets blocked, personal data masked, answers grounded."""
    kinds: dict[str, tuple[str, ...]] = {
        BLOCK: ("PASSWORD", "AWS_ACCESS_KEY", "AWS_SECRET_KEY"),
        MASK: ("EMAIL", "PHONE", "CREDIT_DEBIT_CARD_NUMBER", "INTERNATIONAL_BANK_ACCOUNT_NUMBER"),
    }
    return Draft(
        blocked_input=blocked_input,
        blocked_output=blocked_output,
        filters={kind: new_filter(kind, "MEDIUM") for kind in FILTERS},
        profanity={"type": "PROFANITY"},
        pii=[{"type": kind, "action": action} for action, types in kinds.items() for kind in types],
        grounding={kind: {"type": kind, "threshold": 0.7} for kind in GROUNDING},
    )


def new_filter(kind: str, strength: str) -> Json:
    """An entry for a content filter; attacks are looked for in prompts only."""
    return {
        "type": kind,
        "inputStrength": strength,
        "outputStrength": "NONE" if kind == PROMPTS_ONLY else strength,
    }


def used(told: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Policies of GetGuardrail's answer that have entries, with how many."""
    counted = []
    for policy, members in _SHOWN.items():
        count = sum(len((told.get(policy) or {}).get(name) or ()) for name in members)
        if count:
            counted.append((policy, count))
    return counted


def _looks(entry: Mapping[str, Any]) -> bool:
    return any(strength(entry, side) != "NONE" for side in SIDES)


def strength(entry: Mapping[str, Any], side: str) -> str:
    """How strong a content filter is on a side; NONE where it is switched off."""
    return "NONE" if entry.get(f"{side}Enabled", True) is False else str(entry.get(f"{side}Strength", "NONE"))


def _filter(entry: Mapping[str, Any]) -> Json:
    found: Json = {"type": entry["type"], **{f"{side}Strength": strength(entry, side) for side in SIDES}}
    for side in SIDES:
        if entry.get(f"{side}Modalities", ["TEXT"]) != ["TEXT"]:
            found[f"{side}Modalities"] = entry[f"{side}Modalities"]
        if entry.get(f"{side}Action") == REPORT:
            found[f"{side}Action"] = REPORT
    return found


def _topic(entry: Mapping[str, Any]) -> Json:
    found: Json = {"name": entry["name"].strip(), "definition": entry["definition"].strip()}
    if entry.get("examples"):
        found["examples"] = list(entry["examples"])
    return {**found, "type": "DENY", **_sides(entry, BLOCK)}


def _plain(entry: Mapping[str, Any], name: str) -> Json:
    return {name: entry[name], **_sides(entry, BLOCK)}


def _masked(entry: Mapping[str, Any], *names: str) -> Json:
    choices = [chosen(entry, side) for side in SIDES]
    # What is done with answers is told as the general action, where answers are looked at.
    action = next((each for each in reversed(choices) if each != OFF), entry["action"])
    return {**{name: entry[name] for name in names if entry.get(name)}, "action": action, **_sides(entry, action)}


def _sides(entry: Mapping[str, Any], usual: str) -> Json:
    found: Json = {}
    for side in SIDES:
        choice = chosen(entry, side)
        if choice == OFF:
            found[f"{side}Enabled"] = False
        elif choice != usual:
            found[f"{side}Action"] = choice
    return found


def _threshold(entry: Mapping[str, Any]) -> Json:
    found: Json = {"type": entry["type"], "threshold": entry["threshold"]}
    if entry.get("action", BLOCK) != BLOCK:
        found["action"] = entry["action"]
    if entry.get("enabled", True) is False:
        found["enabled"] = False
    return found


def lines(entries: Sequence[Mapping[str, Any]]) -> str:
    """Words, one a line."""
    return "\n".join(each["text"] for each in entries)
