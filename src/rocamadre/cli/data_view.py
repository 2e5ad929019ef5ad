"""What `roca data` prints for people."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import Any

import click

from rocamadre.cli.output import print_table
from rocamadre.datasets.filtering import Account
from rocamadre.datasets.preview import View
from rocamadre.datasets.validation import Report

_LISTED = 20
_BAR = 30


def print_report(report: Report) -> None:
    """Problems one a line, on standard error, then the totals."""
    for problem in report.problems[:_LISTED]:
        colour = "yellow" if problem.is_warning else "red"
        click.echo(click.style("warning: " if problem.is_warning else "error: ", fg=colour) + str(problem), err=True)
    hidden = report.errors + report.warnings - min(len(report.problems), _LISTED)
    if hidden:
        counts = ", ".join(f"{kind} {count}" for kind, count in report.by_kind.most_common())
        click.echo(f"… and {hidden} more; in all {counts}", err=True)
    formats = ", ".join(sorted(set(report.formats.values()))) or "-"
    tokens = f", {report.tokens:,} tokens, the longest {report.longest:,}" if report.tokens else ""
    click.echo(f"{report.good} of {report.records} records are good; format {formats}{tokens}")


def print_view(view: View) -> None:
    """One example as the model sees it, what is learned in colour."""
    title = f" ({view.title})" if view.title else ""
    head = f"record {view.record}{title}: {view.tokens} tokens, {view.trained} learned"
    click.echo(click.style(head, bold=True))
    colours = sys.stdout.isatty()
    for trained, pieces in groupby(view.pieces, key=lambda piece: piece.trained):
        text = "".join(piece.text for piece in pieces)
        if not colours:
            click.echo(f"«{text}»" if trained else text, nl=False)
        else:
            click.echo(click.style(text, fg="green", bold=True) if trained else click.style(text, dim=True), nl=False)
    click.echo("\n")


def print_account(account: Account) -> None:
    """What each filter dropped."""
    for dropped in account.dropped:
        click.echo(f"{dropped.filter}: {dropped.count} dropped")
        for reason, count in dropped.reasons.most_common():
            click.echo(f"  {count} × {reason}")
        for number, reason, text in dropped.samples:
            click.echo(click.style(f"    record {number}, {reason}: {text}", dim=True))


def print_statistics(found: dict[str, Any]) -> None:
    """Statistics as tables and bars."""
    kinds = ", ".join(f"{count} {kind}" for kind, count in found["kinds"].items())
    click.echo(f"{found['records']} records ({kinds}), {found['letters']:,} letters")
    rows = []
    for name in ("lengths", "learned"):
        spread = found[name]
        if spread["count"]:
            figures = [f"{spread[key]:,}" for key in ("sum", "least", "median", "mean", "p95", "most")]
            rows.append((f"{name} in {found['unit']}", *figures))
    if rows:
        print_table(("", "sum", "least", "median", "mean", "95 % up to", "most"), rows)
        _print_bars(found["lengths"]["bars"])
    for title in ("turns", "languages", "tasks", "personal"):
        if counts := found[title]:
            click.echo(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    click.echo(f"duplicates: {found['exact_duplicates']} exact, {found['near_duplicates']} near")
    for pair in found["near_pairs"]:
        first, second = pair["records"]
        click.echo(click.style(f"  records {first} and {second}: {pair['texts'][0]}", dim=True))


def _print_bars(bars: list[dict[str, int]]) -> None:
    highest = max(bar["count"] for bar in bars)
    for bar in bars:
        length = round(bar["count"] / highest * _BAR)
        shown = "█" * length or ("▏" if bar["count"] else "")
        click.echo(f"  {bar['from']:>7,}–{bar['to']:<7,} {shown} {bar['count'] or ''}".rstrip())
