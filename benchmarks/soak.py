"""Half an hour at a high, steady rate: `python -m benchmarks.soak [--minutes 30] [--share 0.8]`.

First the highest rate that the machine sustains is looked for (one core for the server, the other for the load), then
a share of it is kept up, over a mix of what clients send: Converse, its stream, a tool call, InvokeModel, embeddings,
and the OpenAI and Anthropic wires, all signed, on the fake engine. Memory is read every ten seconds. The bars: no
error, and memory flat: its median in the last quarter at most 5 % over that of the second quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from yarl import URL

from benchmarks.gateway import FAKE, OTHERS
from benchmarks.harness import report, server
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.identity.operations import create_key

SIGNED_FOR_S = 120.0
WORKERS = 16
MODEL = FAKE.replace(":", "%3A")
CONVERSE = {"messages": [{"role": "user", "content": [{"text": "Tell me of the river and the boats on it."}]}]}
MIX: dict[str, tuple[str, dict[str, Any]]] = {
    "converse": (f"/model/{MODEL}/converse", CONVERSE),
    "converse_stream": (f"/model/{MODEL}/converse-stream", CONVERSE),
    "invoke_model": ("/model/amazon.nova-lite-v1%3A0/invoke", CONVERSE),
    "embedding": ("/model/amazon.titan-embed-text-v2%3A0/invoke", {"inputText": "the river", "dimensions": 256}),
    **OTHERS,
}


class Signer:
    """Headers for each request of the mix, signed anew now and then."""

    def __init__(self, address: str, key: str, secret: str) -> None:
        self._address = address
        self._credentials = Credentials(key, secret)
        self._made: dict[str, tuple[float, dict[str, str]]] = {}

    def headers(self, name: str, path: str, body: bytes) -> dict[str, str]:
        """Headers that are valid now."""
        made = self._made.get(name)
        if made is None or time.monotonic() - made[0] > SIGNED_FOR_S:
            request = AWSRequest("POST", self._address + path, {"Content-Type": "application/json"}, body)
            SigV4Auth(self._credentials, "bedrock", "us-east-1").add_auth(request)
            made = self._made[name] = (time.monotonic(), dict(request.headers.items()))
        return made[1]


async def load(address: str, signer: Signer, seconds: float, rate: float | None) -> tuple[Counter[str], list[float]]:
    """Send the mix from `WORKERS` connections; as fast as it goes, or at a rate. Outcomes, and seconds each took."""
    bodies = {name: (path, json.dumps(body).encode()) for name, (path, body) in MIX.items()}
    names = itertools.cycle(bodies)
    outcomes: Counter[str] = Counter()
    took: list[float] = []
    began = time.monotonic()
    slots = itertools.count()

    async def worker(session: aiohttp.ClientSession) -> None:
        while (now := time.monotonic()) - began < seconds:
            if rate is not None and (wait := began + next(slots) / rate - now) > 0:
                await asyncio.sleep(wait)
            name = next(names)
            path, body = bodies[name]
            started = time.monotonic()
            url = URL(address + path, encoded=True)  # The signature is over the path as it is.
            async with session.post(url, data=body, headers=signer.headers(name, path, body)) as response:
                data = await response.read()
            took.append(time.monotonic() - started)
            good = response.status == 200 and b":exception-type" not in data
            outcomes["ok" if good else f"{name} {response.status}"] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(worker(session) for _ in range(WORKERS)))
    return outcomes, took


async def watch(pid: int, readings: list[int]) -> None:
    """Note the server's memory every ten seconds."""
    while True:
        readings.append(psutil.Process(pid).memory_info().rss)
        await asyncio.sleep(10)


async def measure(address: str, pid: int, signer: Signer, options: argparse.Namespace) -> dict[str, Any]:
    """Find the rate, then keep a share of it up."""
    await load(address, signer, 3, None)
    outcomes, _ = await load(address, signer, 15, None)
    most = outcomes.total() / 15
    rate = most * options.share
    readings: list[int] = []
    watcher = asyncio.ensure_future(watch(pid, readings))
    outcomes, took = await load(address, signer, options.minutes * 60, rate)
    watcher.cancel()
    took.sort()
    quarter = max(1, len(readings) // 4)
    second, last = readings[quarter : 2 * quarter] or readings, readings[-quarter:]
    return {
        "minutes": options.minutes,
        "highest_rate_per_s": round(most, 1),
        "kept_rate_per_s": round(outcomes.total() / (options.minutes * 60), 1),
        "requests": outcomes.total(),
        "errors": {name: count for name, count in outcomes.items() if name != "ok"},
        "p50_ms": round(took[len(took) // 2] * 1000, 2),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
        "memory_mb": {
            "first": round(readings[0] / 1e6, 1),
            "second_quarter": round(statistics.median(second) / 1e6, 1),
            "last_quarter": round(statistics.median(last) / 1e6, 1),
            "most": round(max(readings) / 1e6, 1),
        },
        "growth": round(statistics.median(last) / statistics.median(second) - 1, 4),
        "bar": {"errors": 0, "growth": 0.05},
    }


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=30)
    arguments.add_argument("--share", type=float, default=0.8, help="of the highest rate")
    options = arguments.parse_args()
    pinned = (os.cpu_count() or 1) > 1 and hasattr(os, "sched_setaffinity")
    home = Path(tempfile.mkdtemp(prefix="roca-bench-"))
    try:
        with local_host(Session(home)) as host:
            pair = create_key(host.sql, home, host.clock, name="bench", kind="signing")
        settings = {
            "SERVER__AUTH": "required",
            "CATALOG__DEFAULT_MODEL": FAKE,
            "CATALOG__DEFAULT_EMBEDDER": "rocamadre.fake-embed-v1:0",
        }
        with server(core=0 if pinned else None, home=home, settings=settings) as (address, pid, _):
            if pinned:
                os.sched_setaffinity(0, {1})
            signer = Signer(address, pair.key.id, pair.secret)
            figures = asyncio.run(measure(address, pid, signer, options))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report("soak", {"workers": WORKERS, "mix": list(MIX), **figures})


if __name__ == "__main__":
    main()
