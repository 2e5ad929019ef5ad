"""Documents per second from files to searchable, beside LangChain with Chroma.

`ROCA_DATA=… python -m benchmarks.ingestion [--files N] [--embedded-files N] [--runs N] [--cores LIST] [--core N]`

Files of some eight passages each are made of the judged sets. `precomputed`: both sides are given ready vectors, so
that everything else is measured: reading, parsing, cutting, analysing, writing, indexing. `embedded`: the same weights
of MiniLM on both sides, ours through a whole server with its worker, theirs by sentence-transformers; and ONNX Runtime
called directly on our chunks, which is what the embedder could do at most. Sides take turns on the same cores. Memory
is of all processes of a side together, shared pages counted once. LangChain lives in `.venv-chroma`, made here when it
is missing (some 400 MB, laid over `.venv`).

With ready vectors both clocks begin in a program that is loaded, with nothing opened yet: ours then starts the child
that reads (a quarter of a second of computing), theirs makes its client and tables. With a few hundred files that
decides a good part; the defaults make it small. Ours takes vectors as JSON, as from a server, theirs as lists in
memory; ours besides stems words, tells languages and keeps exact spans. With an embedder both are warm.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.harness import ROOT, client, report, server, spread
from benchmarks.sides import Memory, compared, measured

SETS = ("retrieval-squad-en", "retrieval-squad-es", "retrieval-pt")
PER_FILE = 8
TOKENS = 220
CHARACTERS = 1000
"""Pieces of some 900 characters on both sides; the figures say how many there were."""
MODEL = "rocamadre.minilm-l6-v2:0"
PEER = ("langchain-chroma", "langchain-community", "langchain-text-splitters", "sentence-transformers")
LOOK_S = 0.5
"""Between looks at a job. Each look takes some 8 ms of client and server together: ten a second would take a twelfth of
the core that the embedder is measured on."""
CHUNKING = {"chunkingStrategy": "RECURSIVE", "recursiveChunkingConfiguration": {"maxTokens": TOKENS}}
BARS = {"precomputed": 5.0, "embedded": 1.0, "embedder_share": 0.9}


def main() -> int:
    """Run and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000, help="with precomputed vectors")
    parser.add_argument("--embedded-files", type=int, default=60)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cores", default="0,1", help="of both sides with precomputed vectors, as taskset takes them")
    parser.add_argument("--core", type=int, default=0, help="of both sides with an embedder; it gets one thread")
    parser.add_argument("--home", type=Path, default=ROOT / ".roca", help="state folder with the prepared MiniLM")
    parser.add_argument("--without-chroma", action="store_true")
    parser.add_argument("--print", action="store_true", help="print the figures, and keep nothing")
    parser.add_argument("--ours", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--direct", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        ours_precomputed(*map(Path, options.ours))
        return 0
    if options.direct:
        direct(*map(Path, options.direct))
        return 0
    peer = None if options.without_chroma else install_peer()
    figures: dict[str, Any] = {"cores": options.cores, "embedder_core": options.core, "runs": options.runs}
    with tempfile.TemporaryDirectory(prefix="roca-bench-") as name:
        folder = Path(name)
        files = write_files(folder / "many", options.files)
        few = write_files(folder / "few", options.embedded_files)
        figures["precomputed"] = precomputed(options, folder, files, peer)
        figures["embedded"] = embedded(options, folder, few, peer)
    figures["bars"] = BARS
    figures["bars_reached"] = reached(figures)
    if options.print:
        print(json.dumps(figures, indent=2))
    else:
        report("ingestion", figures)
    return 0


def reached(figures: dict[str, Any]) -> dict[str, bool]:
    """Which bars are reached; memory too."""
    found = {}
    for kind in ("precomputed", "embedded"):
        if "times_faster" in figures[kind]:
            found[kind] = figures[kind]["times_faster"] >= BARS[kind]
            memory = figures[kind]["memory_mb"]
            found[f"{kind}_memory"] = memory["rocamadre"] <= memory["langchain_chroma"]
    found["embedder_share"] = figures["embedded"]["embedder_share"] >= BARS["embedder_share"]
    return found


# Material


def write_files(folder: Path, count: int) -> Path:
    """Files of passages in three languages, each with a heading."""
    data = Path(os.environ.get("ROCA_DATA", ""))
    if not (data / SETS[0]).is_dir():
        raise SystemExit(f"ROCA_DATA must name the folder of the data sets ({', '.join(SETS)})")
    chance = random.Random(7)
    texts = [[row["text"] for row in _rows(data / name / "documents")] for name in SETS]
    folder.mkdir()
    for number in range(count):
        passages = chance.sample(texts[number % len(texts)], PER_FILE)
        content = f"Document {number}\n\n" + "\n\n".join(f"{passage} ({number})" for passage in passages)
        (folder / f"{number:05}.txt").write_text(content, "utf-8")
    return folder


def _rows(stem: Path) -> list[dict[str, Any]]:
    packed = stem.with_suffix(".jsonl.gz")
    content = gzip.decompress(packed.read_bytes()) if packed.exists() else stem.with_suffix(".jsonl").read_bytes()
    return [json.loads(line) for line in content.splitlines()]


# With precomputed vectors


def precomputed(options: Any, folder: Path, files: Path, peer: Path | None) -> dict[str, Any]:
    """Both sides in turns."""
    sides: dict[str, list[dict[str, Any]]] = {"rocamadre": [], "langchain_chroma": []}
    for run in range(options.runs):
        home = folder / f"ours-{run}"
        command = [sys.executable, "-m", "benchmarks.ingestion", "--ours", str(files), str(home)]
        sides["rocamadre"].append(measured(command, options.cores))
        shutil.rmtree(home, ignore_errors=True)
        if peer is not None:
            store = folder / f"theirs-{run}"
            sides["langchain_chroma"].append(
                measured([*peer_command(peer), str(files), str(store), str(CHARACTERS)], options.cores)
            )
            shutil.rmtree(store, ignore_errors=True)
    return compared(sides)


def ours_precomputed(files: Path, home: Path) -> None:
    """In a process of its own: the job that the worker does, with a server that answers ready vectors."""
    import numpy as np

    from rocamadre.core.clock import SystemClock
    from rocamadre.core.settings import Settings
    from rocamadre.jobs.api import ApiAnswer
    from rocamadre.jobs.execution import execute
    from rocamadre.jobs.queue import QueuedJobs
    from rocamadre.jobs.runner import JobPlatform, JobSpec
    from rocamadre.server.kinds import JOB_KINDS
    from rocamadre.store.objects.registry import open_objects
    from rocamadre.store.sql.database import open_database

    class Ready:
        """A server whose vectors are ready."""

        def __init__(self) -> None:
            made = np.random.default_rng(7).normal(size=(4096, 384)).astype(np.float32)
            made /= np.linalg.norm(made, axis=1, keepdims=True)
            self._rows = [b'{"embedding":"%b"}' % base64.b64encode(row.tobytes()) for row in made]
            self._next = 0

        @asynccontextmanager
        async def session(self) -> AsyncGenerator[Any, None]:
            yield self

        async def post(self, path: str, body: bytes, *, account: str, region: str) -> ApiAnswer:
            count = len(json.loads(body)["input"])
            rows = [self._rows[(self._next + place) % len(self._rows)] for place in range(count)]
            self._next += count
            return ApiAnswer(200, {}, b'{"data":[%b]}' % b",".join(rows))

    settings = Settings(home=home)
    JOB_KINDS.load("kb-ingestion")  # Its tables are made with the database.
    sql, clock = open_database(home), SystemClock()
    platform = JobPlatform(settings, sql, open_objects(settings), clock, Ready())
    request = insert_target(platform, files)
    with sql.begin() as tx:
        QueuedJobs(sql, clock).enqueue(tx, JobSpec("kb-ingestion", request.run_id, request.arguments()))
    print(json.dumps({"ready": True}), flush=True)
    started, busy = time.perf_counter(), _cpu_s()
    execute(JOB_KINDS, "kb-ingestion", request.run_id, platform, lambda _, work: work())
    figures = {"seconds": time.perf_counter() - started, "cpu_s": _cpu_s() - busy}
    print(json.dumps({**figures, **held(platform, request.knowledge_base)}), flush=True)


def _cpu_s() -> float:
    """Seconds of computing of this process and its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def insert_target(platform: Any, files: Path) -> Any:
    """A knowledge base of the fake embedder, whose vectors nobody looks at, and a data source that reads a folder."""
    from rocamadre.catalog.operations import find_model
    from rocamadre.knowledge.embedding import embedder_hash
    from rocamadre.knowledge.ingestion.types import Request, Statistics
    from rocamadre.knowledge.tables import insert_base, insert_job, insert_source
    from rocamadre.knowledge.types import DataSource, IngestionJob, KnowledgeBase

    embedder = "rocamadre.fake-embed-v1:0"
    request = Request("123456789012", "us-east-1", "KNOWLEDGEB", "DATASOURCE", "INGESTIONJ")
    now = platform.clock.now()
    where = {"account": request.account, "region": request.region, "description": ""}
    base = KnowledgeBase(
        id=request.knowledge_base,
        arn="arn:bench",
        name="bench",
        role_arn="",
        type="VECTOR",
        configuration={},
        storage={},
        store="sqlite",
        embedder=embedder,
        embedder_hash=embedder_hash(find_model(platform, embedder)),
        dimensions=384,
        status="ACTIVE",
        failures=(),
        facts={},
        created_at=now,
        updated_at=now,
        **where,
    )
    source = DataSource(
        id=request.data_source,
        knowledge_base=base.id,
        name="bench",
        type="CUSTOM",
        configuration={"type": "CUSTOM"},
        ingestion={},
        encryption={},
        chunking=CHUNKING,
        loader={"type": "DIRECTORY", "path": str(files)},
        deletion_policy="DELETE",
        status="AVAILABLE",
        failures=(),
        created_at=now,
        updated_at=now,
        **where,
    )
    job = IngestionJob(
        arn=request.run_id,
        id=request.ingestion_job,
        knowledge_base=base.id,
        data_source=source.id,
        status="STARTING",
        statistics=Statistics(),
        failures=(),
        started_at=now,
        updated_at=now,
        **where,
    )
    with platform.sql.begin() as tx:
        insert_base(tx, base)
        insert_source(tx, source)
        insert_job(tx, job)
    return request


def held(platform: Any, base_id: str) -> dict[str, Any]:
    """What is in a knowledge base; it can be searched."""
    from rocamadre.knowledge.stores import open_store
    from rocamadre.knowledge.tables import select_base

    with platform.sql.connect() as connection:
        base = select_base(connection, base_id)
    assert base is not None
    store = open_store(platform, base)
    try:
        rows = list(store.documents())
        chunks = [chunk for row in rows[:50] for chunk in store.of_document(row.id)]
        assert chunks[0].embedding is not None
        assert store.by_vector(chunks[0].embedding, limit=1)
        assert store.by_terms([(chunks[0].terms.split()[0], 1.0)], limit=1)
        mean = statistics.fmean(len(chunk.text) for chunk in chunks)
        return {"documents": len(rows), "chunks": store.count(), "mean_characters": mean}
    finally:
        store.close()


# With an embedder


def embedded(options: Any, folder: Path, files: Path, peer: Path | None) -> dict[str, Any]:
    """Both sides in turns, and the runtime alone on our chunks."""
    model = options.home / "models" / "all-minilm-l6-v2"
    if not (model / "model.onnx").is_file():
        raise SystemExit(f"{model} is not there; `make up`, or `roca models prepare`, makes it")
    sides: dict[str, list[dict[str, Any]]] = {"rocamadre": [], "langchain_chroma": []}
    alone: list[float] = []
    for run in range(options.runs):
        texts = folder / "chunks.json"
        sides["rocamadre"].append(ours_embedded(options, folder / f"home-{run}", files, model, texts))
        command = [sys.executable, "-m", "benchmarks.ingestion", "--direct", str(model), str(texts)]
        alone.append(measured(command, str(options.core))["chunks_per_s"])
        if peer is not None:
            command = [*peer_command(peer), str(files), str(folder / f"chroma-{run}"), str(CHARACTERS), str(model)]
            sides["langchain_chroma"].append(measured(command, str(options.core)))
    figures = compared(sides)
    figures["runtime_alone_chunks_per_s"] = spread(alone)
    # Of each run and the one right after it: the machine's own speed changes over the minutes.
    shares = [each["chunks"] / each["seconds"] / most for each, most in zip(sides["rocamadre"], alone, strict=True)]
    figures["embedder_share"] = round(statistics.median(shares), 3)
    figures["embedder_shares"] = spread(shares)
    return figures


def ours_embedded(options: Any, home: Path, files: Path, model: Path, texts: Path) -> dict[str, Any]:
    """A server with a knowledge base over a folder; from StartIngestionJob until it is COMPLETE."""
    from rocamadre.core.clock import SystemClock
    from rocamadre.core.settings import Settings
    from rocamadre.jobs.runner import JobPlatform
    from rocamadre.knowledge.stores import open_store
    from rocamadre.knowledge.tables import select_base
    from rocamadre.store.sql.database import open_database

    shutil.copytree(model, home / "models" / model.name, copy_function=_link)
    with server(core=options.core, home=home, settings={"ENGINES__THREADS": "1"}) as (address, pid, _):
        agent = client("bedrock-agent", address)
        arn = f"arn:aws:bedrock:us-east-1::foundation-model/{MODEL}"
        configuration = {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": {"embeddingModelArn": arn}}
        role = "arn:aws:iam::123456789012:role/bench"
        base = agent.create_knowledge_base(name="b", roleArn=role, knowledgeBaseConfiguration=configuration)
        base_id = base["knowledgeBase"]["knowledgeBaseId"]
        warm(agent, base_id, home)
        source = new_source(agent, base_id, "bench", files)
        with Memory(pid) as memory:
            started = time.perf_counter()
            job = ingest(agent, base_id, source)
            seconds = time.perf_counter() - started
        assert job["status"] == "COMPLETE", job
    platform = JobPlatform(Settings(home=home), open_database(home), None, SystemClock(), None)  # type: ignore[arg-type]
    with platform.sql.connect() as connection:
        record = select_base(connection, base_id)
    assert record is not None
    store = open_store(platform, record)
    rows = list(store.documents(data_source=source))
    chunks = [chunk.text for row in rows for chunk in store.of_document(row.id, data_source=source)]
    store.close()
    platform.sql.dispose()
    shutil.rmtree(home, ignore_errors=True)
    texts.write_text(json.dumps(chunks))
    return {
        "seconds": seconds,
        "documents": len(rows),
        "chunks": len(chunks),
        "mean_characters": statistics.fmean(map(len, chunks)),
        "memory_mb": memory.most_mb,
    }


def warm(agent: Any, base_id: str, home: Path) -> None:
    """One document, so that worker and embedder run, as the peer's are loaded before its clock starts."""
    folder = home / "warm"
    folder.mkdir()
    (folder / "a.txt").write_text("Warm.")
    assert ingest(agent, base_id, new_source(agent, base_id, "warm", folder))["status"] == "COMPLETE"


def new_source(agent: Any, base_id: str, name: str, folder: Path) -> str:
    """A data source that reads a folder; loader and chunker travel in headers."""
    headers = {
        "x-rocamadre-loader": json.dumps({"type": "DIRECTORY", "path": str(folder)}),
        "x-rocamadre-chunking": json.dumps(CHUNKING),
    }

    def add(request: Any, **_: Any) -> None:
        for header, value in headers.items():
            request.headers[header] = value

    agent.meta.events.register("before-sign.bedrock-agent.CreateDataSource", add, unique_id="headers")
    made = agent.create_data_source(
        knowledgeBaseId=base_id, name=name, dataSourceConfiguration={"type": "CUSTOM"}
    )  # fmt: skip
    agent.meta.events.unregister("before-sign.bedrock-agent.CreateDataSource", unique_id="headers")
    return str(made["dataSource"]["dataSourceId"])


def ingest(agent: Any, base_id: str, source: str) -> dict[str, Any]:
    """Begin a job, and wait for its end."""
    where = {"knowledgeBaseId": base_id, "dataSourceId": source}
    job = agent.start_ingestion_job(**where)["ingestionJob"]
    while job["status"] not in ("COMPLETE", "FAILED", "STOPPED"):
        time.sleep(LOOK_S)
        job = agent.get_ingestion_job(**where, ingestionJobId=job["ingestionJobId"])["ingestionJob"]
    return dict(job)


def direct(model: Path, texts: Path) -> None:
    """In a process of its own: the runtime on our chunks, sorted by length, with the engine's own batches."""
    from rocamadre.engines.embed.child import BATCH_TEXTS, BATCH_TOKENS, EmbeddingModel

    encoder = EmbeddingModel(model, threads=1)
    chunks = json.loads(texts.read_text())
    encoder.embed(encoder.token_ids(["warm"]))
    print(json.dumps({"ready": True}), flush=True)
    started = time.perf_counter()
    tokens = sorted((encoder.truncate(ids) for ids in encoder.token_ids(chunks)), key=len)
    batch: list[list[int]] = []
    for ids in tokens:
        if batch and (len(batch) == BATCH_TEXTS or (len(batch) + 1) * len(ids) > BATCH_TOKENS):
            encoder.embed(batch)
            batch = []
        batch.append(ids)
    encoder.embed(batch)
    seconds = time.perf_counter() - started
    print(json.dumps({"chunks_per_s": len(chunks) / seconds, "seconds": seconds, "chunks": len(chunks)}), flush=True)


def _link(source: str, target: str) -> str:
    """A file without a second copy of it, where that can be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


@contextmanager
def _laid_over(folder: Path) -> Iterator[None]:
    """Packages of `.venv` are seen by an environment, below its own."""
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    below = Path(psutil.__file__).parent.parent
    (packages / "zz-below.pth").write_text(f"{below}\n")
    yield


def install_peer() -> Path:
    """The Python of `.venv-chroma`, made when it is missing."""
    folder = ROOT / ".venv-chroma"
    python = folder / "bin" / "python"
    if not (folder / "done").exists():
        print(f"installing {', '.join(PEER)} into {folder.name}; this takes minutes", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        with _laid_over(folder):
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-compile"]
            subprocess.run([*pip, *PEER], check=True)
        (folder / "done").touch()
    return python


def peer_command(python: Path) -> list[str]:
    """The peer's program."""
    return [str(python), str(ROOT / "benchmarks" / "ingestion_chroma.py")]


if __name__ == "__main__":
    sys.exit(main())
