"""An answer examined while it is written: sent on as far as nothing can change any more, masked or stopped."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rocamadre.guardrails.assessment import assess, usage
from rocamadre.guardrails.engine import Guardrail, masked_text
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.text import Embed, Text

STEP = 80
"""Characters that come between two examinations of policies that look for words and patterns."""

WHOLE_STEP = 240
"""The same where a policy judges what a text is about, which takes longer and needs more to go by."""

CONTEXT = 800
"""Characters before the new ones that such a policy reads with them."""

UNBOUNDED = 1000
"""Characters held back for an expression that has no longest match; what is longer may be sent in part."""

_EXACT = frozenset({"wordPolicy", "sensitiveInformationPolicy"})
"""Policies whose findings have a place, so that text is held back until they are whole."""

_GROUNDING = "contextualGroundingPolicy"


@dataclass(frozen=True, slots=True)
class Examined:
    """What one guardrail came to over a whole answer.

    Attributes:
        guardrail: Which.
        intervened: Whether something was blocked or masked.
        assessment: In the API's shape.
        full_assessment: The same, with what was looked for and not found.
        reason: A sentence: blocked, masked, or no action.
    """

    guardrail: Guardrail
    intervened: bool
    assessment: dict[str, Any]
    full_assessment: dict[str, Any]
    reason: str


@dataclass(slots=True)
class _Watched:
    """One guardrail, and what it has found so far."""

    guardrail: Guardrail
    origin: tuple[str, ...]
    parts: list[Any]
    found: dict[str, list[Finding]] = field(default_factory=dict)
    blocked: bool = False
    masked: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """A finding with a place in the window, and whose it is."""

    watched: _Watched
    policy: str
    finding: Finding


class Watch:
    """Examines one answer with some guardrails. `add` as text comes; `look` when `due`, and at the end of each text.

    Text is sent on up to the place before which no finding can begin, grow or go away: as many characters before the
    newest as the longest match of any policy spans, or fewer where a policy knows better (`unsettled`). Each
    examination reads those and some before them, so that its cost does not grow with the answer. Where a grounding
    source and a query are at hand and a guardrail checks grounding, nothing is sent before the end: a part of an answer
    is neither grounded nor relevant.

    `add` may be called while `look` runs in a thread; no two looks at a time.

    Attributes:
        blocked: The guardrail that blocked the answer; nothing more is to be sent of it then.
        masked: Whether something was masked.
        characters: Of the answer so far.
    """

    def __init__(
        self,
        guardrails: Iterable[tuple[Guardrail, Sequence[str]]],
        *,
        around: Surroundings | None = None,
        embed: Embed | None = None,
        hold_all: bool = False,
        masks: bool = True,
    ) -> None:
        """Prepare.

        Args:
            guardrails: Each with its origins: REQUEST, ACCOUNT_ENFORCED.
            around: What the answer is to be grounded in, and the questions.
            embed: Embedder of the platform.
            hold_all: Send nothing before the end.
            masks: Whether text is held back and masked; else it is only judged, and what is to be masked is told of
                with the action NONE.
        """
        self._around = around or Surroundings()
        self._embed = embed
        self._masks = masks
        grounded = bool(self._around.grounding and self._around.queries)
        self._watched = [
            _Watched(
                guardrail,
                tuple(origin),
                [part for part in guardrail.parts if guardrail.has_work(part, Source.OUTPUT, grounded=grounded)],
            )
            for guardrail, origin in guardrails
        ]
        parts = [part for each in self._watched for part in each.parts]
        self._parts = parts
        self._hold: float = max((_hold(part, "") for part in parts), default=0)
        whole = any(part.policy not in _EXACT for part in parts)
        longest = max((part.checker.longest_match or 0 for part in parts), default=0)
        self._context: float = max(CONTEXT if whole else 0, self._hold, longest)
        if any(part.policy == _GROUNDING for part in parts):
            self._context = math.inf
            hold_all = hold_all or masks
        if hold_all:
            self._hold = math.inf
        self._step = WHOLE_STEP if whole else STEP
        self._incoming: deque[str] = deque()
        self._window = ""
        self._start = 0  # Place of the window in its text.
        self._sent = 0
        self._seen = 0
        self._arrived = 0
        self._before = 0  # Characters of the texts that ended.
        self._seconds = 0.0
        self.blocked: Guardrail | None = None
        self.masked = False

    @property
    def characters(self) -> int:
        """Of the answer so far."""
        return self._before + self._arrived

    @property
    def pending(self) -> bool:
        """Whether a text has begun and not ended."""
        return self._arrived > 0

    @property
    def due(self) -> bool:
        """Whether enough has come for a look to be worth its while."""
        # Steps grow with what is read again and again, so that text held back for long does not cost its square.
        if self._arrived - self._seen < max(self._step, (self._seen - self._start) // 4):
            return False
        return not self._masks or self._arrived - self._sent >= self._hold + self._step

    def add(self, text: str) -> None:
        """What the model wrote next."""
        self._incoming.append(text)
        self._arrived += len(text)

    def look(self, *, final: bool = False) -> str:
        """Examine what has come. This takes a processor's time; call it in a thread.

        Args:
            final: This text has ended; what is added later is another.

        Returns:
            What may be sent now, masked; empty once the answer is blocked.
        """
        began = time.perf_counter()
        try:
            return self._look(final=final) if self.blocked is None else ""
        finally:
            self._seconds += time.perf_counter() - began

    def results(self) -> list[Examined]:
        """What each guardrail came to; after the last look."""
        latency = round(self._seconds * 1000)
        return [self._result(each, latency) for each in self._watched]

    def _look(self, *, final: bool) -> str:
        while self._incoming:
            self._window += self._incoming.popleft()
        end = self._start + len(self._window)
        self._seen = end
        places = self._findings(final=final)
        safe = end if final else max(self._sent, _before_all(places, end - self._held(end), self._start))
        self._settle(places, safe)
        if self.blocked is not None:
            return ""
        text = self._window[self._sent - self._start : safe - self._start]
        if self._masks:
            text = self._masked(text, places, safe)
        self._sent = safe
        if final:
            self._end_text(end)
        else:
            self._forget()
        return text

    def _held(self, end: int) -> int:
        """Characters before a place that nothing is certain about yet."""
        if math.isinf(self._hold):
            return end
        return min(end, max((_hold(part, self._window) for part in self._parts), default=0))

    def _findings(self, *, final: bool) -> list[_Place]:
        """What there is in the window. Judgements of all of it are kept, and may block, at once."""
        text = Text(self._window, embed=self._embed)
        places: list[_Place] = []
        if not self._window:
            return places
        for watched in self._watched:
            for part in watched.parts:
                if part.policy == _GROUNDING and not (final and self._start == 0):
                    continue
                for finding in part.checker.check(text, Source.OUTPUT, self._around):
                    if finding.end > finding.start:
                        places.append(_Place(watched, part.policy, finding))
                    else:
                        self._keep(watched, part.policy, finding)
        return places

    def _settle(self, places: Sequence[_Place], safe: int) -> None:
        """Keep findings that are certain now, and were not before."""
        for each in places:
            if self._sent < each.finding.end + self._start <= safe:
                self._keep(each.watched, each.policy, each.finding)

    def _keep(self, watched: _Watched, policy: str, finding: Finding) -> None:
        if finding.action is Action.ANONYMIZE and not self._masks:
            finding = replace(finding, action=Action.NONE)
        watched.found.setdefault(policy, []).append(finding)
        if finding.action is Action.BLOCK and finding.detected:
            watched.blocked = True
            self.blocked = self.blocked or watched.guardrail
        elif finding.action is Action.ANONYMIZE and finding.end > finding.start:
            watched.masked = self.masked = True

    def _masked(self, text: str, places: Sequence[_Place], safe: int) -> str:
        """What is sent, its findings replaced; one that began in what is sent already is cut at that place."""
        moved = self._sent - self._start
        return masked_text(
            text,
            [
                replace(each.finding, start=max(0, each.finding.start - moved), end=each.finding.end - moved)
                for each in places
                if each.finding.end > moved and each.finding.end + self._start <= safe
            ],
        )

    def _forget(self) -> None:
        """Drop what no examination needs any more, up to the beginning of a word."""
        spare = self._sent - self._start - self._context
        if spare <= 0:
            return
        drop = int(spare)
        while drop and not self._window[drop - 1].isspace():
            drop -= 1
        if not drop and spare > self._context:
            drop = int(spare)  # One endless word.
        self._window = self._window[drop:]
        self._start += drop

    def _end_text(self, end: int) -> None:
        self._before += end
        self._arrived -= end
        self._window, self._start, self._sent, self._seen = "", 0, 0, 0

    def _result(self, each: _Watched, latency: int) -> Examined:
        version = each.guardrail.version
        grounded = bool(self._around.grounding and self._around.queries)
        context = sum(map(len, (*self._around.grounding, *self._around.queries))) if grounded else 0
        guarded = self.characters
        units = usage(version.policies, Source.OUTPUT, guarded=guarded, context=context)
        coverage = {"textCharacters": {"guarded": guarded, "total": guarded}}
        ending = each.guardrail.ending(units, coverage, latency, each.origin)
        assessments = [
            assess(each.found, version.policies, Source.OUTPUT, full=full) | ending for full in (False, True)
        ]
        reason = "Guardrail blocked." if each.blocked else "Guardrail masked." if each.masked else "No action."
        return Examined(each.guardrail, each.blocked or each.masked, assessments[0], assessments[1], reason)


def _hold(part: Any, text: str) -> int:
    """Characters at the end of a text to hold back for a policy."""
    longest: int | None = part.checker.longest_match
    if longest is None:
        return UNBOUNDED if part.policy in _EXACT else 0
    unsettled = getattr(part.checker, "unsettled", None)
    return longest if unsettled is None else min(longest, unsettled(text))


def _before_all(places: Sequence[_Place], safe: int, window: int) -> int:
    """The last place, not after `safe`, that is within no finding."""
    for each in sorted(places, key=lambda one: -one.finding.end):
        if each.finding.start + window < safe < each.finding.end + window:
            safe = each.finding.start + window
    return safe
