"""The sensitive-information policy: personal data by type, and a customer's regular expressions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import re2

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.folding import Folded, clean
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.recognisers.registry import GROUPS, NAMED, PATTERNS, TAGGED, named
from rocamadre.guardrails.recognisers.scanner import scanner_of
from rocamadre.guardrails.text import Text

MOST_REGEXES = 30
TYPES = tuple(sorted({*TAGGED, *(each.type for each in PATTERNS)} - set(NAMED)))
"""Types of the API that are found; every one that there is."""

_ACTIONS = {"BLOCK": Action.BLOCK, "ANONYMIZE": Action.ANONYMIZE, "NONE": Action.NONE}
_STRICTNESS = {Action.NONE: 0, Action.ANONYMIZE: 1, Action.BLOCK: 2}
_RECOGNISER = re.compile(r"recogni[sz]er:([A-Z_]+)")
_WINDOW = 130
_BEHIND = 64
"""Characters behind a value that may tell what it is."""
_SPACES = " \t\n\r\f\v"
_PLACEHOLDER = re.compile(rf"\{{(?:{'|'.join(TYPES)})\}}")


@dataclass(frozen=True, slots=True)
class _Rule:
    """What is done about one type or expression, by source; None where it is not looked for."""

    kind: str
    type: str
    name: str
    placeholder: str
    detail: Mapping[str, Any]
    by_source: Mapping[Source, Action | None]

    def finding(self, action: Action, start: int, end: int, match: str) -> Finding:
        return Finding(self.kind, self.type, action, True, self.name, start, end, match, self.placeholder, self.detail)


def _by_source(config: Mapping[str, Any], what: str) -> dict[Source, Action | None]:
    actions: dict[Source, Action | None] = {}
    for source, name in ((Source.INPUT, "input"), (Source.OUTPUT, "output")):
        action = config.get(f"{name}Action") or config.get("action") or "BLOCK"
        if action not in _ACTIONS:
            raise InvalidRequest(f"the action of {what} is {action!r}; allowed are BLOCK, ANONYMIZE and NONE")
        actions[source] = _ACTIONS[action] if config.get(f"{name}Enabled", True) else None
    return actions


class SensitiveChecker:
    """Types and expressions of one guardrail, ready to be looked for."""

    def __init__(self, rules: Mapping[str, _Rule], expressions: Sequence[tuple[_Rule, Any, int | None]]) -> None:
        self._rules = rules
        self._expressions = expressions
        self._scanners = {
            source: scanner_of(types) if (types := _wanted(rules, source)) else None
            for source in (Source.INPUT, Source.OUTPUT)
        }

    @property
    def longest_match(self) -> int | None:
        """The longest value and the words around it that count; None if an expression has no longest match."""
        widths = [width for _, _, width in self._expressions]
        if any(width is None for width in widths):
            return None
        longest = max((each.longest for each in self._scanners.values() if each is not None), default=0)
        return max(longest + _WINDOW, *(width or 0 for width in widths), 0)

    def unsettled(self, text: str) -> int:
        """Characters at the end of a text in which a finding may still begin, grow or go away as the text goes on.

        Fewer than `longest_match`, where there is one: a value without white space ends with its word.
        """
        scanners = [each for each in self._scanners.values() if each is not None]
        spaced = max((each.longest_spaced for each in scanners), default=0)
        longest = max((each.longest for each in scanners), default=0)
        word = len(text) - 1 - max(map(text.rfind, _SPACES))
        return max(spaced + _BEHIND, min(word, longest), *(width or 0 for _, _, width in self._expressions), 0)

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """Findings in order of place; none of two overlapping ones is masked, the surer and longer is."""
        found: list[Finding] = []
        scanner = self._scanners[source]
        if scanner is not None:
            view = clean(text.raw)
            masked = [each.span() for each in _PLACEHOLDER.finditer(view.text)]
            for match in scanner.scan(view.text):
                rule = self._rules[match.type]
                action = rule.by_source[source]
                if action is not None and not _touches(masked, match.start, match.end):
                    start, end = _place(view, match.start, match.end)
                    found.append(rule.finding(action, start, end, text.raw[start:end]))
        found += self._expressed(text.raw, source)
        return _apart(found)

    def _expressed(self, raw: str, source: Source) -> Iterable[Finding]:
        if not self._expressions:
            return
        safe = raw.encode("utf-8", "surrogatepass").decode("utf-8", "replace") if _has_surrogates(raw) else raw
        if len(safe) != len(raw):
            safe = "".join("\ufffd" if "\ud800" <= each <= "\udfff" else each for each in raw)
        for rule, regex, _ in self._expressions:
            action = rule.by_source[source]
            if action is None:
                continue
            for match in regex.finditer(safe):
                start, end = match.span()
                if end > start:
                    yield rule.finding(action, start, end, raw[start:end])


def _touches(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a place overlaps one of the spans, which are in order and apart."""
    after = bisect_right(spans, start, key=lambda span: span[1])
    return after < len(spans) and spans[after][0] < end


def _has_surrogates(raw: str) -> bool:
    try:
        raw.encode()
    except UnicodeEncodeError:
        return True
    return False


def _wanted(rules: Mapping[str, _Rule], source: Source) -> frozenset[str]:
    return frozenset(name for name, rule in rules.items() if rule.by_source[source] is not None)


def _place(view: Folded, start: int, end: int) -> tuple[int, int]:
    """Where a match stands in the caller's text; marks behind it are not its own unless they sit on its last letter."""
    if isinstance(view.places, range):
        return start, end
    return view.places[start], view.places[end - 1] + 1


def _apart(found: list[Finding]) -> list[Finding]:
    """Findings by place, none within one of an action as strict; what reaches beyond such a one is masked too."""
    kept: list[Finding] = []
    reach = {action: 0 for action in Action}
    for finding in sorted(found, key=lambda one: (one.start, -one.end, -_STRICTNESS[one.action])):
        taken = max(reach[action] for action in Action if _STRICTNESS[action] >= _STRICTNESS[finding.action])
        if finding.start < taken < finding.end and finding.action is Action.ANONYMIZE:
            kept.append(replace(finding, start=taken, match=finding.match[taken - finding.start :]))
        elif taken <= finding.start:
            kept.append(finding)
        reach[finding.action] = max(reach[finding.action], finding.end)
    return sorted(kept, key=lambda one: one.start)


class SensitiveInformation:
    """Personal data and what a customer's regular expressions find."""

    name = "sensitiveInformationPolicy"
    config = "sensitiveInformationPolicyConfig"

    def checker(self, config: Mapping[str, Any], tier: str) -> SensitiveChecker:
        """The checker for types and expressions.

        A pattern `recogniser:ES_DNI` asks for a recogniser of ours: see docs/guardrails.md.

        Raises:
            InvalidRequest: An unknown type or recogniser, a type given twice, or an expression that RE2 does not take.
        """
        rules: dict[str, _Rule] = {}
        for each in config.get("piiEntitiesConfig") or []:
            kind = each["type"]
            if kind not in TYPES:
                raise InvalidRequest(f"there is no type {kind!r} of personal data; there are {', '.join(TYPES)}")
            if kind in rules:
                raise InvalidRequest(f"piiEntitiesConfig names {kind} twice; once is allowed")
            rules[kind] = _Rule("piiEntities", kind, "", f"{{{kind}}}", {}, _by_source(each, kind))
        given = config.get("regexesConfig") or []
        if len(given) > MOST_REGEXES:
            raise InvalidRequest(f"regexesConfig has {len(given)} expressions; {MOST_REGEXES} are allowed")
        expressions = []
        for each in given:
            name, pattern = each["name"], each["pattern"]
            what = f"the expression {name!r}"
            rule = _Rule("regexes", "", name, f"{{{name}}}", {"regex": pattern}, _by_source(each, what))
            asked = _RECOGNISER.fullmatch(pattern.strip())
            if asked is None:
                expressions.append((rule, *_compiled(pattern, what)))
                continue
            types = named(asked.group(1))
            if types is None:
                known = ", ".join((*sorted(GROUPS), *NAMED))
                raise InvalidRequest(
                    f"{what} asks for the recogniser {asked.group(1)}, which there is not; there are {known}"
                )
            for kind in types:
                rules.setdefault(kind, rule)
        return SensitiveChecker(rules, expressions)


def _compiled(pattern: str, what: str) -> tuple[Any, int | None]:
    """An expression and the characters that it spans at most; None without a limit."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 16 << 20
    try:
        regex = re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise InvalidRequest(
            f"{what} is not taken: {reason}. Expressions are RE2's (no look-around, no references back, "
            "repetitions up to 1000), because these take linear time on every text"
        ) from error
    try:
        width = int(_parser.parse(pattern).getwidth()[1])
    except (re.error, OverflowError, RecursionError):
        return regex, None
    return regex, width if width < 10_000 else None
