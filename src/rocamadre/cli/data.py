"""`roca data`."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import click

from rocamadre.cli.data_build import build
from rocamadre.cli.data_places import base_tokenizer, default_name, open_data, open_sources, put_out, rules_of
from rocamadre.cli.data_scan import scan_
from rocamadre.cli.data_view import print_account, print_report, print_statistics, print_view
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.output import print_table, readable_size
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.filtering import apply_filters
from rocamadre.datasets.formats.registry import FORMATS
from rocamadre.datasets.operations import (
    content_path,
    find_dataset,
    import_dataset,
    list_datasets,
    remove_dataset,
)
from rocamadre.datasets.picture import draw
from rocamadre.datasets.preview import preview as preview_examples
from rocamadre.datasets.splitting import assign
from rocamadre.datasets.statistics import count_all
from rocamadre.datasets.validation import Report, validate

_FORMAT = click.option("--format", "format_", type=click.Choice(FORMATS.names()), help="Of the records; else detected.")
_BASE = click.option("--base", help="Model whose tokens count.")


@click.group()
def data() -> None:
    """Check, keep and prepare data to train on.

    DATA is a file or folder (JSON Lines, JSON, CSV, Parquet; also with .gz), an object or prefix as s3://BUCKET/KEY, or
    the name of a registered data set. None of these commands needs a running server, but for `roca data build` when a
    model writes the data.
    """


@data.command("import")
@click.argument("place")
@click.option("--name", help="What to call it; the file's name, unless given.")
@_FORMAT
@click.option("--encoding", default="", help="Of the files; else detected.")
@click.option("--ignore-unknown", is_flag=True, help="Pass over members that the format does not know.")
@_BASE
@click.option("--max-length", type=click.IntRange(8), help="Most tokens of a conversation; needs --base.")
@click.option("--dry-run", is_flag=True, help="Check, and keep nothing.")
@with_json
@click.pass_obj
def import_(session: Session, /, place: str, name: str | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Check data, and register it when every record is good.

    What is wrong is listed with its file, line, field and what to do; nothing is kept then. The same content again is
    the same version.

    \b
    Examples:
      roca data import train.jsonl --name support
      roca data import s3://my-bucket/data/train.jsonl --base roca-mini --max-length 512
      roca data import rows.csv --dry-run
    """
    if options["max_length"] and not options["base"]:
        raise click.UsageError("--max-length counts tokens; name the model with --base")
    with local_host(session) as host, open_sources(session, place) as sources:
        rules = rules_of(host, **options)
        report = Report() if not dry_run else validate(sources, rules)
        found = None
        if not dry_run:
            found = _import_or_report(host, sources, name or default_name(place), rules, report)
    if as_json:
        print_json({"dataset": _described(found) if found else None, "report": report.as_json()})
    else:
        print_report(report)
        if found is not None:
            click.echo(f"{found.label} is registered: {found.records} {found.kind} records")
    if not report.ok:
        problems = "1 problem" if report.errors == 1 else f"{report.errors} problems"
        raise CommandFailed(f"{problems}; nothing was kept")


def _import_or_report(host: Any, sources: Any, name: str, rules: Any, report: Report) -> Any:
    try:
        return import_dataset(host, sources, name, rules=rules, report=report)
    except InvalidRequest:
        # The report says it better, line by line.
        if report.errors:
            return None
        raise


@data.command("list")
@with_json
@click.pass_obj
def list_all(session: Session, as_json: bool) -> None:
    """List the registered data sets.

    \b
    Examples:
      roca data list
    """
    with local_host(session) as host:
        found = list_datasets(host)
    if as_json:
        print_json([_described(each) for each in found])
        return
    rows = [
        (each.name, each.version, each.kind, each.records, readable_size(each.size_bytes), each.format, each.source)
        for each in found
    ]
    print_table(("name", "version", "kind", "records", "size", "format", "from"), rows)


@data.command()
@click.argument("label")
@with_json
@click.pass_obj
def show(session: Session, label: str, as_json: bool) -> None:
    """Show what is known of a registered data set, and where its file is.

    LABEL is NAME, which is its newest version, or NAME@VERSION.

    \b
    Examples:
      roca data show support
    """
    with local_host(session) as host:
        found = find_dataset(host, label)
        facts = {**_described(found), "path": str(content_path(host, found))}
    if as_json:
        print_json(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        if value != "":
            click.echo(f"{key.ljust(width)}  {value}")


@data.command()
@click.argument("place", metavar="DATA")
@_BASE
@_FORMAT
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw them into this SVG file.")
@with_json
@click.pass_obj
def stats(session: Session, /, place: str, base: str | None, as_json: bool, **options: Any) -> None:
    """Count what is in data: lengths, turns, languages, duplicates, personal data.

    \b
    Examples:
      roca data stats support --base roca-mini
      roca data stats train.jsonl --picture train.svg
    """
    with local_host(session) as host:
        tokenizer = base_tokenizer(host, base)
        with open_data(session, host, place, options["format_"]) as examples:
            found = count_all(examples(), tokenizer).as_json()
    picture: Path | None = options["picture"]
    if picture is not None:
        picture.write_text(draw(found, place), encoding="utf-8")
    if as_json:
        print_json(found)
        return
    print_statistics(found)
    if picture is not None:
        click.echo(f"drawn into {picture}")


@data.command()
@click.argument("place", metavar="DATA")
@click.option("--base", required=True, help="Model that is to read it.")
@_FORMAT
@click.option("-n", "--records", type=click.IntRange(1, 1000), default=3, show_default=True, help="How many to show.")
@click.option("--skip", type=click.IntRange(0), default=0, help="Pass over this many first.")
@with_json
@click.pass_obj
def preview(session: Session, /, place: str, base: str, format_: str | None, as_json: bool, **options: Any) -> None:
    """Show exactly what the model will see, and what of it is learned.

    What is learned is coloured; where there are no colours it stands between « and ».

    \b
    Examples:
      roca data preview train.jsonl --base roca-mini
      roca data preview support --base roca-mini -n 1 --skip 10
    """
    with local_host(session) as host:
        tokenizer = base_tokenizer(host, base)
        assert tokenizer is not None
        with open_data(session, host, place, format_) as examples:
            views = list(preview_examples(examples(), tokenizer, limit=options["records"], skip=options["skip"]))
    if as_json:
        print_json([view.as_json() for view in views])
        return
    for view in views:
        print_view(view)


@data.command()
@click.argument("place", metavar="DATA")
@click.option("--part", "parts", multiple=True, help="NAME=SHARE, several times; train=0.8, validation=0.1, test=0.1.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another one divides otherwise.")
@click.option("--name", help="Register the parts as NAME-train and so on; the data's name, unless given.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write files into this folder instead.")
@_FORMAT
@click.option("--as", "written", type=click.Choice(FORMATS.names()), help="Format of the files; else Bedrock's.")
@with_json
@click.pass_obj
def split(session: Session, /, place: str, parts: tuple[str, ...], seed: int, as_json: bool, **options: Any) -> None:
    """Divide data into parts, the same way each time.

    Which record goes where follows from its content. Records that are nearly the same, or ask the same, stay together;
    shares are met on average.

    \b
    Examples:
      roca data split support
      roca data split train.jsonl --part train=0.9 --part validation=0.1 --out parts
    """
    shares = _shares(parts or ("train=0.8", "validation=0.1", "test=0.1"))
    stem = options["name"] or default_name(place)
    with local_host(session) as host, open_data(session, host, place, options["format_"]) as examples:
        sides = assign(examples(), shares, seed=seed)
        made = []
        for part in shares:
            chosen = (each for each, side in zip(examples(), sides, strict=True) if side == part)
            out = options["out"] / f"{part}.jsonl" if options["out"] else None
            label = put_out(host, chosen, f"{stem}-{part}", out, options["written"], source=f"split of {place}")
            made.append({"part": part, "records": sides.count(part), "kept": label})
    if as_json:
        print_json(made)
        return
    print_table(("part", "records", "kept"), [tuple(each.values()) for each in made])


def _shares(parts: tuple[str, ...]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in parts:
        name, _, share = part.partition("=")
        try:
            shares[name.strip()] = float(share)
        except ValueError:
            raise click.UsageError(f"--part {part!r}: write NAME=SHARE, for example train=0.8") from None
    return shares


@data.command("filter")
@click.argument("place", metavar="DATA")
@click.option("--use", "filters", multiple=True, required=True, help="FILTER or FILTER:SETTING=VALUE;…; several times.")
@_BASE
@click.option("--name", help="Register what stays; the data's name with -filtered, unless given.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a file instead.")
@_FORMAT
@click.option("--as", "written", type=click.Choice(FORMATS.names()), help="Format of the file; else Bedrock's.")
@with_json
@click.pass_obj
def filter_(session: Session, /, place: str, filters: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Keep what passes filters, and tell what went and why.

    Filters: length, regex, language, exact, near, gopher, c4, personal; docs/datasets.md lists their settings.

    \b
    Examples:
      roca data filter train.jsonl --use exact --use near --out clean.jsonl
      roca data filter support --use 'length:most=300' --use 'language:keep=en,es'
    """
    name = options["name"] or f"{default_name(place)}-filtered"
    with local_host(session) as host, open_data(session, host, place, options["format_"]) as examples:
        kept, account = apply_filters(examples(), filters, tokenizer=base_tokenizer(host, options["base"]))
        first = next(kept, None)
        label = ""
        if first is not None:
            stays = chain((first,), kept)
            label = put_out(host, stays, name, options["out"], options["written"], source=f"filtered {place}")
    if as_json:
        print_json({**account.as_json(), "written": label})
        return
    print_account(account)
    if not label:
        raise CommandFailed(f"none of {account.read} records stays; nothing was written")
    click.echo(f"{account.kept} of {account.read} stay: {label}")


@data.command()
@click.argument("label")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--as", "written", type=click.Choice(FORMATS.names()), help="Format of the file; else Bedrock's.")
@with_json
@click.pass_obj
def export(session: Session, label: str, out: Path, written: str | None, as_json: bool) -> None:
    """Write a registered data set into a file.

    \b
    Examples:
      roca data export support support.jsonl
      roca data export support support.jsonl --as openai
    """
    with local_host(session) as host, open_data(session, host, label, None) as examples:
        kept = put_out(host, examples(), "", out, written, source="")
    if as_json:
        print_json({"path": kept})
    else:
        click.echo(f"written into {kept}")


@data.command()
@click.argument("label")
@with_json
@click.pass_obj
def remove(session: Session, label: str, as_json: bool) -> None:
    """Remove a registered data set: NAME with all its versions, or NAME@VERSION.

    \b
    Examples:
      roca data remove support
    """
    with local_host(session) as host:
        gone = remove_dataset(host, label)
    if as_json:
        print_json([_described(each) for each in gone])
    else:
        click.echo("removed " + ", ".join(each.label for each in gone))


data.add_command(build)
data.add_command(scan_)


def _described(dataset: Any) -> dict[str, Any]:
    """A data set's facts as JSON can hold them."""
    names = ("name", "version", "kind", "records", "size_bytes", "format", "source", "sha256", "created_at")
    return {name: getattr(dataset, name) for name in names}
