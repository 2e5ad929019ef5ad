"""`roca jobs`."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

import click

from rocamadre.cli.http import get, lines, post
from rocamadre.cli.output import print_table, readable_size
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.training_view import show_comparison, show_forgetting, sparkline, status_line

_PATH = "/_rocamadre/jobs"


@click.group()
def jobs() -> None:
    """List, watch and stop what runs in the background.

    Trainings, batches, imports, copies, pulls: every kind. NAME is a job's name, its ARN or the end of it.
    """


@jobs.command("list")
@click.option("--kind", help="For example customization, batch-inference, model-import.")
@click.option("--status", help="A word of the kind's own, or active, completed, failed, stopped.")
@click.option("--find", help="Words in the name or the id.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many at most.")
@with_json
@click.pass_obj
def list_all(session: Session, /, as_json: bool, **query: Any) -> None:
    """List jobs, newest first.

    \b
    Examples:
      roca jobs list
      roca jobs list --kind customization --status active
    """
    given = urlencode({name: value for name, value in query.items() if value is not None})
    answer = get(session.server(), f"{_PATH}?{given}", region=session.settings.server.region)
    if as_json:
        print_json(answer)
        return
    rows = [
        (job["name"] or "-", job["kind"], job["status"], _progress(job), _when(job["created_at"]), _short(job["id"]))
        for job in answer["jobs"]
    ]
    print_table(("name", "kind", "status", "progress", "created", "id"), rows)
    if answer.get("next"):
        click.echo(f"there are more; --limit {2 * query['limit']} shows them", err=True)


@jobs.command()
@click.argument("name")
@with_json
@click.pass_obj
def show(session: Session, name: str, as_json: bool) -> None:
    """Show one job.

    \b
    Examples:
      roca jobs show harbour
    """
    job = get(session.server(), _path(name), region=session.settings.server.region)
    if as_json:
        print_json(job)
        return
    _show(job)


@jobs.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on showing lines as they come, until the job is over.")
@click.option("--events", is_flag=True, help="What the training wrote down, step by step, as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="The same as --events.")
@click.pass_obj
def logs(session: Session, name: str, follow: bool, events: bool, as_json: bool) -> None:
    """Show what the processes of a training said.

    \b
    Examples:
      roca jobs logs -f harbour
      roca jobs logs harbour --events
    """
    part = "events" if events or as_json else "logs"
    path = f"{_path(name)}/{part}?follow={'true' if follow else 'false'}"
    # A paused training says nothing for a long time.
    for line in lines(session.server(), path, region=session.settings.server.region, timeout_s=86_400):
        click.echo(line)
        sys.stdout.flush()


@jobs.command()
@click.argument("name")
@with_json
@click.pass_obj
def stop(session: Session, name: str, as_json: bool) -> None:
    """Stop a job; a training finishes its step, saves and leaves.

    \b
    Examples:
      roca jobs stop harbour
    """
    job = post(session.server(), f"{_path(name)}/stop", {}, region=session.settings.server.region)
    if as_json:
        print_json(job)
    else:
        click.echo(f"{job['name']}: {job['status']}")


@jobs.command()
@click.argument("name")
@with_json
@click.pass_obj
def resume(session: Session, name: str, as_json: bool) -> None:
    """Let a training that was stopped, or has failed, go on from its newest checkpoint.

    \b
    Examples:
      roca jobs resume harbour
    """
    job = post(session.server(), f"{_path(name)}/resume", {}, region=session.settings.server.region)
    if as_json:
        print_json(job)
    else:
        click.echo(f"{job['name']}: {job['status']}")


def _path(name: str) -> str:
    return f"{_PATH}/{quote(name, safe='')}"


def _show(job: dict[str, Any]) -> None:
    progress = job.get("progress") or {}
    facts = {name: job.get(name) for name in ("name", "kind", "status", "reason", "created_at", "ended_at", "id")}
    facts |= {name: job.get(name) for name in ("base", "type", "model_name", "model")}
    told = [(name.replace("_", " "), value) for name, value in facts.items() if value]
    if progress:
        told.append(("progress", _progress(job)))
    width = max(len(name) for name, _ in told)
    for name, value in told:
        click.echo(f"{name.ljust(width)}  {value}")
    for title, curve in (("loss", "losses"), ("validation", "validation_losses")):
        values = [loss for _, loss in progress.get(curve) or () if loss is not None]
        if values:
            click.echo(f"{title.ljust(width)}  {values[0]:.3f} {sparkline(values)} {values[-1]:.3f}")
    for message in progress.get("warnings") or ():
        click.echo(f"warning: {message}")
    compared = job.get("foreseen") or ()
    if compared:
        click.echo()
        show_comparison(compared)
    show_forgetting(job)


def _progress(job: dict[str, Any]) -> str:
    """How far it is, in the units of its kind.

    >>> _progress({"progress": {"total": 10, "good": 3, "bad": 1}}), _progress({"progress": None})
    ('4 of 10, 1 failed', '-')
    """
    progress = job.get("progress") or {}
    if "state" in progress:
        return status_line(progress)
    if "total_bytes" in progress:
        return f"{readable_size(progress['done_bytes'])} of {readable_size(progress['total_bytes'])}"
    if "total" in progress:
        failed = f", {progress['bad']} failed" if progress["bad"] else ""
        return f"{progress['good'] + progress['bad']} of {progress['total']}{failed}"
    return "-"


def _short(id_: str) -> str:
    return id_.rpartition("/")[2]


def _when(text: str) -> str:
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
