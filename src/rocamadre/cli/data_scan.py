"""`roca data scan`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from rocamadre.cli.data_places import is_place, open_sources
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.datasets.formats.registry import FORMATS
from rocamadre.datasets.operations import find_dataset, read_dataset
from rocamadre.datasets.scan.operations import Scan, read_rows_of, scan
from rocamadre.datasets.scan.types import CHECKS, Row, row_of
from rocamadre.datasets.validation import Report, Rules
from rocamadre.guardrails.recognisers.counting import count_values

_SHOWN = 10


@click.command("scan")
@click.argument("place", metavar="DATA")
@click.option("--check", "checks", multiple=True, type=click.Choice(list(CHECKS)), help="Only these; else all.")
@click.option("--least", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Lowest score to tell.")
@click.option("--format", "format_", type=click.Choice(FORMATS.names()), help="Of the records; else detected.")
@click.option("--fail", is_flag=True, help="Exit with 1 when something is found.")
@with_json
@click.pass_obj
def scan_(session: Session, /, place: str, checks: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Look for harm in data: triggers, wrong labels, hidden text, orders to a model, secrets, personal data.

    Each finding has its file, line, reason and a score; docs/red-team.md says what scores mean, what was measured, and
    what cannot be found. Nothing is changed.

    \b
    Examples:
      roca data scan train.jsonl
      roca data scan support --check trigger --check label --json
      roca data scan s3://my-bucket/data/train.jsonl --least 0.8 --fail
    """
    report = Report()
    rows = _rows(session, place, options["format_"], report)
    found = scan(rows, checks or tuple(CHECKS), count=count_values)
    found.findings = [finding for finding in found.findings if finding.score >= options["least"]]
    if report.errors:
        found.notes.append(
            f"{report.errors} records cannot be read and were not looked at; `roca data import` lists them"
        )
    if as_json:
        print_json(found.as_json())
    else:
        _show(found)
    if options["fail"] and found.findings:
        raise CommandFailed(f"{len(found.findings)} findings")


def _rows(session: Session, place: str, format_: str | None, report: Report) -> list[Row]:
    if is_place(place):
        with open_sources(session, place) as sources:
            rows = [row_of(*each) for each in read_rows_of(sources, Rules(format=format_), report)]
    else:
        with local_host(session) as host:
            dataset = find_dataset(host, place)
            rows = [row_of(place, number, each) for number, each in enumerate(read_dataset(host, dataset), start=1)]
    if not rows:
        raise CommandFailed(report.summary())
    return rows


def _show(found: Scan) -> None:
    counts = Counter(finding.check for finding in found.findings)
    shown: Counter[str] = Counter()
    for finding in found.findings:
        shown[finding.check] += 1
        if shown[finding.check] == 1:
            click.echo(click.style(f"{finding.check}: {CHECKS[finding.check]} ({counts[finding.check]})", bold=True))
        if shown[finding.check] <= _SHOWN:
            click.echo(f"  {finding.file}, line {finding.line}: {finding.reason} [{finding.score:.2f}]")
            if finding.excerpt:
                click.echo(click.style(f"    {finding.excerpt}", dim=True))
        elif shown[finding.check] == _SHOWN + 1:
            click.echo(f"  … and {counts[finding.check] - _SHOWN} more; --json lists all")
    for note in found.notes:
        click.echo(f"note: {note}")
    click.echo(f"{found.rows} rows, {len(found.findings)} findings")
