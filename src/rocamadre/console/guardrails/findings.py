"""Assessments as lists of findings, and where their matches stand in a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from rocamadre.console.guardrails.draft import POLICIES

MOST_MARKS = 500
"""Places that are marked in a text; it stays readable, and the page quick."""


@dataclass(frozen=True, slots=True)
class Found:
    """One entry of an assessment.

    Attributes:
        policy: Its member, for example `wordPolicy`.
        kind: The list it stands in, for example `customWords`.
        name: A type, or the name of a topic or expression; hostile.
        match: The characters found; hostile, and empty where the whole text is judged.
        action: BLOCKED, ANONYMIZED or NONE.
        detected: Whether it was found; of all that was looked for, a full assessment tells.
        confidence: Of a content filter; empty elsewhere.
        strength: Its setting.
        score: Of grounding and relevance; None elsewhere.
        threshold: Its setting.
    """

    policy: str
    kind: str
    name: str
    match: str
    action: str
    detected: bool
    confidence: str = ""
    strength: str = ""
    score: float | None = None
    threshold: float | None = None


class Place(NamedTuple):
    """Where a match stands: characters, and the number of its finding."""

    start: int
    end: int
    number: int


def read_assessment(assessment: Mapping[str, Any]) -> list[Found]:
    """All entries, those that were found first."""
    found = [
        Found(
            policy,
            kind,
            str(each.get("name") or each.get("type") or ""),
            str(each.get("match", "")),
            str(each.get("action", "NONE")),
            # Without the member, what is told was found.
            each.get("detected", True) is not False,
            confidence=str(each.get("confidence", "")),
            strength=str(each.get("filterStrength", "")),
            score=each.get("score"),
            threshold=each.get("threshold"),
        )
        for policy in POLICIES
        for kind, entries in (assessment.get(policy) or {}).items()
        for each in entries
    ]
    return sorted(found, key=lambda each: not each.detected)


def places(text: str, found: Sequence[Found]) -> list[Place]:
    """Where the matches of findings stand, in order; at most `MOST_MARKS`.

    An assessment tells what matched and not where: every occurrence is meant, but one inside a longer word only where
    there is no other.

    >>> places("art, party", [Found("wordPolicy", "customWords", "", "art", "BLOCKED", True)])
    [Place(start=0, end=3, number=0)]
    """
    wanted: dict[str, int] = {}
    for number, each in enumerate(found):
        if each.detected and each.match:
            wanted.setdefault(each.match, number)
    marked: list[Place] = []
    for match, number in wanted.items():
        spans = list(islice(_occurrences(text, match), MOST_MARKS))
        whole = [span for span in spans if _stands_alone(text, *span)]
        marked += [Place(start, end, number) for start, end in whole or spans]
        if len(marked) > 2 * MOST_MARKS:
            break
    return sorted(marked)[:MOST_MARKS]


def _occurrences(text: str, match: str) -> Any:
    at = text.find(match)
    while at >= 0:
        yield at, at + len(match)
        at = text.find(match, at + len(match))


def _stands_alone(text: str, start: int, end: int) -> bool:
    def joined(left: int) -> bool:
        return 0 <= left and left + 1 < len(text) and text[left].isalnum() and text[left + 1].isalnum()

    return not joined(start - 1) and not joined(end - 1)


class Trace(NamedTuple):
    """What a Converse trace tells of a guardrail.

    Attributes:
        reason: A sentence.
        prompt: Findings in what was asked.
        answer: Findings in what the model said.
        written: What the model said before the guardrail changed it; hostile.
        latencies_ms: Of each examination.
    """

    reason: str
    prompt: list[Found]
    answer: list[Found]
    written: str
    latencies_ms: list[float]

    @property
    def masked(self) -> bool:
        """Whether something was masked."""
        return any(each.detected and each.action == "ANONYMIZED" for each in (*self.prompt, *self.answer))


def read_trace(trace: Mapping[str, Any]) -> Trace:
    """The member `guardrail` of a trace; of a finding that several examinations tell, the first is kept."""
    inputs = list((trace.get("inputAssessment") or {}).values())
    outputs = [each for several in (trace.get("outputAssessments") or {}).values() for each in several]
    latencies = [
        float(each["invocationMetrics"]["guardrailProcessingLatency"])
        for each in (*inputs, *outputs)
        if "guardrailProcessingLatency" in (each.get("invocationMetrics") or {})
    ]
    return Trace(
        str(trace.get("actionReason", "")),
        _merged(inputs),
        _merged(outputs),
        "".join(map(str, trace.get("modelOutput") or ())),
        latencies,
    )


def _merged(assessments: Sequence[Mapping[str, Any]]) -> list[Found]:
    kept: dict[tuple[str, str, str, str], Found] = {}
    for assessment in assessments:
        for each in read_assessment(assessment):
            key = (each.policy, each.kind, each.name, each.match)
            if key not in kept or (each.detected and not kept[key].detected):
                kept[key] = each
    # Of types that were found somewhere, it is not told that they were not found elsewhere.
    seen = {(each.policy, each.kind, each.name) for each in kept.values() if each.detected}
    shown = [each for each in kept.values() if each.detected or (each.policy, each.kind, each.name) not in seen]
    return sorted(shown, key=lambda each: not each.detected)
