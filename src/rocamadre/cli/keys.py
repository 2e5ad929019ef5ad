"""`roca keys`."""

from __future__ import annotations

from typing import Any

import click

from rocamadre.cli.output import print_table
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.identity.operations import DEFAULT_ACCOUNT, create_key, list_keys, revoke_key
from rocamadre.identity.types import Key

_DAY_S = 86_400.0


@click.group()
def keys() -> None:
    """Make and revoke API keys.

    Keys matter while the setting server.auth is "required"; otherwise any credential will do.
    """


@keys.command()
@click.argument("name")
@click.option("--bearer", is_flag=True, help="A bearer key, not an access key pair for AWS signatures.")
@click.option("--account", default=DEFAULT_ACCOUNT, show_default=True, help="Account whose resources it sees.")
@click.option("--access-key-id", help="Give the access key pair this id; not with --bearer.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Days until it expires; never, unless given.")
@with_json
@click.pass_obj
def create(session: Session, /, name: str, bearer: bool, as_json: bool, **options: Any) -> None:
    """Make a key; its secret is shown this once.

    An access key pair goes into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and works everywhere. A bearer key goes
    into OPENAI_API_KEY, or into AWS_BEARER_TOKEN_BEDROCK, which boto3 sends over TLS only.

    \b
    Examples:
      roca keys create laptop
      roca keys create ci --bearer --days 30
    """
    if options["access_key_id"] and bearer:
        raise click.UsageError("--access-key-id is for an access key pair, not for --bearer")
    with local_host(session) as host:
        made = create_key(
            host.sql,
            host.settings.home,
            host.clock,
            name=name,
            kind="bearer" if bearer else "signing",
            account=options["account"],
            access_key_id=options["access_key_id"],
            expires_in_s=options["days"] * _DAY_S if options["days"] else None,
        )
    if as_json:
        print_json({**_described(made.key), "secret": made.secret})
        return
    if bearer:
        click.echo(f"export AWS_BEARER_TOKEN_BEDROCK={made.secret}\nexport OPENAI_API_KEY={made.secret}")
    else:
        click.echo(f"export AWS_ACCESS_KEY_ID={made.key.id}\nexport AWS_SECRET_ACCESS_KEY={made.secret}")
    click.echo("The secret is not shown again.", err=True)


@keys.command("list")
@with_json
@click.pass_obj
def list_all(session: Session, as_json: bool) -> None:
    """List keys, without their secrets.

    \b
    Examples:
      roca keys list
    """
    with local_host(session) as host:
        found = list_keys(host.sql, host.settings.home, host.clock)
        now = host.clock.now()
    if as_json:
        print_json([_described(key) for key in found])
    elif not found:
        click.echo("no keys; make one with `roca keys create NAME`")
    else:
        rows = [
            (
                key.name,
                key.kind,
                key.id,
                f"…{key.last_four}",
                key.account,
                f"{key.created_at:%Y-%m-%d}",
                "expired" if key.expired(now) else f"{key.expires_at:%Y-%m-%d}" if key.expires_at else "never",
            )
            for key in found
        ]
        print_table(("name", "kind", "id", "secret", "account", "made", "expires"), rows)


@keys.command()
@click.argument("name")
@click.option("--account", help="Needed when keys of several accounts have this name.")
@with_json
@click.pass_obj
def revoke(session: Session, name: str, account: str | None, as_json: bool) -> None:
    """Take a key away; a running server refuses it within a second.

    NAME is the key's name or id.

    \b
    Examples:
      roca keys revoke laptop
    """
    with local_host(session) as host:
        key = revoke_key(host.sql, host.settings.home, host.clock, name, account=account)
    if as_json:
        print_json(_described(key))
    else:
        click.echo(f"revoked {key.kind} key {key.name!r} ({key.id})")


def _described(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "kind": key.kind,
        "account": key.account,
        "last_four": key.last_four,
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at.isoformat() if key.expires_at else None,
    }
