"""Which operations there are, in full or in part: botocore's list beside the table of handlers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Literal

import rocamadre.api.endpoints  # noqa: F401  (registers every handler)
from rocamadre.api.handlers import HANDLERS
from rocamadre.api.wire.models import load_models

State = Literal["full", "partial", "absent"]

STATES: tuple[State, ...] = ("full", "partial", "absent")


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation.

    Attributes:
        missing: What of it is not honoured, one sentence each; empty for those in full and those absent.
    """

    service: str
    operation: str
    state: State
    missing: tuple[str, ...] = ()


def entries() -> list[Entry]:
    """Every operation of every service, by service and name."""
    found = []
    for service, model in sorted(load_models().items()):
        for operation in sorted(model["operations"]):
            handler = HANDLERS.get((service, operation))
            if handler is None:
                found.append(Entry(service, operation, "absent"))
            else:
                found.append(Entry(service, operation, "partial" if handler.missing else "full", handler.missing))
    return found


def counts(found: Sequence[Entry]) -> dict[str, dict[State, int]]:
    """How many operations of each service are in each state."""
    table: dict[str, dict[State, int]] = {}
    for entry in found:
        table.setdefault(entry.service, dict.fromkeys(STATES, 0))[entry.state] += 1
    return table


def coverage_json(found: Sequence[Entry]) -> dict[str, Any]:
    """The content of `docs/coverage.json` and of GET /coverage.json."""
    return {
        "botocore": version("botocore"),
        "services": counts(found),
        "operations": [asdict(entry) for entry in found],
    }


def coverage_page(found: Sequence[Entry]) -> str:
    """The content of `docs/coverage.md`."""
    lines = [
        "# Which operations there are",
        "",
        f"From botocore {version('botocore')} and the table of handlers. *Full*: every member is honoured, and tests",
        "hold it to that. *Partial*: it works, but for what is named. Any other operation answers 501 and says so.",
        "",
        "| service | full | partial | absent |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {service} | {' | '.join(str(row[state]) for state in STATES)} |" for service, row in counts(found).items()
    ]
    for service in counts(found):
        mine = [entry for entry in found if entry.service == service]
        lines += ["", f"## {service}", ""]
        lines += [f"- **{entry.operation}**: full" for entry in mine if entry.state == "full"]
        for entry in mine:
            if entry.state == "partial":
                lines += [f"- **{entry.operation}**: partial", *(f"  - {sentence}" for sentence in entry.missing)]
        absent = ", ".join(entry.operation for entry in mine if entry.state == "absent")
        lines += [f"- absent: {absent}"] if absent else []
    return "\n".join(lines) + "\n"
