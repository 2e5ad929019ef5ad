"""Texts per second through InvokeModel and /v1/embeddings, beside ONNX Runtime called directly on the same model.

`python -m benchmarks.embeddings [--home DIR] [--texts N] [--runs N]`

All three embed the same passages with one thread of ONNX Runtime; runs alternate, so that a busy machine slows all
alike. The bar: at least 90 % of the runtime called directly, in batches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from benchmarks.harness import ROOT, report, server, spread
from benchmarks.passages import passages

BATCH = 96
SIGNED = {
    "authorization": "AWS4-HMAC-SHA256 Credential=AKIABENCHMARK/20260101/us-east-1/bedrock/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64,
    "x-amz-date": "20260101T000000Z",
    "content-type": "application/json",
}


def direct(folder: Path, count: int) -> None:
    """In a process of its own: time the runtime alone, with the engine's own batching by length."""
    from rocamadre.engines.embed.child import BATCH_TEXTS, BATCH_TOKENS, EmbeddingModel

    model = EmbeddingModel(folder, threads=1)
    texts = passages(count)
    model.embed(model.token_ids(["warm"]))
    for _ in sys.stdin:
        started = time.perf_counter()
        for start in range(0, count, BATCH):
            tokens = sorted((model.truncate(ids) for ids in model.token_ids(texts[start : start + BATCH])), key=len)
            batch: list[list[int]] = []
            for ids in tokens:
                if batch and (len(batch) == BATCH_TEXTS or (len(batch) + 1) * len(ids) > BATCH_TOKENS):
                    model.embed(batch)
                    batch = []
                batch.append(ids)
            model.embed(batch)
        print(count / (time.perf_counter() - started), flush=True)


async def _through(address: str, texts: list[str], wire: str) -> float:
    """Texts per second with two batches in flight."""
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    waiting = iter(batches)

    async def worker(session: aiohttp.ClientSession) -> None:
        for batch in waiting:
            if wire == "invoke_model":
                url, body = (
                    "/model/cohere.embed-multilingual-v3/invoke",
                    {"texts": batch, "input_type": "search_document", "truncate": "END"},
                )
            else:
                url, body = "/v1/embeddings", {"model": "minilm", "input": batch, "encoding_format": "base64"}
            async with session.post(address + url, data=json.dumps(body), headers=SIGNED) as response:
                answer = await response.read()
                if response.status != 200:
                    raise SystemExit(f"{url}: {response.status} {answer[:300]!r}")

    async with aiohttp.ClientSession() as session:
        started = time.perf_counter()
        await asyncio.gather(*(worker(session) for _ in range(2)))
        return len(texts) / (time.perf_counter() - started)


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--home", type=Path, default=ROOT / ".roca", help="state folder with the prepared MiniLM")
    arguments.add_argument("--texts", type=int, default=576)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--direct", action="store_true", help=argparse.SUPPRESS)
    options = arguments.parse_args()
    folder = options.home / "models" / "all-minilm-l6-v2"
    if options.direct:
        direct(folder, options.texts)
        return
    texts = passages(options.texts)
    figures: dict[str, list[float]] = {"direct": [], "invoke_model": [], "openai": []}
    alone = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "benchmarks.embeddings",
            "--direct",
            "--home",
            str(options.home),
            "--texts",
            str(len(texts)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert alone.stdin is not None
    assert alone.stdout is not None
    with server(home=options.home, settings={"ENGINES__THREADS": "1"}) as (address, _, _):
        asyncio.run(_through(address, texts[:BATCH], "openai"))
        for _ in range(options.runs):
            alone.stdin.write("go\n")
            alone.stdin.flush()
            figures["direct"].append(float(alone.stdout.readline()))
            for wire in ("invoke_model", "openai"):
                figures[wire].append(asyncio.run(_through(address, texts, wire)))
    alone.stdin.close()
    alone.wait(10)
    base = statistics.median(figures["direct"])
    report(
        "embeddings",
        {
            "texts": len(texts),
            "batch": BATCH,
            "threads": 1,
            "texts_per_second": {name: spread(values) for name, values in figures.items()},
            "share_of_direct": {
                name: round(statistics.median(figures[name]) / base, 3) for name in ("invoke_model", "openai")
            },
            "bar": 0.9,
        },
    )


if __name__ == "__main__":
    main()
