"""One version of a guardrail at work: texts in, what is to be done with them out."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.assessment import active, assess, usage
from rocamadre.guardrails.policies.protocol import Action, Checker, Finding, Source, Surroundings
from rocamadre.guardrails.policies.registry import CONFIGS, POLICIES
from rocamadre.guardrails.tables import find_digest, find_version
from rocamadre.guardrails.text import Embed, Text
from rocamadre.guardrails.types import Version

MOST_CHARACTERS = 10_000_000
"""In one examination: its time grows with the text, and somebody waits for it."""

_MOST_COMPILED = 64
_GROUNDING = "grounding_source"
_QUERY = "query"
_GUARDED = "guard_content"


@dataclass(frozen=True, slots=True)
class Content:
    """One piece of what is examined.

    Attributes:
        text: As the caller wrote it.
        qualifiers: Of grounding_source, query and guard_content. What is only a source or a query is not examined
            itself; without any, a piece is examined.
    """

    text: str
    qualifiers: frozenset[str] = frozenset()

    @property
    def guarded(self) -> bool:
        """Whether the piece itself is examined."""
        return not self.qualifiers or _GUARDED in self.qualifiers


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an examination came to.

    Attributes:
        intervened: Whether something is blocked or masked.
        blocked: Whether all is to be replaced by the blocked message.
        outputs: The blocked message alone, or each piece with its masks and all else byte for byte; empty if nothing
            is to be done.
        findings: For each piece.
        assessment: In the API's shape, with metrics and the guardrail's details.
        full_assessment: The same, with what was looked for and not found.
        usage: Units by policy.
        coverage: Characters examined, and in all.
        reason: A sentence: blocked, masked, or no action.
    """

    intervened: bool
    blocked: bool
    outputs: list[str]
    findings: list[list[Finding]]
    assessment: dict[str, Any]
    full_assessment: dict[str, Any]
    usage: dict[str, int]
    coverage: dict[str, Any]
    reason: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A policy at work.

    Attributes:
        policy: Its member of an assessment.
        checker: With the guardrail's settings.
    """

    policy: str
    checker: Checker


@dataclass(frozen=True, slots=True)
class Guardrail:
    """One version, compiled: immutable, and used by many threads at once."""

    version: Version
    parts: tuple[_Part, ...] = field(repr=False)

    @property
    def blocked_input(self) -> str:
        """What is answered in place of a prompt that is refused."""
        return self.version.blocked_input

    @property
    def blocked_output(self) -> str:
        """What is answered in place of an answer that is refused."""
        return self.version.blocked_output

    @property
    def longest_match(self) -> int | None:
        """Characters that a finding spans at most; None if a policy needs whole texts."""
        longest = 0
        for part in self.parts:
            spans = part.checker.longest_match
            if spans is None:
                return None
            longest = max(longest, spans)
        return longest

    def examine(
        self,
        contents: Sequence[Content],
        source: Source,
        *,
        around: Surroundings | None = None,
        embed: Embed | None = None,
        origin: Sequence[str] = ("REQUEST",),
        total_characters: int | None = None,
    ) -> Outcome:
        """Look through texts with every policy. This takes a processor's time: long texts belong in a thread.

        Args:
            contents: Pieces; those with the qualifiers grounding_source and query are surroundings of the others.
            source: Whether a user or a model wrote them.
            around: Grounding sources and queries from elsewhere, beside those among `contents`.
            embed: Embedder of the platform, where there is one.
            origin: Why this guardrail is applied: REQUEST, ACCOUNT_ENFORCED.
            total_characters: Of all that the request holds, if `contents` are not all of it.

        Raises:
            InvalidRequest: more than `MOST_CHARACTERS`.
        """
        characters = sum(len(content.text) for content in contents)
        if characters > MOST_CHARACTERS:
            raise InvalidRequest(
                f"{characters:,} characters were given to the guardrail; {MOST_CHARACTERS:,} are allowed at once. Send "
                "them in parts"
            )
        started = time.perf_counter()
        around = _surroundings(contents, around)
        grounded = bool(around.grounding and around.queries)
        parts = [part for part in self.parts if self.has_work(part, source, grounded=grounded)]
        findings: list[list[Finding]] = []
        by_policy: dict[str, list[Finding]] = {}
        for content in contents:
            found: list[Finding] = []
            if content.guarded and content.text:
                text = Text(content.text, embed=embed)
                for part in parts:
                    one = part.checker.check(text, source, around)
                    by_policy.setdefault(part.policy, []).extend(one)
                    found += one
            findings.append(found)
        blocked, masked = _verdict(findings)
        outputs: list[str] = []
        if blocked:
            outputs = [self.blocked_input if source is Source.INPUT else self.blocked_output]
        elif masked:
            outputs = [masked_text(content.text, found) for content, found in zip(contents, findings, strict=True)]
        units, coverage = self._counts(contents, source, around, total_characters)
        config = self.version.policies
        assessments = [assess(by_policy, config, source, full=full) for full in (False, True)]
        latency = round((time.perf_counter() - started) * 1000)
        ending = self.ending(units, coverage, latency, origin)
        return Outcome(
            intervened=blocked or masked,
            blocked=blocked,
            outputs=outputs,
            findings=findings,
            assessment=assessments[0] | ending,
            full_assessment=assessments[1] | ending,
            usage=units,
            coverage=coverage,
            reason="Guardrail blocked." if blocked else "Guardrail masked." if masked else "No action.",
        )

    def has_work(self, part: _Part, source: Source, *, grounded: bool) -> bool:
        """Whether a policy has anything to look for in texts of a source."""
        if part.policy not in CONFIGS:
            return True
        return active(self.version.policies, part.policy, source, grounded=grounded)

    def _counts(
        self, contents: Sequence[Content], source: Source, around: Surroundings, total: int | None
    ) -> tuple[dict[str, int], dict[str, Any]]:
        guarded = sum(len(content.text) for content in contents if content.guarded)
        context = 0
        if around.grounding and around.queries:
            context = sum(map(len, around.grounding)) + sum(map(len, around.queries))
        if total is None:
            total = sum(len(content.text) for content in contents)
        units = usage(self.version.policies, source, guarded=guarded, context=context)
        return units, {"textCharacters": {"guarded": guarded, "total": total}}

    def ending(
        self, units: Mapping[str, int], coverage: Mapping[str, Any], latency: int, origin: Sequence[str]
    ) -> dict[str, Any]:
        """How every assessment ends: what was counted, and which guardrail it was."""
        return {
            "invocationMetrics": {
                "guardrailProcessingLatency": latency,
                "usage": dict(units),
                "guardrailCoverage": dict(coverage),
            },
            "appliedGuardrailDetails": {
                "guardrailId": self.version.id,
                "guardrailVersion": self.version.version,
                "guardrailArn": self.version.arn,
                "guardrailOrigin": list(origin),
                "guardrailOwnership": "SELF",
            },
        }


def compile_guardrail(version: Version) -> Guardrail:
    """A version ready for work.

    Raises:
        InvalidRequest: A policy does not take its settings.
    """
    return Guardrail(version, tuple(_parts(version.policies)))


async def open_guardrail(ctx: Context, identifier: str, version: str) -> Guardrail:
    """A guardrail of the caller's, compiled; versions in use stay so.

    Args:
        ctx: Who asks.
        identifier: Id or ARN.
        version: DRAFT or a number.

    Raises:
        NotFound: no guardrail or no version of it in this account and region.
    """
    return await asyncio.to_thread(_open, ctx, identifier, version)


def masked_text(text: str, findings: Iterable[Finding]) -> str:
    """A text with the placeholders of what is to be masked, and every other character as it was.

    Where two masks overlap, the one that begins first holds, and the other covers what is left of its own.

    >>> found = Finding("piiEntities", "EMAIL", Action.ANONYMIZE, start=0, end=6, placeholder="{EMAIL}")
    >>> masked_text("a@b.es!", [found])
    '{EMAIL}!'
    """
    masks = [each for each in findings if each.action is Action.ANONYMIZE and each.end > each.start]
    pieces: list[str] = []
    at = 0
    for mask in sorted(masks, key=lambda one: (one.start, -one.end)):
        if mask.end <= at:
            continue
        pieces += (text[at : max(at, mask.start)], mask.placeholder)
        at = mask.end
    return "".join((*pieces, text[at:]))


def _parts(config: Mapping[str, Any]) -> Iterable[_Part]:
    for name in POLICIES.names():
        if name in CONFIGS and not config.get(CONFIGS[name]):
            continue
        policy = POLICIES.load(name)()
        settings = config.get(policy.config)
        if settings:
            tier = (settings.get("tierConfig") or {}).get("tierName", "CLASSIC")
            yield _Part(policy.name, policy.checker(settings, tier))


def _surroundings(contents: Sequence[Content], around: Surroundings | None) -> Surroundings:
    around = around or Surroundings()
    return Surroundings(
        grounding=(*around.grounding, *(each.text for each in contents if _GROUNDING in each.qualifiers)),
        queries=(*around.queries, *(each.text for each in contents if _QUERY in each.qualifiers)),
    )


def _verdict(findings: Sequence[Sequence[Finding]]) -> tuple[bool, bool]:
    """Whether to block, and whether to mask."""
    blocked = masked = False
    for found in findings:
        for each in found:
            blocked = blocked or (each.action is Action.BLOCK and each.detected)
            masked = masked or (each.action is Action.ANONYMIZE and each.end > each.start)
    return blocked, masked


_compiled: OrderedDict[tuple[str, str, str], Guardrail] = OrderedDict()
_compiling = Lock()


def _open(ctx: Context, identifier: str, version: str) -> Guardrail:
    digest = find_digest(ctx, identifier, version)
    if digest is not None:
        with _compiling:
            guardrail = _compiled.get((*digest, version))
            if guardrail is not None:
                _compiled.move_to_end((*digest, version))
                return guardrail
    found = find_version(ctx, identifier, version)
    guardrail = compile_guardrail(found)
    with _compiling:
        _compiled[found.arn, found.digest, found.version] = guardrail
        while len(_compiled) > _MOST_COMPILED:
            _compiled.popitem(last=False)
    return guardrail
