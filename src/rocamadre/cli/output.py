"""Tables, sizes and progress, as people read them; plain when the output is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import click


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print columns under headings, each as wide as its widest cell."""
    cells = [[str(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    for number, row in enumerate(cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def readable_size(size_bytes: float) -> str:
    """A size in bytes for people.

    >>> readable_size(999), readable_size(7_800_000), readable_size(1_234_000_000)
    ('999 B', '7.8 MB', '1.2 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def readable_duration(seconds: float) -> str:
    """A duration for people.

    >>> readable_duration(42), readable_duration(3700), readable_duration(200000)
    ('42 s', '1 h 1 min', '2 d 7 h')
    """
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


class Bar(Protocol):
    """Moves a progress bar."""

    def __call__(self, done_bytes: int, total_bytes: int | None = None) -> None:
        """Go on by `done_bytes`; `total_bytes` is all of it, once known."""
        ...


@contextmanager
def progress(title: str) -> Iterator[Bar]:
    """Show how far something is: on a terminal a bar on standard error, otherwise one line at the start."""
    if not sys.stderr.isatty():
        click.echo(title, err=True)
        yield lambda done_bytes, total_bytes=None: None
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import; only a terminal needs it)
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=None)

        def advance(done_bytes: int, total_bytes: int | None = None) -> None:
            bars.update(task, advance=done_bytes, total=total_bytes)

        yield advance
