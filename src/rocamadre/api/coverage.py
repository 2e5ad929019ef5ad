"""Which operations there are, in full or in part: botocore's list beside the table of handlers and the tests.

An operation is *full* only when its handler says that nothing is missing, the contract tests hold it to its model
(they take every handler by themselves) and at least one test of behaviour names it:

    @pytest.mark.covers("bedrock-runtime:Converse")

`python -m rocamadre.api.coverage`, run in a checkout, finds those marks and writes `docs/coverage.md`,
`docs/coverage.json` and the copy that the package carries, from which an installed server knows what was tested.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import rocamadre.api.endpoints  # noqa: F401  (registers every handler)
from rocamadre.api.handlers import HANDLERS
from rocamadre.api.wire.models import load_models

State = Literal["full", "partial", "absent"]
Tests = Mapping[str, Sequence[str]]
"""`service:Operation` to the tests of behaviour that name it."""

STATES: tuple[State, ...] = ("full", "partial", "absent")
TEST_FOLDERS = ("tests/substance", "tests/integration", "tests/unit")
PACKAGED = "coverage.json"
_UNTESTED = "no test of its behaviour yet, only of its form"
_MARK = "covers"


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation.

    Attributes:
        missing: What of it is not honoured, one sentence each; empty for those in full and those absent.
        tests: Tests of its behaviour, as `path::name`.
    """

    service: str
    operation: str
    state: State
    missing: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def entries(tests: Tests | None = None) -> list[Entry]:
    """Every operation of every service, by service and name.

    Args:
        tests: As `covering_tests` finds them; None for what the package was made with.
    """
    known = packaged_tests() if tests is None else tests
    return [
        _entry(service, operation, known)
        for service, model in sorted(load_models().items())
        for operation in sorted(model["operations"])
    ]


def _entry(service: str, operation: str, known: Tests) -> Entry:
    handler = HANDLERS.get((service, operation))
    if handler is None:
        return Entry(service, operation, "absent")
    tests = tuple(sorted(known.get(f"{service}:{operation}", ())))
    missing = handler.missing if tests else (*handler.missing, _UNTESTED)
    return Entry(service, operation, "partial" if missing else "full", missing, tests)


@cache
def packaged_tests() -> Tests:
    """The tests of behaviour that the package was made with."""
    file = files("rocamadre.api").joinpath(PACKAGED)
    if not file.is_file():
        return {}
    operations = json.loads(file.read_text(encoding="utf-8"))["operations"]
    return {f"{entry['service']}:{entry['operation']}": entry["tests"] for entry in operations}


def covering_tests(checkout: Path) -> Tests:
    """The tests of a checkout that carry `@pytest.mark.covers("service:Operation", ...)`, found in their source.

    Raises:
        ValueError: a mark names an operation that no service has.
    """
    found: dict[str, list[str]] = {}
    real = {f"{service}:{name}" for service, model in load_models().items() for name in model["operations"]}
    for folder in TEST_FOLDERS:
        for path in sorted((checkout / folder).rglob("test_*.py")):
            where = path.relative_to(checkout).as_posix()
            for test, operations in _marks(ast.parse(path.read_text(encoding="utf-8"))):
                for operation in operations:
                    if operation not in real:
                        raise ValueError(f"{where}::{test} covers {operation!r}, which is no operation of any service")
                    found.setdefault(operation, []).append(f"{where}::{test}")
    return found


def _marks(module: ast.Module) -> list[tuple[str, list[str]]]:
    """Names of tests with the operations that their own marks name."""
    found = []
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            operations = [
                argument.value
                for mark in node.decorator_list
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == _MARK
                for argument in mark.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if operations:
                found.append((node.name, operations))
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
        f"From botocore {version('botocore')}, the table of handlers and the tests. *Full*: every member is honoured;",
        "the contract tests and at least one test of behaviour hold it to that. *Partial*: it works, but for what is",
        "named. Any other operation answers 501 and says so.",
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


def pages(checkout: Path) -> dict[Path, str]:
    """Every file that coverage is written to, as it should be."""
    found = entries(covering_tests(checkout))
    content = json.dumps(coverage_json(found), indent=1) + "\n"
    return {
        checkout / "docs" / "coverage.md": coverage_page(found),
        checkout / "docs" / "coverage.json": content,
        checkout / "src" / "rocamadre" / "api" / PACKAGED: content,
    }


def main() -> int:
    """Write the pages below the working directory, which must be a checkout."""
    checkout = Path.cwd()
    if not all((checkout / name).is_dir() for name in ("docs", "src/rocamadre/api", "tests")):
        print("run this in a checkout of Rocamadre: docs, src and tests are not all here", file=sys.stderr)
        return 1
    for path, content in pages(checkout).items():
        temporary = path.with_suffix(".tmp")
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
        print(f"wrote {path.relative_to(checkout)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
