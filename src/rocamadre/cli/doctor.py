"""`roca doctor`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import click

from rocamadre.cli.checks import CHECKS, Finding
from rocamadre.cli.exits import Exit
from rocamadre.cli.session import Session, print_json, with_json

_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


@click.command()
@with_json
@click.pass_obj
def doctor(session: Session, as_json: bool) -> int:
    """Look for what is wrong.

    Checks Python, packages, processor, memory, disk, permissions, the port, the embedded models and the server, and
    says what to do about each finding. Exits with 1 when something fails; warnings are none.

    \b
    Examples:
      roca doctor
      roca doctor --json | jq '.[] | select(.state != "ok")'
    """
    findings = [_run(check, session) for check in CHECKS]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = click.style(f"{finding.state:<8}", fg=_COLOURS[finding.state])
            click.echo(f"{mark} {finding.name}: {finding.detail}")
            if finding.remedy:
                click.echo(f"{'':<8} → {finding.remedy}")
    return Exit.FAILURE if any(finding.state == "failure" for finding in findings) else Exit.OK


def _run(check: Callable[[Session], Finding], session: Session) -> Finding:
    name = check.__name__.removeprefix("check_")
    try:
        return check(session)
    except OSError as error:
        return Finding(name, "failure", f"could not be checked: {error}", "see whether you may read that place")
