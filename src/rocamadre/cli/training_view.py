"""How a training looks while it runs: a bar, the loss as a small curve, what is left."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from rocamadre.cli.output import print_table, readable_duration, readable_size

if TYPE_CHECKING:
    from rich.console import RenderableType

_LEVELS = "▁▂▃▄▅▆▇█"
_POLL_S = 0.5
_WORDS = {
    "queued": "waiting for its turn",
    "preparing": "checking the data",
    "training": "training",
    "paused": "paused",
    "publishing": "publishing: merging, exporting, comparing what is served with what was trained",
    "over": "over",
}


def sparkline(values: Sequence[float], *, width: int = 48) -> str:
    """A curve in one line; of more values than `width`, neighbours are averaged.

    >>> sparkline([4.0, 3.0, 2.0, 1.0])
    '█▆▃▁'
    """
    if not values:
        return ""
    count = min(width, len(values))
    edges = [round(index * len(values) / count) for index in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    if high <= low:
        return _LEVELS[0] * count
    top = len(_LEVELS) - 1
    return "".join(_LEVELS[round((mean - low) / (high - low) * top)] for mean in means)


def status_line(progress: Mapping[str, Any]) -> str:
    """How far a training is, as one line without colours."""
    state = progress.get("state", "")
    parts = [_WORDS.get(state, state)]
    if progress.get("reason"):
        parts.append(str(progress["reason"]))
    if state in ("training", "paused") and progress.get("steps"):
        parts.append(f"step {progress['step']} of {progress['steps']}")
        if progress.get("loss") is not None:
            parts.append(f"loss {progress['loss']:.3f}")
        if progress.get("validation_loss") is not None:
            parts.append(f"validation {progress['validation_loss']:.3f}")
        if progress.get("tokens_per_s"):
            parts.append(f"{progress['tokens_per_s']:,.0f} tokens/s")
        if progress.get("eta_s") is not None:
            parts.append(f"{readable_duration(progress['eta_s'])} left")
    return ", ".join(parts)


def watch(look: Callable[[], Mapping[str, Any]], *, title: str, poll_s: float = _POLL_S) -> Mapping[str, Any]:
    """Show a job until it is over, and return what it was in the end.

    Args:
        look: Asks the server for the job.
        title: What is trained.
        poll_s: Seconds between looks.
    """
    with _shown(title) as show:
        while True:
            job = look()
            show(job)
            if (job.get("progress") or {}).get("state") == "over" or job.get("ended_at"):
                return job
            time.sleep(poll_s)


@contextmanager
def _shown(title: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """On a terminal a picture that stays in its place, otherwise a line whenever something is new."""
    if not sys.stderr.isatty():
        yield _Lines().show
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import; only a terminal needs it)
    from rich.live import Live  # noqa: PLC0415

    with Live(console=Console(stderr=True), refresh_per_second=4, transient=False) as live:
        yield lambda job: live.update(_picture(title, job))


class _Lines:
    """Progress where there is no terminal: each state once, and training at every tenth."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None
        self._warned = 0

    def show(self, job: Mapping[str, Any]) -> None:
        """Print what is new."""
        progress = job.get("progress") or {}
        steps = int(progress.get("steps") or 0)
        tenth = 10 * int(progress.get("step") or 0) // steps if steps else 0
        key = (f"{progress.get('state')}{progress.get('reason', '')}", tenth)
        for message in list(progress.get("warnings") or ())[self._warned :]:
            click.echo(f"warning: {message}", err=True)
            self._warned += 1
        if key != self._said:
            self._said = key
            click.echo(status_line(progress), err=True)


def _picture(title: str, job: Mapping[str, Any]) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    progress = job.get("progress") or {}
    losses = [loss for _, loss in progress.get("losses") or () if loss is not None]
    parts: list[RenderableType] = [Text.from_markup(f"[bold]{escape(title)}[/]  {escape(status_line(progress))}")]
    if progress.get("steps"):
        parts.append(ProgressBar(total=progress["steps"], completed=progress["step"], width=60))
    if losses:
        parts.append(Text(f"loss {losses[0]:.3f} {sparkline(losses)} {losses[-1]:.3f}"))
    looked = [loss for _, loss in progress.get("validation_losses") or ()]
    if len(looked) > 1:
        parts.append(Text(f"validation {looked[0]:.3f} {sparkline(looked)} {looked[-1]:.3f}"))
    parts += [Text(f"warning: {message}", style="yellow") for message in (progress.get("warnings") or ())[-3:]]
    return Group(*parts)


def show_preflight(preflight: Mapping[str, Any]) -> None:
    """Print what a training will take."""
    memory, disk = preflight["memory"], preflight["disk"]
    share = 100 * preflight["trained_parameters"] / preflight["parameters"]
    click.echo(
        f"{preflight['method']} moves {preflight['trained_parameters']:,} weights beside or among "
        f"{preflight['parameters']:,} ({share:.2g} %); {preflight['examples']:,} examples, {preflight['tokens']:,} "
        f"tokens to read, {preflight['steps']:,} steps in {preflight['precision']}\n"
    )
    rows = [(name, readable_size(memory[name])) for name in memory if name != "total"]
    rows.append(("in all", readable_size(memory["total"])))
    if preflight["processes"] > 1:
        rows.append((f"of {preflight['processes']} processes", readable_size(preflight["memory_bytes"])))
    rows.append(("there is", readable_size(preflight["available_bytes"])))
    print_table(("memory", "most"), rows)
    click.echo()
    aws = preflight["aws"]
    cost = aws["reason"] if aws["training_usd"] is None else f"{aws['training_usd']:,.2f} USD ({aws['reason']})"
    if aws["storage_usd_per_month"] is not None:
        cost += f", and {aws['storage_usd_per_month']:g} USD a month for keeping the model"
    energy = preflight["kilowatt_hours"]
    print_table(
        ("what", "about"),
        [
            ("time in training", _time(preflight["training_s"])),
            ("with start, validation, saving", _time(preflight["total_s"])),
            ("disk while it trains", readable_size(disk["checkpoints"] + disk["result"])),
            ("disk of the served model", readable_size(disk["served"])),
            ("energy", "open" if energy is None else f"{1000 * energy:,.1f} Wh at {preflight['watts']:.0f} W"),
            ("on AWS", cost),
        ],
    )
    for note in preflight["notes"]:
        click.echo(f"- {note}")


def show_comparison(compared: Sequence[Mapping[str, Any]]) -> None:
    """Print predictions beside what happened."""
    rows = []
    for each in compared:
        shown = _FIGURES.get(each["name"], _whole)
        off = f"{100 * each['error']:+.0f} %" if each["error"] else "0"
        rows.append((each["name"].replace("_", " "), shown(each["predicted"]), shown(each["happened"]), off))
    if rows:
        print_table(("figure", "foreseen", "was", "off by"), rows)


def show_forgetting(job: Mapping[str, Any]) -> None:
    """Print the losses of the sets that a training was to be compared on, where there were any."""
    sets = (job.get("facts") or {}).get("forgetting", {}).get("sets", ())
    if sets:
        rows = [
            (each["name"], *(f"{each[name]:.3f}" for name in ("before", "after")), f"{each['change']:+.3f}")
            for each in sets
        ]
        print_table(("loss on", "before", "after", "change"), rows)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _time(seconds: float | None) -> str:
    return "open" if seconds is None else readable_duration(seconds)


_FIGURES: dict[str, Callable[[float], str]] = {
    "memory_bytes": readable_size,
    "training_s": lambda value: f"{value:.1f} s",
}
