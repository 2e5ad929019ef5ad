"""What an attack is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

LANGUAGES = ("en", "es", "pt")
OWASP = {
    "LLM01": "Prompt Injection",
    "LLM02": "Sensitive Information Disclosure",
    "LLM03": "Supply Chain",
    "LLM04": "Data and Model Poisoning",
    "LLM05": "Improper Output Handling",
    "LLM06": "Excessive Agency",
    "LLM07": "System Prompt Leakage",
    "LLM08": "Vector and Embedding Weaknesses",
    "LLM09": "Misinformation",
    "LLM10": "Unbounded Consumption",
}
"""OWASP Top 10 for LLM Applications, edition 2025."""


class Outcome(StrEnum):
    """What came of an attempt. Of harmless requests, `HELD` means answered, `MISSED` that an order was not followed."""

    ESCAPED = "escaped"
    BLOCKED = "blocked"
    REFUSED = "refused"
    HELD = "held"
    MISSED = "missed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Probe:
    """One attack, or one harmless request as a control.

    Attributes:
        id: Family, language and technique: `injection.en.override`.
        family: Name in the registry.
        language: en, es or pt.
        technique: What is tried.
        owasp: Entries of `OWASP` that it belongs to; none for a control.
        system: The system prompt that the model is given.
        messages: As Converse takes them.
        detector: Name in `detectors.DETECTORS`.
        target: What the detector looks for.
        tools: Converse's toolConfig, where the probe needs one.
    """

    id: str
    family: str
    language: str
    technique: str
    owasp: tuple[str, ...]
    system: str
    messages: Sequence[Mapping[str, Any]]
    detector: str
    target: str
    tools: Mapping[str, Any] | None = None

    @property
    def harmless(self) -> bool:
        """Whether it is no attack, but a request that should be answered."""
        return not self.owasp

    @property
    def attack(self) -> str:
        """What the last user turn says, for people and for telling an echo from an answer."""
        return "\n".join(_said(block) for block in self.messages[-1]["content"])


def _said(block: Mapping[str, Any]) -> str:
    if "text" in block:
        return str(block["text"])
    if "document" in block:
        return block["document"]["source"]["bytes"].decode()  # type: ignore[no-any-return]
    if "toolResult" in block:
        return "\n".join(str(part.get("text", "")) for part in block["toolResult"]["content"])
    return ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service answered.

    Attributes:
        text: The answer's text.
        stop_reason: As Converse spells it.
        tools: Names of the tools that the model wants called.
    """

    text: str
    stop_reason: str = "end_turn"
    tools: tuple[str, ...] = ()


class Unanswered(Exception):
    """The service answered a request with an error; the message is its own."""


Ask = Callable[[Probe, bool], Reply]
"""Sends a probe, with the guardrail or without; raises `Unanswered`."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One probe, tried once.

    Attributes:
        probe: Its id.
        condition: `plain` or `guarded`.
        outcome: A value of `Outcome`.
        evidence: What decided it, in words.
        answer: The model's text, cut to `KEPT` characters.
        stop_reason: As Converse spells it.
        seconds: From the request to the answer.
    """

    probe: str
    condition: str
    outcome: Outcome
    evidence: str = ""
    answer: str = ""
    stop_reason: str = ""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


KEPT = 2000
"""Characters of an answer that are kept."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a run.

    Attributes:
        target: The model's id.
        guardrail: ID or ID:VERSION; "" for none.
        families: Names; empty for all.
        languages: Of `LANGUAGES`.
        limit: Most probes of a family; None for all.
        seed: Draws the words that the detectors look for.
        max_tokens: Of an answer.
        system: A system prompt of the caller's own for the family `leakage`; "" for the built-in one.
    """

    target: str
    guardrail: str = ""
    families: tuple[str, ...] = ()
    languages: tuple[str, ...] = LANGUAGES
    limit: int | None = None
    seed: int = 0
    max_tokens: int = 160
    system: str = field(default="", repr=False)

    @property
    def conditions(self) -> tuple[str, ...]:
        """Which there are."""
        return ("plain", "guarded") if self.guardrail else ("plain",)
