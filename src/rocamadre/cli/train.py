"""`roca train`."""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click
from botocore.exceptions import ClientError

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.host import LocalHost
from rocamadre.catalog.operations import resolve_here
from rocamadre.catalog.targets import select_named, select_target
from rocamadre.catalog.types import Resolved
from rocamadre.cli.client import open_client, reported
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.http import get
from rocamadre.cli.process import Server
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.cli.training_view import show_comparison, show_forgetting, show_preflight, watch
from rocamadre.customization.hyperparameters import read
from rocamadre.customization.types import CustomizationType
from rocamadre.datasets.sources import Source, find_sources
from rocamadre.datasets.tokenizer import open_tokenizer
from rocamadre.datasets.types import Chat, Example, Text
from rocamadre.datasets.validation import Rules, load_examples
from rocamadre.identity.operations import DEFAULT_ACCOUNT
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.preflight.estimate import Preflight
from rocamadre.training.preflight.prospect import look_ahead

BUCKET = "rocamadre-training"
"""Where data is uploaded to, and metrics are written; made when it is not there."""

ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT}:role/roca-train"
"""Wanted by the API; a job reads and writes the buckets of its own account, whatever is said here."""

_KINDS: dict[str, CustomizationType] = {"answers": "FINE_TUNING", "text": "CONTINUED_PRE_TRAINING"}
_NAME = re.compile(r"[^a-z0-9-]+")


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the command line asks for.

    Attributes:
        data: Paths of files, or one `s3://` URI.
        kind: `answers` or `text`.
        given: Hyperparameters as strings.
        forgetting: Paths or URIs of data on which is measured what the model forgets.
    """

    data: str
    validation: str | None
    base: str
    kind: str
    name: str
    given: dict[str, str]
    forgetting: tuple[str, ...] = ()


@click.command()
@click.argument("data")
@click.option("--base", default="roca-mini", show_default=True, help="The model to start from: a name, id or ARN.")
@click.option("--method", type=click.Choice(list(FACTS)), default="lora", show_default=True, help="How it is trained.")
@click.option("--text", "text", is_flag=True, help="Learn running text instead of answers: continued pre-training.")
@click.option("--set", "given", multiple=True, help="A setting, as NAME=VALUE; docs/methods.md lists them. Repeatable.")
@click.option("--name", help="What to call the model; made from the data's name, unless given.")
@click.option("--validation", help="Data that is only looked at, to see how well it goes.")
@click.option(
    "--forgetting", multiple=True, help="Data whose loss is measured before and after: what is forgotten? Repeatable."
)
@click.option("--dry-run", is_flag=True, help="Say what it will take, and start nothing.")
@click.option("--follow/--detach", default=True, help="Watch it to its end, or leave it alone at once.")
@with_json
@click.pass_obj
def train(session: Session, /, as_json: bool, dry_run: bool, follow: bool, **options: Any) -> None:
    """Teach a model something.

    DATA is a file (JSONL, CSV, JSON, Parquet) or an `s3://` URI; `roca data preview` shows what a model sees of it.
    A job trains in the background and survives whatever dies; Ctrl-C leaves it alone.

    \b
    Examples:
      roca train data.jsonl --base roca-mini --method lora --name harbour
      roca train data.jsonl --method full --set learning_rate=1e-4 --set epochs=3 --dry-run
      roca train book.jsonl --text --detach
    """
    wish = _Wish(
        data=options["data"],
        validation=options["validation"],
        base=options["base"],
        kind="text" if options["text"] else "answers",
        name=options["name"] or _made_name(options["data"]),
        given={"method": options["method"], **_settings(options["given"])},
        forgetting=options["forgetting"],
    )
    if dry_run:
        preflight = foresee(session, wish)
        if as_json:
            print_json(preflight.as_json())
        else:
            show_preflight(preflight.as_json())
        return
    server = session.server()
    region = session.settings.server.region
    arn = _create(server, wish, region=region)
    place = f"/_rocamadre/jobs/{quote(arn, safe='')}"
    if not follow:
        _tell_begun(arn, wish, as_json=as_json)
        return
    try:
        job = watch(lambda: get(server, place, region=region), title=f"{wish.name} from {wish.base}")
    except KeyboardInterrupt:
        _leave(wish.name)
    _tell_end(job, as_json=as_json)


def foresee(session: Session, wish: _Wish) -> Preflight:
    """What the training will take, worked out here; no server is needed.

    Raises:
        RocamadreError: data, base or settings are wrong.
    """
    if any("://" in where for where in (wish.data, wish.validation or "", *wish.forgetting)):
        raise CommandFailed("--dry-run reads files of this machine; give a path instead of a URI")
    with local_host(session) as host:
        resolved = _resolved(session, host, wish.base)
    model = resolved.model
    if model.path is None or _KINDS[wish.kind] not in model.customizations:
        raise CommandFailed(f"{model.id} cannot be trained here; `roca models list` shows what there is")
    settings = read(resolved.base_id, _KINDS[wish.kind], wish.given, context_length=model.context_length)
    rules = Rules(
        kinds=(Text,) if wish.kind == "text" else (Chat,),
        tokenizer=open_tokenizer(model.path),
        max_length=settings.max_length,
    )

    def examples(where: str) -> Iterator[Example]:
        return load_examples(find_sources(where), rules)

    for where in wish.forgetting:
        for _ in load_examples(find_sources(where), replace(rules, kinds=(Chat, Text))):
            pass  # Reading it is the check.

    return look_ahead(
        session.home,
        model.path,
        settings,
        examples(wish.data),
        validation=examples(wish.validation) if wish.validation else None,
        aws_model_id=resolved.requested if resolved.aliased else "",
        measure=True,
    )


def _resolved(session: Session, host: LocalHost, name: str) -> Resolved:
    """What a base's name stands for: a model, an alias, or a custom model of the account whose keys are set."""
    try:
        return resolve_here(host, name)
    except UnknownModel:
        key = os.environ.get("AWS_ACCESS_KEY_ID", "")
        account = key if len(key) == 12 and key.isdecimal() else DEFAULT_ACCOUNT
        find = select_target if name.startswith("arn:") else select_named
        with host.sql.connect() as connection:
            target = find(connection, account, session.settings.server.region, name)
        if target is None or target.facts is None:
            raise
        return Resolved(name, target.base_id, target.model(session.home / "models"), False)


def _settings(given: Iterable[str]) -> dict[str, str]:
    found = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name.strip():
            raise click.UsageError(f"--set {each!r}: write NAME=VALUE, for example --set learning_rate=1e-4")
        if name.strip() in found:
            raise click.UsageError(f"--set {name.strip()} is given twice")
        found[name.strip()] = value.strip()
    return found


def _made_name(data: str) -> str:
    """A name that nobody else has: the data's and the time."""
    stem = _NAME.sub("-", Path(data.rstrip("/")).name.split(".")[0].lower()).strip("-") or "model"
    return f"{stem[:40]}-{time.strftime('%m%d-%H%M%S')}"


def _create(server: Server, wish: _Wish, *, region: str) -> str:
    """Upload the data and begin the job; its ARN."""
    s3 = open_client(server, region=region, service="s3")
    bedrock = open_client(server, region=region, service="bedrock")
    with reported():
        _make_bucket(s3, region)
        request: dict[str, Any] = {
            "jobName": wish.name,
            "customModelName": wish.name,
            "roleArn": ROLE,
            "baseModelIdentifier": wish.base,
            "customizationType": _KINDS[wish.kind],
            "trainingDataConfig": {"s3Uri": _uploaded(s3, wish.data, wish.name, "train")},
            "outputDataConfig": {"s3Uri": f"s3://{BUCKET}/{wish.name}/output/"},
            "hyperParameters": wish.given,
        }
        if wish.validation:
            uri = _uploaded(s3, wish.validation, wish.name, "validation")
            request["validationDataConfig"] = {"validators": [{"s3Uri": uri}]}
        if wish.forgetting:
            uris = [_uploaded(s3, each, wish.name, "forgetting") for each in wish.forgetting]
            request["hyperParameters"] = {**wish.given, "forgetting_data": ",".join(uris)}
        return str(bedrock.create_model_customization_job(**request)["jobArn"])


def _make_bucket(s3: Any, region: str) -> None:
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.create_bucket(Bucket=BUCKET, **place)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
            raise


def _uploaded(s3: Any, where: str, name: str, part: str) -> str:
    """The URI at which data lies; files are put there first, each under its hash, so that nothing is overwritten."""
    if "://" in where:
        return where
    sources: list[Source] = find_sources(where)
    if len(sources) > 1:
        raise CommandFailed(
            f"{where} holds {len(sources)} data files; give one of them, or upload them and give s3://…/"
        )
    path = Path(where) if Path(where).is_file() else Path(sources[0].name)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    # URIs are listed with commas between.
    key = f"{name}/{part}/{digest.hexdigest()[:12]}/{path.name.replace(',', '-')}"
    s3.upload_file(str(path), BUCKET, key)
    return f"s3://{BUCKET}/{key}"


def _tell_begun(arn: str, wish: _Wish, *, as_json: bool) -> None:
    if as_json:
        print_json({"jobArn": arn, "name": wish.name})
    else:
        click.echo(f"{wish.name} is being trained; `roca jobs show {wish.name}` tells how far it is")


def _leave(name: str) -> NoReturn:
    click.echo(
        f"\n{name} goes on without you. `roca jobs logs -f {name}` watches it, `roca jobs stop {name}` stops it.",
        err=True,
    )
    sys.exit(Exit.OK)


def _tell_end(job: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(job)
    if job["status"] != "Completed":
        raise CommandFailed(f"{job['name']}: {job['status']}{': ' + job['reason'] if job.get('reason') else ''}")
    if as_json:
        return
    if job.get("foreseen"):
        show_comparison(job["foreseen"])
    show_forgetting(job)
    click.echo(f'{job["model_name"]} is trained. Ask it:\n  roca run {job["model_name"]} "…"')
