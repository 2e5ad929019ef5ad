"""What a guardrail found, drawn: on the text itself, and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rocamadre.console.guardrails.draft import FILTERS, GROUNDING, PII
from rocamadre.console.guardrails.findings import Found, places, read_trace
from rocamadre.console.page import Page
from rocamadre.console.pages.knowledge_document import pieces
from rocamadre.console.parts.elements import box, heading, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.translation import Translator

LONGEST = 20_000
"""Characters of a text that are drawn."""
_MOST_ROWS = 200
_KNOWN = frozenset({*FILTERS, *GROUNDING, "PROFANITY", *(kind for kinds in PII.values() for kind in kinds)})
_NAMED = frozenset({"filters", "piiEntities", "managedWordLists"})
_LOOKS = {"BLOCKED": "bad", "ANONYMIZED": "warn"}


def draw_verdict(page: Page, intervened: bool, reason: str) -> None:
    """One line: whether the guardrail stepped in."""
    with box("row", role="status"):
        badge(page.t("findings.intervened" if intervened else "findings.passed"), "bad" if intervened else "good")
        tag("span", reason, classes="faint small hostile")


def draw_text(page: Page, said: str, found: Sequence[Found]) -> None:
    """A text with what matched marked on it, each mark with its name."""
    t = page.t
    shown = said[:LONGEST]
    marks = places(shown, found)
    # Pieces are cut as those of a document with its chunks; a mark is a chunk there.
    chunks = [{"start": mark.start, "end": mark.end} for mark in marks]
    with box("document hostile", tabindex="0", role="region", aria_label=t("findings.text")):
        for begin, end, over in pieces(0, len(shown), chunks, (-1, -1)):
            if not over:
                tag("span", shown[begin:end])
                continue
            each = found[marks[over[0]].number]
            last = chunks[over[0]]["end"] == end
            with tag("mark", classes=f"found {_LOOKS.get(each.action, 'accent')}"):
                tag("span", shown[begin:end])
                if last:
                    tag("span", _label(t, each), classes="found-name")
    if len(said) > LONGEST:
        text(t("findings.cut", count=t.number(LONGEST)), classes="faint small")
    whole = [each for each in found if each.detected and not each.match]
    if whole:
        with box("row"):
            tag("span", t("findings.whole"), classes="faint small")
            for each in whole:
                badge(_label(t, each), _LOOKS.get(each.action, "accent"))


def draw_findings(page: Page, found: Sequence[Found]) -> None:
    """Findings as a table; what was looked for and not found is folded away."""
    t = page.t
    detected = [each for each in found if each.detected]
    others = [each for each in found if not each.detected]
    if detected:
        _table(page, detected)
    else:
        text(t("findings.nothing"), classes="faint")
    if others:
        with box("fold", name="details"):
            tag("summary", t("findings.others", count=t.number(len(others))))
            _table(page, others)


def draw_usage(page: Page, usage: Mapping[str, Any]) -> None:
    """Units by policy; those of none are left out."""
    t = page.t
    said = [
        f"{t(f'findings.{name}')} {t.number(usage[name])}"
        for name in (
            "contentPolicyUnits", "topicPolicyUnits", "wordPolicyUnits", "sensitiveInformationPolicyUnits",
            "sensitiveInformationPolicyFreeUnits", "contextualGroundingPolicyUnits",
        )
        if usage.get(name)
    ]  # fmt: skip
    if said:
        text(f"{t('findings.units')}: {' · '.join(said)}", classes="faint small")


def draw_trace(page: Page, guardrail: Mapping[str, Any]) -> None:
    """What a trace tells of a guardrail, folded away below an answer."""
    t = page.t
    trace = read_trace(guardrail)
    found = [*trace.prompt, *trace.answer]
    with box("fold", name="details"):
        tag("summary", f"{t('findings.trace')}: {t.number(sum(each.detected for each in found))}")
        text(trace.reason, classes="faint small hostile")
        draw_part(page, t("findings.in_prompt"), trace.prompt, "")
        draw_part(page, t("findings.in_answer"), trace.answer, "")


def draw_part(page: Page, title: str, found: Sequence[Found], said: str) -> None:
    """A heading, a text with its marks, and its findings."""
    heading(title, level=3)
    if said:
        draw_text(page, said, found)
    draw_findings(page, found)


def _table(page: Page, found: Sequence[Found]) -> None:
    t = page.t
    with box("table-box", tabindex="0", role="region", aria_label=t("findings.title")):
        with tag("table", classes="table"):
            with tag("thead"), tag("tr"):
                for name in ("policy", "what", "match", "measure", "action"):
                    tag("th", t(f"findings.{name}"), scope="col")
            with tag("tbody"):
                for each in found[:_MOST_ROWS]:
                    with tag("tr"):
                        tag("td", t(f"policies.{each.policy}"))
                        tag("td", _label(t, each), classes="hostile")
                        tag("td", each.match or "—", classes="hostile mono")
                        tag("td", _measure(t, each))
                        with tag("td"):
                            badge(t(f"findings.{_done(each)}"), _LOOKS.get(each.action, ""))
    if len(found) > _MOST_ROWS:
        text(t("findings.more", count=t.number(len(found) - _MOST_ROWS)), classes="faint small")


def _done(found: Found) -> str:
    if not found.detected:
        return "ABSENT"
    return found.action if found.action in _LOOKS else "NONE"


def _label(t: Translator, found: Found) -> str:
    if found.kind in _NAMED:
        return t(f"policies.{found.name}") if found.name in _KNOWN else found.name
    return t("findings.word") if found.kind == "customWords" else found.name


def _measure(t: Translator, found: Found) -> str:
    if found.score is not None:
        return t("findings.score", score=t.number(found.score, digits=2),
                 threshold=t.number(found.threshold or 0.0, digits=2))  # fmt: skip
    if found.confidence:
        sure = t(f"policies.level_{found.confidence}")
        return t("findings.confidence", sure=sure, strength=t(f"policies.level_{found.strength or 'NONE'}"))
    return "—"
