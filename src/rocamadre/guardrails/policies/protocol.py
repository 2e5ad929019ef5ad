"""What a policy is: settings become a checker once, and the checker finds things in texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from rocamadre.guardrails.text import Text


class Source(StrEnum):
    """Whose text it is: what a user sends, or what a model answers."""

    INPUT = "INPUT"
    OUTPUT = "OUTPUT"


class Action(StrEnum):
    """What is done about a finding."""

    BLOCK = "BLOCKED"
    ANONYMIZE = "ANONYMIZED"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a policy looked for and judged.

    Attributes:
        kind: The list of the assessment that takes it: filters, topics, customWords, managedWordLists, piiEntities, …
        type: HATE, DENY, PROFANITY, EMAIL, GROUNDING …; "" where the assessment has none.
        name: Name of a topic or a regular expression; "" otherwise.
        start: First character in the caller's text; with `end` equal where the finding is about the whole text.
        end: The character after the last.
        match: The caller's characters there.
        action: What is to be done.
        detected: Whether it counts as found: a score may be reported without it.
        detail: Further members of the assessment's entry: confidence, filterStrength, threshold, score, regex.
        placeholder: What stands there after masking, such as {EMAIL}.
    """

    kind: str
    type: str
    action: Action
    detected: bool = True
    name: str = ""
    start: int = 0
    end: int = 0
    match: str = ""
    placeholder: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else a checker may need.

    Attributes:
        grounding: Texts given as grounding source.
        queries: Texts given as query.
    """

    grounding: Sequence[str] = ()
    queries: Sequence[str] = ()


class Checker(Protocol):
    """A policy with the settings of one version of a guardrail; made once and used by many threads."""

    @property
    def longest_match(self) -> int | None:
        """Characters that a finding spans at most, so that a stream knows how much to hold back; None: whole texts."""

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """What is found in a text, in order of place. Time is linear in the text, or limited."""


class Policy(Protocol):
    """One file of this folder.

    Attributes:
        name: Its member of an assessment and of units of usage: contentPolicy, topicPolicy, wordPolicy, ….
        config: Its member of CreateGuardrail: contentPolicyConfig ….
    """

    name: str
    config: str

    def checker(self, config: Mapping[str, Any], tier: str) -> Checker:
        """The checker for settings in their wire form.

        Raises:
            InvalidRequest: With what is wrong in the settings, and what is allowed.
        """
