"""`roca kb`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rocamadre.cli.client import reported
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.kb_api import FILES, ROLE, KnowledgeApi, bucket_name, read_json
from rocamadre.cli.kb_eval import evaluate
from rocamadre.cli.kb_view import (
    job_line,
    listed,
    show_answer,
    show_base,
    show_bases,
    show_chunks,
    show_failures,
    show_graph,
    show_results,
    show_trace,
    watched,
)
from rocamadre.cli.session import Session, print_json, with_json


@click.group()
def kb() -> None:
    """Fill knowledge bases with documents, and ask them.

    \b
    Examples:
      roca kb create handbook
      roca kb add handbook ~/documents
      roca kb query handbook "Who may sign a contract?" --explain
    """


kb.add_command(evaluate)


@kb.command()
@click.argument("name")
@click.option("--embedder", default="amazon.titan-embed-text-v2:0", show_default=True, help="Model id or ARN.")
@click.option("--dimensions", type=int, help="Length of the vectors; the embedder's own, unless given.")
@click.option("--description", help="What it is about.")
@with_json
@click.pass_obj
def create(session: Session, /, name: str, as_json: bool, **options: Any) -> None:
    """Make an empty knowledge base.

    \b
    Examples:
      roca kb create handbook
      roca kb create handbook --embedder rocamadre.minilm-l6-v2:0 --description "How we work"
    """
    api = KnowledgeApi(session)
    dimensions, description = options["dimensions"], options["description"]
    vector: dict[str, Any] = {"embeddingModelArn": api.foundation_model(options["embedder"])}
    if dimensions:
        vector["embeddingModelConfiguration"] = {"bedrockEmbeddingModelConfiguration": {"dimensions": dimensions}}
    wish: dict[str, Any] = {
        "name": name,
        "roleArn": ROLE,
        "knowledgeBaseConfiguration": {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": vector},
    }
    if description:
        wish["description"] = description
    with reported():
        base = api.agent.create_knowledge_base(**wish)["knowledgeBase"]
    if as_json:
        print_json(base)
    else:
        click.echo(f"{name} is {base['knowledgeBaseId']}. Fill it:\n  roca kb add {name} PATH…")


@kb.command("list")
@with_json
@click.pass_obj
def list_(session: Session, /, as_json: bool) -> None:
    """List knowledge bases.

    \b
    Examples:
      roca kb list
      roca kb list --json
    """
    bases = KnowledgeApi(session).page()["knowledge_bases"]
    if as_json:
        print_json(bases)
    else:
        show_bases(bases)


@kb.command()
@click.argument("name")
@with_json
@click.pass_obj
def show(session: Session, /, name: str, as_json: bool) -> None:
    """Show one: its store, its embedder, its data sources and their last jobs.

    \b
    Examples:
      roca kb show handbook
      roca kb show ABCDEFGHIJ --json
    """
    base = KnowledgeApi(session).find(name)
    if as_json:
        print_json(base)
    else:
        show_base(base)


@kb.command()
@click.argument("name")
@click.argument("places", nargs=-1, required=True)
@click.option("--chunking", help="A chunkingConfiguration as JSON, or @file; for a new data source only.")
@click.option(
    "--names", is_flag=True, help="Note the names in the chunks, too: `kb graph`; for a new data source only."
)
@click.option("--source", "source_name", help="Name of the data source; made from the place, unless given.")
@with_json
@click.pass_obj
def add(session: Session, /, name: str, places: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Bring documents in, and wait until they are found.

    PLACES are files and folders, which are uploaded, `s3://bucket/prefix`, or addresses of web sites. A folder that is
    added again is compared: what is new or changed is read, what is gone is removed.

    \b
    Examples:
      roca kb add handbook ~/documents --names
      roca kb add handbook s3://my-bucket/reports/ --chunking '{"chunkingStrategy": "NONE"}'
      roca kb add handbook https://docs.example.com/ --source docs
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    ingestion: dict[str, Any] = {}
    if options["chunking"]:
        ingestion["chunkingConfiguration"] = read_json(options["chunking"], "--chunking")
    if options["names"]:
        ingestion["contextEnrichmentConfiguration"] = _enrichment(api.foundation_model("amazon.nova-lite-v1:0"))
    more: dict[str, Any] = {"vectorIngestionConfiguration": ingestion} if ingestion else {}
    sources: dict[str, None] = {}
    for place in places:
        with reported():
            sources[_source_of(api, base, place, options["source_name"], more, quiet=as_json)] = None
            base = api.find(base["id"])
    jobs = [_ingested(api, base, source) for source in sources]
    _tell(jobs, as_json=as_json)


@kb.command()
@click.argument("name")
@click.option("--source", "source_name", help="Only this data source, by name or id.")
@with_json
@click.pass_obj
def sync(session: Session, /, name: str, source_name: str | None, as_json: bool) -> None:
    """Bring a knowledge base level with its data sources.

    \b
    Examples:
      roca kb sync handbook
      roca kb sync handbook --source docs
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    readable = [each for each in base["data_sources"] if each["type"] != "CUSTOM" or each["loader"]]
    wanted = [each for each in readable if source_name in (None, each["name"], each["id"])]
    if not wanted:
        names = ", ".join(each["name"] for each in readable) or "none that can be read; use `roca kb add`"
        raise CommandFailed(f"{name} has no data source {source_name or ''}; there are: {names}", Exit.NOT_FOUND)
    _tell([_ingested(api, base, each["id"]) for each in wanted], as_json=as_json)


@kb.command()
@click.argument("name")
@click.argument("question")
@click.option("-n", "--results", "count", type=click.IntRange(1, 100), default=5, show_default=True, help="How many.")
@click.option("--filter", "where", help="A filter in Bedrock's form, as JSON or @file.")
@click.option("--semantic", is_flag=True, help="By vectors alone, without words.")
@click.option("--rerank", metavar="MODEL", help="Let a reranking model order them: amazon.rerank-v1:0.")
@click.option("--with", "stages", multiple=True, help="A further stage: mmr, multi-query, rag-fusion, hyde, decompose.")
@click.option("--without", multiple=True, help="A stage to leave out.")
@click.option("--fusion", type=click.Choice(["adaptive", "weighted", "rank"]), help="How words and vectors are fused.")
@click.option("--explain", is_flag=True, help="Show stage by stage what found, moved or dropped each chunk.")
@with_json
@click.pass_obj
def query(session: Session, /, name: str, question: str, explain: bool, as_json: bool, **options: Any) -> None:
    """Find the chunks that have to do with a question.

    \b
    Examples:
      roca kb query handbook "Who may sign a contract?"
      roca kb query handbook "Who may sign a contract?" --explain
      roca kb query handbook holidays --filter '{"equals": {"key": "year", "value": 2026}}' -n 3
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    search: dict[str, Any] = {"numberOfResults": options["count"]}
    if options["where"]:
        search["filter"] = read_json(options["where"], "--filter")
    if options["semantic"]:
        search["overrideSearchType"] = "SEMANTIC"
    if options["rerank"]:
        search["rerankingConfiguration"] = _reranking(api.foundation_model(options["rerank"]))
    headers = {"x-rocamadre-explain": "true"} if explain else {}
    wish = {"with": options["stages"], "without": options["without"], "fusion": options["fusion"]}
    if any(wish.values()):
        headers["x-rocamadre-search"] = json.dumps({key: value for key, value in wish.items() if value})
    with reported():
        answer = api.runtime(headers).retrieve(
            knowledgeBaseId=base["id"],
            retrievalQuery={"text": question},
            retrievalConfiguration={"vectorSearchConfiguration": search},
        )
    results = answer["retrievalResults"]
    place = answer["ResponseMetadata"]["HTTPHeaders"].get("x-rocamadre-explain", "")
    trace = api.trace(place) if explain and place else None
    if as_json:
        print_json({"results": results, "trace": trace} if trace else results)
        return
    if trace:
        show_trace(trace, {chunk: api.page(base["id"], "chunks", chunk)["text"] for chunk in listed(trace)})
    show_results(results)


@kb.command()
@click.argument("name")
@click.argument("question")
@click.option("--model", default="amazon.nova-lite-v1:0", show_default=True, help="Who answers.")
@with_json
@click.pass_obj
def ask(session: Session, /, name: str, question: str, model: str, as_json: bool) -> None:
    """Answer a question from the documents, and say which of them say so.

    \b
    Examples:
      roca kb ask handbook "Who may sign a contract?"
      roca kb ask handbook "Who may sign a contract?" --json
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    wish = {"knowledgeBaseId": base["id"], "modelArn": api.foundation_model(model)}
    with reported():
        answer = api.runtime({}).retrieve_and_generate(
            input={"text": question},
            retrieveAndGenerateConfiguration={"type": "KNOWLEDGE_BASE", "knowledgeBaseConfiguration": wish},
        )
    answer.pop("ResponseMetadata", None)
    if as_json:
        print_json(answer)
    else:
        show_answer(answer)


@kb.command()
@click.argument("name")
@click.argument("document", required=False)
@with_json
@click.pass_obj
def chunks(session: Session, /, name: str, document: str | None, as_json: bool) -> None:
    """Show how a document was cut; without DOCUMENT, list the documents.

    DOCUMENT is its id, or the end of it.

    \b
    Examples:
      roca kb chunks handbook
      roca kb chunks handbook contract.pdf
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    listed = api.page(base["id"], "documents", limit=1000, find=document or "")["documents"]
    if document is None:
        if as_json:
            print_json(listed)
        for each in () if as_json else listed:
            reason = f"  {each['reason']}" if each["reason"] else ""
            click.echo(f"{each['status'].ljust(10)} {each['facts'].get('chunks', '-')!s:>6}  {each['id']}{reason}")
        return
    found = [each for each in listed if each["id"] == document] or [
        each for each in listed if each["id"].endswith(document)
    ]
    if len(found) != 1:
        names = ", ".join(each["id"] for each in (found or listed)[:10])
        raise CommandFailed(f"{document!r} is {len(found)} documents of {name}; there are: {names}", Exit.NOT_FOUND)
    shown = api.page(base["id"], "document", id=found[0]["id"], data_source=found[0]["data_source"])
    if as_json:
        print_json(shown)
    else:
        show_chunks(shown)


@kb.command()
@click.argument("name")
@click.option("--around", default="", help="Only this name, and what it is related to.")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, show_default=True, help="How many of each.")
@with_json
@click.pass_obj
def graph(session: Session, /, name: str, around: str, limit: int, as_json: bool) -> None:
    """Show the names in the chunks, and what is said between them.

    There are some where a data source has a contextEnrichmentConfiguration, which `roca kb add --names` gives it.

    \b
    Examples:
      roca kb graph handbook
      roca kb graph handbook --around "Ana Vidal"
    """
    api = KnowledgeApi(session)
    found = api.page(api.find(name)["id"], "graph", around=around, limit=limit)
    if as_json:
        print_json(found)
    else:
        show_graph(found)


@kb.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_json
@click.pass_obj
def delete(session: Session, /, name: str, yes: bool, as_json: bool) -> None:
    """Delete a knowledge base: its chunks, its data sources, and the files that `roca kb add` uploaded.

    \b
    Examples:
      roca kb delete handbook
      roca kb delete handbook --yes
    """
    api = KnowledgeApi(session)
    base = api.find(name)
    if not yes:
        click.confirm(f"Delete {base['name']} ({base['id']}) with {base.get('chunks', 0)} chunks?", abort=True)
    with reported():
        api.agent.delete_knowledge_base(knowledgeBaseId=base["id"])
        api.empty(bucket_name(base))
    if as_json:
        print_json({"id": base["id"], "name": base["name"], "deleted": True})
    else:
        click.echo(f"{base['name']} is deleted")


def _source_of(
    api: KnowledgeApi, base: Mapping[str, Any], place: str, name: str | None, more: Mapping[str, Any], *, quiet: bool
) -> str:
    """The data source for a place; files are uploaded to it."""
    if place.startswith(("http://", "https://")):
        seeds = {"sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": place}]}}}
        title = name or _plain(place.partition("://")[2])
        return api.source(base, title, {"type": "WEB", "webConfiguration": seeds}, **more)
    if place.startswith("s3://"):
        bucket, _, prefix = place[5:].partition("/")
        s3: dict[str, Any] = {"bucketArn": f"arn:aws:s3:::{bucket}"}
        if prefix:
            s3["inclusionPrefixes"] = [prefix]
        return api.source(base, name or _plain(place[5:]), {"type": "S3", "s3Configuration": s3}, **more)
    path = Path(place).expanduser()
    if not path.exists():
        raise CommandFailed(f"{place} is no file or folder here, no s3:// URI and no address of a web site", Exit.USAGE)
    bucket = api.bucket(base)
    uploaded, there, gone = api.upload(bucket, path)
    if not quiet:
        click.echo(f"{place}: {uploaded} uploaded, {there} were there, {gone} removed", err=True)
    s3 = {"bucketArn": f"arn:aws:s3:::{bucket}"}
    return api.source(base, name or FILES, {"type": "S3", "s3Configuration": s3}, **more)


def _ingested(api: KnowledgeApi, base: Mapping[str, Any], source: str) -> dict[str, Any]:
    with watched(base["name"]) as show_job:
        return api.ingest(base["id"], source, show_job)


def _tell(jobs: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print how ingestions ended."""
    for job in jobs:
        job.pop("ResponseMetadata", None)
    if as_json:
        print_json(jobs)
    for job in jobs:
        if not as_json:
            show_failures(job.get("failureReasons", ()))
        if job["status"] != "COMPLETE":
            reasons = "; ".join(job.get("failureReasons", ())[:3])
            raise CommandFailed(f"{job_line(job)}{f' ({reasons})' if reasons else ''}")


def _reranking(arn: str) -> dict[str, Any]:
    return {
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {"modelConfiguration": {"modelArn": arn}},
    }


def _enrichment(arn: str) -> dict[str, Any]:
    """What notes names; the model that Bedrock wants to be told is not asked."""
    strategy = {"method": "CHUNK_ENTITY_EXTRACTION"}
    return {
        "type": "BEDROCK_FOUNDATION_MODEL",
        "bedrockFoundationModelConfiguration": {"modelArn": arn, "enrichmentStrategyConfiguration": strategy},
    }


def _plain(text: str) -> str:
    """A name as Bedrock wants it: letters, digits, and single dashes between."""
    words = "".join(each if each.isascii() and each.isalnum() else " " for each in text).split()
    return "-".join(words)[:90].strip("-") or "documents"
