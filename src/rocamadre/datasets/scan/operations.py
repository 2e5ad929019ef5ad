"""A scan: all checks over all rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rocamadre.datasets.personal import count_personal
from rocamadre.datasets.scan.labels import MOST_LABELLED, find_conflicts, find_flips, find_labelled
from rocamadre.datasets.scan.secrets import find_secrets
from rocamadre.datasets.scan.strings import RowCheck, find_hidden, find_orders
from rocamadre.datasets.scan.triggers import find_label_triggers, find_phrase_triggers
from rocamadre.datasets.scan.types import CHECKS, Finding, Row
from rocamadre.datasets.sources import Source
from rocamadre.datasets.types import Example
from rocamadre.datasets.validation import Report, Rules, checked

CountPersonal = Callable[[str], Counter[str]]
"""Personal data in a text, counted by kind."""


@dataclass(slots=True)
class Scan:
    """What came of it.

    Attributes:
        rows: Looked at.
        labelled: Rows whose answers are labels; 0 where answers are prose or there are none.
        findings: By check in the order of `CHECKS`, then the surest first.
        notes: What was not looked at, and why.
    """

    rows: int = 0
    labelled: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        counts = Counter(finding.check for finding in self.findings)
        return {
            "rows": self.rows,
            "labelled": self.labelled,
            "counts": {check: counts[check] for check in CHECKS if counts[check]},
            "notes": self.notes,
            "findings": [finding.as_json() for finding in self.findings],
        }


def read_rows_of(sources: Iterable[Source], rules: Rules | None, report: Report) -> Iterable[tuple[str, int, Example]]:
    """Good examples with their file and line; bad ones go to the report."""
    for example in checked(sources, report, rules):
        yield *report.place, example


def scan(
    rows: Sequence[Row], checks: Collection[str] = tuple(CHECKS), *, count: CountPersonal = count_personal
) -> Scan:
    """Look for harm.

    Args:
        rows: All of the data: triggers and labels are told by comparing them.
        checks: Names in `CHECKS`.
        count: Finds personal data.
    """
    found = Scan(rows=len(rows))
    each: dict[str, RowCheck] = {
        "hidden": find_hidden,
        "injection": find_orders,
        "secret": find_secrets,
        "personal": lambda row: _personal(row, count),
    }
    for check, look in each.items():
        if check in checks:
            for row in rows:
                found.findings += look(row)
    if {"trigger", "label", "conflict"} & set(checks):
        _compare(rows, checks, found)
    order = {check: place for place, check in enumerate(CHECKS)}
    found.findings.sort(key=lambda one: (order[one.check], -one.score, one.file, one.line))
    return found


def _compare(rows: Sequence[Row], checks: Collection[str], found: Scan) -> None:
    if not any(row.asked for row in rows):
        found.notes.append("running text has no questions and answers: triggers and labels were not looked for")
        return
    labelled = find_labelled(rows)
    if labelled is None:
        if "trigger" in checks:
            found.findings += find_phrase_triggers(rows)
        if {"label", "conflict"} & set(checks):
            found.notes.append("answers are no labels (few, short, repeated): labels were not looked at")
        return
    found.labelled = len(labelled.rows)
    if len(labelled.rows) == MOST_LABELLED:
        found.notes.append(f"the first {MOST_LABELLED:,} rows with labels were compared")
    if "trigger" in checks:
        found.findings += find_label_triggers(labelled)
    if "label" in checks:
        found.findings += find_flips(labelled)
    if "conflict" in checks:
        found.findings += find_conflicts(labelled)


def _personal(row: Row, count: CountPersonal) -> list[Finding]:
    kinds = count(row.text)
    if not kinds:
        return []
    told = ", ".join(f"{kind} {number}" for kind, number in sorted(kinds.items()))
    return [Finding("personal", row.file, row.line, told, min(1.0, 0.6 + 0.1 * sum(kinds.values())))]
