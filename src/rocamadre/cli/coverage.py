"""`roca coverage`."""

from __future__ import annotations

import click

from rocamadre.api.coverage import STATES, counts, coverage_json, entries
from rocamadre.cli.output import print_table
from rocamadre.cli.session import Session, print_json, with_json


@click.command()
@click.argument("service", required=False)
@click.option("--state", type=click.Choice(STATES), help="Only operations in this state.")
@with_json
@click.pass_obj
def coverage(session: Session, service: str | None, state: str | None, as_json: bool) -> None:
    """Show which operations there are.

    Full: every member is honoured. Partial: it works, but for what is named. Absent: refused with 501. Without
    SERVICE only the figures are shown.

    \b
    Examples:
      roca coverage
      roca coverage bedrock-runtime
      roca coverage --state partial --json
    """
    every = entries()
    services = counts(every)
    if service is not None and service not in services:
        raise click.UsageError(f"there is no service {service!r}; there are: {', '.join(services)}")
    found = [entry for entry in every if service in (None, entry.service) and state in (None, entry.state)]
    if as_json:
        print_json(coverage_json(found))
    elif service is None and state is None:
        print_table(("service", *STATES), [(name, *row.values()) for name, row in services.items()])
    else:
        for entry in found:
            click.echo(f"{entry.state:<8} {entry.service} {entry.operation}")
            for sentence in entry.missing:
                click.echo(f"{'':<9}{sentence}")
