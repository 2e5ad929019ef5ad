"""How knowledge bases, ingestions and the way of each chunk look in a terminal."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from rocamadre.cli.output import print_table, readable_size

_WIDTH = 96
_MOST_LISTED = 10
_STATISTICS = (
    ("numberOfNewDocumentsIndexed", "new"),
    ("numberOfModifiedDocumentsIndexed", "modified"),
    ("numberOfMetadataDocumentsModified", "with new attributes"),
    ("numberOfDocumentsDeleted", "deleted"),
    ("numberOfDocumentsSkipped", "unchanged"),
    ("numberOfDocumentsFailed", "failed"),
)


def show_bases(bases: Sequence[Mapping[str, Any]]) -> None:
    """Print a list of knowledge bases."""
    if not bases:
        click.echo("there is no knowledge base yet; make one with `roca kb create NAME`")
        return
    rows = [
        (each["name"], each["id"], each["status"], each["type"], each["data_sources"], _counted(each["documents"]))
        for each in bases
    ]
    print_table(("name", "id", "status", "type", "data sources", "documents"), rows)


def show_base(base: Mapping[str, Any]) -> None:
    """Print one knowledge base: what it is, where its chunks are, and what fills it."""
    dimensions = str(base["dimensions"])
    if base.get("asked_dimensions") and base["asked_dimensions"] > base["dimensions"]:
        dimensions += f" ({base['asked_dimensions']} were asked for; the map to them would keep every cosine)"
    lines = [
        ("name", base["name"]),
        ("id", base["id"]),
        ("description", base["description"]),
        ("type", base["type"]),
        ("status", base["status"]),
        ("store", base["mapping"] or base["store"]),
        ("embedder", _embedder(base)),
        ("dimensions", dimensions if base["embedder"] else ""),
        ("chunks", base.get("chunks")),
        ("languages", ", ".join(f"{name or 'other'} {count}" for name, count in base.get("languages", {}).items())),
        ("on disk", readable_size(base["size_bytes"]) if base.get("size_bytes") is not None else ""),
        ("documents", _counted(base["documents"])),
    ]
    for name, value in lines:
        if value not in ("", None):
            click.echo(f"{click.style(name.ljust(12), bold=True)}{value}")
    for source in base["data_sources"]:
        click.echo(f"\n{click.style(source['name'], bold=True)}  {source['id']}  {source['type']}, {source['status']}")
        click.echo(f"  from       {_origin(source)}")
        click.echo(f"  chunks by  {_chunking(source)}")
        click.echo(f"  documents  {_counted(source['documents'])}")
        if source["last_job"]:
            click.echo(f"  last job   {job_line(source['last_job'])}")
            show_failures(source["last_job"].get("failures", ()), indent="  ")


def job_line(job: Mapping[str, Any]) -> str:
    """How far an ingestion job is, in a line.

    >>> job_line({"status": "COMPLETE", "statistics": {"numberOfDocumentsScanned": 3, "numberOfDocumentsFailed": 1}})
    'COMPLETE: 3 looked at, 1 failed'
    """
    figures = job.get("statistics", {})
    parts = [f"{figures.get('numberOfDocumentsScanned', 0)} looked at"]
    parts += [f"{figures[name]} {word}" for name, word in _STATISTICS if figures.get(name)]
    return f"{job['status']}: {', '.join(parts)}"


def show_failures(failures: Sequence[str], *, indent: str = "") -> None:
    """Print why documents failed, the first ones."""
    for each in failures[:_MOST_LISTED]:
        click.echo(f"{indent}- {each}", err=not indent)
    if len(failures) > _MOST_LISTED:
        click.echo(f"{indent}  and {len(failures) - _MOST_LISTED} more", err=not indent)


@contextmanager
def watched(title: str) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Show a job: on a terminal a line that stays in its place, otherwise a line whenever its status is another."""
    if not sys.stderr.isatty():
        said: list[str] = []

        def show_line(job: Mapping[str, Any]) -> None:
            if said[-1:] != [job["status"]]:
                said.append(job["status"])
                click.echo(f"{title}: {job_line(job)}", err=True)

        yield show_line
        return
    from rich.console import Console  # noqa: PLC0415  (slow to import; only a terminal needs it)
    from rich.status import Status  # noqa: PLC0415

    console = Console(stderr=True)
    with Status(title, console=console) as status:
        last: list[str] = [""]

        def show_status(job: Mapping[str, Any]) -> None:
            last[0] = f"{title}: {job_line(job)}"
            status.update(last[0])

        yield show_status
    console.print(last[0], highlight=False, markup=False)


def show_results(results: Sequence[Mapping[str, Any]]) -> None:
    """Print what was found, best first."""
    if not results:
        click.echo("nothing was found")
    for place, result in enumerate(results, 1):
        metadata = result.get("metadata", {})
        span = ""
        if "x-rocamadre-start" in metadata:
            span = f"  characters {metadata['x-rocamadre-start']:g}-{metadata['x-rocamadre-end']:g}"
        page = metadata.get("x-amz-bedrock-kb-document-page-number")
        where = f"{metadata.get('x-amz-bedrock-kb-source-uri', '')}{f'  page {page:g}' if page else ''}{span}"
        click.echo(f"{click.style(f'{place}.', bold=True)} {result.get('score', 0):.3f}  {where}")
        click.echo(f"   {_shortened(result['content'].get('text', ''), _WIDTH * 3)}")
        own = {name: value for name, value in metadata.items() if not name.startswith(("x-amz-", "x-rocamadre-"))}
        if own:
            click.echo(click.style("   " + ", ".join(f"{name}={value}" for name, value in own.items()), dim=True))


def show_answer(answer: Mapping[str, Any]) -> None:
    """Print an answer, and below it what each part of it rests on."""
    click.echo(answer["output"]["text"])
    for number, citation in enumerate(answer.get("citations", ()), 1):
        part = citation["generatedResponsePart"]["textResponsePart"]
        said = _shortened(part["text"], _WIDTH)
        for reference in citation["retrievedReferences"]:
            where = reference.get("metadata", {}).get("x-amz-bedrock-kb-source-uri", "")
            click.echo(f"\n{click.style(f'[{number}]', bold=True)} {said}\n    {where}")
            click.echo(f"    {_shortened(reference['content'].get('text', ''), _WIDTH * 2)}")


def show_trace(trace: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Print a search stage by stage: what each found, moved and dropped, with scores.

    Args:
        trace: As the server tells it.
        texts: Of the chunks that `listed` names.
    """
    known = {each["chunk"]: each["text"] for each in trace["results"]}
    texts = {**texts, **{each["matched"]: each["text"] for each in trace["results"]}, **known}
    for number, stage in enumerate(trace["stages"], 1):
        title = click.style(f"{number}. {stage['stage']}", bold=True)
        click.echo(f"\n{title}  {stage['milliseconds']:.1f} ms{_facts(stage)}")
        for word, move, each in _lines(stage):
            said = "  ".join(filter(None, (each.get("reason"), _shortened(texts.get(each["chunk"], ""), 48))))
            click.echo(f"   {word.ljust(8)}{move.ljust(9)}{each['chunk'][:12]}  {each['score']:8.4f}  {said}")
        for name in ("found", "moved", "dropped"):
            if len(stage[name]) > _MOST_LISTED:
                click.echo(click.style(f"   and {len(stage[name]) - _MOST_LISTED} more {name}", dim=True))
    click.echo()


def listed(trace: Mapping[str, Any]) -> list[str]:
    """Ids of the chunks that `show_trace` shows, and whose texts the trace does not hold."""
    known = {each[name] for each in trace["results"] for name in ("chunk", "matched")}
    shown = (each["chunk"] for stage in trace["stages"] for _, _, each in _lines(stage))
    return [each for each in dict.fromkeys(shown) if each not in known]


def _lines(stage: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """What a stage did, one line for each chunk: the word for it, from where to where, and the chunk."""
    lines: list[tuple[str, str, Mapping[str, Any]]] = [("found", "", each) for each in stage["found"][:_MOST_LISTED]]
    lines += [("moved", f"{each['from']} → {each['to']}", each) for each in stage["moved"][:_MOST_LISTED]]
    lines += [("dropped", "", each) for each in stage["dropped"][:_MOST_LISTED]]
    return lines or [(f"{place}.", "", each) for place, each in enumerate(stage["ranking"][:_MOST_LISTED], 1)]


def show_chunks(document: Mapping[str, Any]) -> None:
    """Print a document's chunks with their spans."""
    for number, chunk in enumerate(document["chunks"], 1):
        facts = [f"characters {chunk['start']}-{chunk['end']}"]
        facts += [f"page {chunk['page']}"] if chunk["page"] else []
        facts += [" > ".join(chunk["headings"])] if chunk["headings"] else []
        facts += [] if chunk["searched"] else ["parent"]
        title = click.style(f"{number}. {chunk['id'][:12]}", bold=True)
        click.echo(f"{title}  {', '.join(facts)}")
        click.echo(textwrap.indent(textwrap.fill(_shortened(chunk["text"], _WIDTH * 6), _WIDTH), "   "))


def show_graph(graph: Mapping[str, Any]) -> None:
    """Print names and relations."""
    if not graph["entities"]:
        click.echo(
            "no chunk has names noted: they are with `roca kb add NAME PATH --names`, or where a data source has a "
            "contextEnrichmentConfiguration"
        )
        return
    print_table(("name", "chunks"), [(each["name"], each["chunks"]) for each in graph["entities"]])
    if graph["relations"]:
        click.echo()
        rows = [(each["source"], each["phrase"], each["target"], len(each["chunks"])) for each in graph["relations"]]
        print_table(("name", "is said to", "name", "chunks"), rows)


def _embedder(base: Mapping[str, Any]) -> str:
    asked = (base.get("asked_embedder") or "").rpartition("/")[2]
    same = not asked or asked == base["embedder"]
    return base["embedder"] if same else f"{base['embedder']} (stands in for {asked})"


def _origin(source: Mapping[str, Any]) -> str:
    configuration = source["configuration"]
    if source["type"] == "S3":
        s3 = configuration["s3Configuration"]
        bucket = s3["bucketArn"].rpartition(":")[2]
        return " ".join(f"s3://{bucket}/{prefix}" for prefix in s3.get("inclusionPrefixes", [""]))
    if source["type"] == "WEB":
        seeds = configuration["webConfiguration"]["sourceConfiguration"]["urlConfiguration"]["seedUrls"]
        return " ".join(each["url"] for each in seeds)
    loader = source["loader"]
    if loader:
        return f"{loader.get('type', '').lower()} {loader.get('path') or loader.get('url') or ''}".strip()
    return "documents brought one by one"


def _chunking(source: Mapping[str, Any]) -> str:
    given = source["chunking"] or source["ingestion"].get("chunkingConfiguration") or {}
    numbers: Any = next((value for name, value in given.items() if name != "chunkingStrategy"), {})
    said = ", ".join(f"{name} {value}" for name, value in numbers.items()) if isinstance(numbers, dict) else ""
    strategy = given.get("chunkingStrategy", "the default: some 300 tokens of whole sentences")
    return f"{strategy}: {said}" if said else str(strategy)


def _counted(counts: Mapping[str, int]) -> str:
    if not counts:
        return "0"
    whole = sum(counts.values())
    parts = [f"{count} {status}" for status, count in counts.items() if status != "INDEXED"]
    return f"{whole}{f' ({chr(44).join(parts)})' if parts else ''}"


def _facts(stage: Mapping[str, Any]) -> str:
    known = ("stage", "milliseconds", "found", "moved", "dropped", "ranking")
    said = ", ".join(f"{name} {value}" for name, value in stage.items() if name not in known)
    return f"  {click.style(_shortened(said, _WIDTH * 2), dim=True)}" if said else ""


def _shortened(text: str, most: int) -> str:
    return textwrap.shorten(text, most, placeholder=" …")
