"""`roca data build`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from rocamadre.catalog.host import LocalHost
from rocamadre.cli.data_places import default_name, open_data, open_sources, put_out
from rocamadre.cli.exits import CommandFailed
from rocamadre.cli.session import Session, print_json, with_json
from rocamadre.cli.store import local_host
from rocamadre.datasets.building.asking import Journal, Made, Progress, converse
from rocamadre.datasets.building.evol_instruct import evol_instruct
from rocamadre.datasets.building.mixing import Recipe, Task, build_mix, read_recipe
from rocamadre.datasets.building.self_instruct import self_instruct
from rocamadre.datasets.canonical import encode
from rocamadre.datasets.content import digest64
from rocamadre.datasets.formats.registry import FORMATS
from rocamadre.datasets.sources import Source
from rocamadre.datasets.types import Chat, Example, Turn
from rocamadre.jobs.rundir import RunDir

_TEMPLATES = ("system", "prompt", "completion", "chosen", "rejected", "text")


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--table", help="CSV, Parquet or JSON Lines file of rows.")
@click.option("--system", default="", help="Template of the system text; columns as {{ name }}.")
@click.option("--prompt", default="", help="Template of what is asked.")
@click.option("--completion", default="", help="Template of the answer.")
@click.option("--chosen", default="", help="Template of the better answer.")
@click.option("--rejected", default="", help="Template of the worse answer.")
@click.option("--text", default="", help="Template of running text.")
@click.option("--where", default="", help="Expression; other rows are passed over.")
@click.option("--self-instruct", "seeds", help="Let a model write instructions like those of this data.")
@click.option("--evol-instruct", "evolve", help="Let a model make the instructions of this data harder.")
@click.option("--model", help="Which model writes; any that the server knows.")
@click.option("-n", "--records", type=click.IntRange(1), help="How many records; 20 where a model writes.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another one picks otherwise.")
@click.option("--temperature", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="Of new instructions.")
@click.option("--max-tokens", type=click.IntRange(16), default=512, show_default=True, help="Of one answer.")
@click.option("--steps", type=click.IntRange(1), help="Most steps of the model; four for each record, unless given.")
@click.option("--name", help="What to call it; the source's name, unless given.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write a file instead.")
@click.option("--as", "written", type=click.Choice(FORMATS.names()), help="Format of the file; else Bedrock's.")
@with_json
@click.pass_obj
def build(session: Session, /, as_json: bool, **options: Any) -> None:
    """Make records of tables, or let a model write them.

    RECIPE is a TOML file of tasks with weights; for one table the options are enough. A model that writes is asked
    through the running server; when the command is repeated after an interruption it goes on where it was.

    \b
    Examples:
      roca data build --table rows.csv --prompt 'Sort this: {{ text }}' --completion '{{ label }}' --name sorted
      roca data build mix.toml --name mix
      roca data build --self-instruct seeds.jsonl --model roca-mini -n 20 --name new
    """
    ways = [name for name in ("recipe", "table", "seeds", "evolve") if options[name]]
    if len(ways) != 1:
        raise click.UsageError("give one of RECIPE, --table, --self-instruct and --evol-instruct")
    if ways[0] in ("seeds", "evolve") and not options["model"]:
        raise click.UsageError("name the model that writes with --model")
    with local_host(session) as host:
        if ways[0] in ("recipe", "table"):
            place, examples, facts = _from_tables(session, options)
        else:
            place, examples, facts = _from_model(session, host, options, evolve=ways[0] == "evolve")
        name = options["name"] or f"{default_name(place)}-built"
        label = put_out(host, examples, name, options["out"], options["written"], source=f"built from {place}")
    if as_json:
        print_json({"records": len(examples), "written": label, **facts})
        return
    for reason, count in facts.get("dropped", {}).items():
        click.echo(f"  {count} × dropped: {reason}", err=True)
    click.echo(f"{len(examples)} record{'' if len(examples) == 1 else 's'}: {label}")


def _from_tables(session: Session, options: dict[str, Any]) -> tuple[str, list[Example], dict[str, Any]]:
    if options["recipe"]:
        path: Path = options["recipe"]
        recipe = read_recipe(path)
        place, folder = str(path.with_suffix("")), path.parent
    else:
        templates = {name: options[name] for name in _TEMPLATES if options[name]}
        task = Task(table=options["table"], where=options["where"], **templates)
        recipe = Recipe(seed=options["seed"], records=options["records"], task=(task,))
        place, folder = options["table"], Path()

    with ExitStack() as opened:

        def open_table(table: str) -> Sequence[Source]:
            return opened.enter_context(open_sources(session, table if "://" in table else str(folder / table)))

        return place, build_mix(recipe, open_table), {"tasks": len(recipe.task)}


def _from_model(
    session: Session, host: LocalHost, options: dict[str, Any], *, evolve: bool
) -> tuple[str, list[Example], dict[str, Any]]:
    from rocamadre.cli.client import open_client, reported  # noqa: PLC0415  (boto3, which tables do not need)

    place = options["evolve"] if evolve else options["seeds"]
    with open_data(session, host, place, None) as examples:
        seeds = [_seed(example) for example in examples()]
    count = options["records"] or 20
    spec = {
        "way": "evol-instruct" if evolve else "self-instruct",
        "seeds": f"{digest64(b''.join(encode(_chat(each)) for each in seeds)):016x}",
        **{name: options[name] for name in ("model", "seed", "temperature", "max_tokens")},
    }
    key = digest64(repr(sorted(spec.items())).encode())
    run = RunDir(host.settings.home / "runs" / f"data-{key:016x}")
    client = open_client(session.server(), region=session.settings.server.region)
    with run.held():
        run.begin(spec)
        journal = Journal(run.work / "made.jsonl")
        if journal.progress.step:
            click.echo(f"going on at step {journal.progress.step + 1}", err=True)
        way = evol_instruct if evolve else self_instruct
        with reported():
            made = way(
                seeds,
                converse(client, options["model"]),
                journal,
                count=count,
                seed=options["seed"],
                temperature=options["temperature"],
                max_tokens=options["max_tokens"],
                most_steps=options["steps"] or 0,
                show=lambda progress: _show(progress, count),
            )
        dropped = dict(journal.progress.dropped.most_common())
    if not made:
        why = ", ".join(f"{count} × {reason}" for reason, count in dropped.items()) or "no step was left"
        raise CommandFailed(f"the model wrote nothing that can be used ({why}); try another model, or more --steps")
    if len(made) < count:
        click.echo(f"{len(made)} of {count}: the steps are used up; more with --steps", err=True)
    return place, [_chat(each) for each in made], {"dropped": dropped, "steps": journal.progress.step}


def _show(progress: Progress, count: int) -> None:
    dropped = progress.dropped.total()
    click.echo(f"step {progress.step}: {len(progress.made)} of {count} made, {dropped} dropped", err=True)


def _seed(example: Example) -> Made:
    turns = getattr(example, "turns", ())
    said = [turn for turn in turns if turn.role != "system"]
    if not isinstance(example, Chat) or not said:
        raise CommandFailed("seeds are instructions with their answers, such as prompt and completion")
    return Made(said[0].text, "", said[1].text)


def _chat(made: Made) -> Chat:
    asked = f"{made.instruction}\n\n{made.input}".strip()
    return Chat((Turn("user", asked), Turn("assistant", made.output)))
