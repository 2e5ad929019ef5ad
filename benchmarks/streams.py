"""Streams under stress: `python -m benchmarks.streams [--streams 1000] [--kills 100] [--embedded FOLDER]`.

1. 1,000 streams at once on the fake engine: none may be lost, cut off or damaged; memory at its highest is reported.
2. Readers that read nothing: what the server holds for them is bounded.
3. Clients killed with -9 in mid-stream: their slot must be free within a second.
4. kill -9 of the language model's engine, again and again under load: every request ends, with an answer or with a
   declared error. Skipped when the model is not here; `--embedded` names a folder that holds `roca-mini/`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.harness import client, report, server
from rocamadre.api.wire.eventstream import FrameError, decode
from rocamadre.testing.inprocess import OPEN_CREDENTIAL

FAKE = "rocamadre.fake-v1:0"
MINI = "rocamadre.roca-mini-v1:0"
WORDS = 100
FLAT_BYTES = 16 * 1024 * 1024
FLOOD_WORDS = 800
RULES = {
    "rules": [
        {
            "match": "steady",
            "answer": " ".join(f"word{index}" for index in range(WORDS)),
            "delay_s": 0.05,
            "mark": False,
        },
        {"match": "flood", "answer": ("x" * 10_000 + " ") * FLOOD_WORDS, "mark": False},
        {"match": "long", "answer": "long " * 2000, "delay_s": 0.05, "mark": False},
    ]
}
DECLARED = {"ModelErrorException", "ModelNotReadyException", "ModelTimeoutException", "ThrottlingException"}
DECLARED |= {"ServiceUnavailableException", "modelStreamErrorException"}


def main() -> int:
    """Run all four and report; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--embedded", type=Path, help="folder of the embedded models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.json"
        rules.write_text(json.dumps(RULES))
        settings = {"CATALOG__FAKE_RULES": str(rules), "LIMITS__CONCURRENT_REQUESTS": "4096"}
        if options.embedded:
            settings["CATALOG__EMBEDDED_MODELS"] = str(options.embedded.absolute())
        with server(settings=settings) as (address, pid, _):
            figures: dict[str, Any] = {
                "idle_memory_bytes": psutil.Process(pid).memory_info().rss,
                "concurrent": concurrent(address, pid, options.streams),
                "slow_readers": slow_readers(address, pid),
                "clients_killed": clients_killed(address),
                "engine_killed": engine_killed(address, options.kills),
            }
    broken = broken_promises(figures)
    report("streams", {**figures, "broken_promises": broken})
    return 1 if broken else 0


def broken_promises(figures: dict[str, Any]) -> list[str]:
    """What the figures break of what is promised."""
    found = []
    if figures["concurrent"]["whole"] != figures["concurrent"]["streams"]:
        found.append("streams were lost")
    readers = figures["slow_readers"]
    if readers["held_back"] != readers["readers"]:
        found.append("answers were made though nobody read them")
    if readers["memory_growth_bytes_after_8_s"] - readers["memory_growth_bytes_after_3_s"] > FLAT_BYTES:
        found.append("memory grew while clients did not read")
    if figures["clients_killed"]["slot_free_after_s"]["max"] > 1:
        found.append("a killed client's slot was not free within a second")
    killed = figures["engine_killed"]
    if killed.get("undeclared") or killed.get("stuck"):
        found.append("an engine's death brought an undeclared error or a stuck request")
    return found


class Memory:
    """The highest resident memory of a process while the block runs."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.highest = self._process.memory_info().rss

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            self.highest = max(self.highest, self._process.memory_info().rss)


# -- 1: many at once ---------------------------------------------------------------------------------------------------


def concurrent(address: str, pid: int, count: int) -> dict[str, Any]:
    """Open all streams, hold them open together, and look at what each brought."""
    began = time.monotonic()
    with Memory(pid) as memory:
        results = asyncio.run(_all_streams(address, count))
    problems = Counter(result for result in results if result)
    return {
        "streams": count,
        "whole": sum(not result for result in results),
        "problems": dict(problems.most_common(5)),
        "seconds": round(time.monotonic() - began, 2),
        "events": count * (WORDS + 4),
        "memory_before_bytes": memory.before,
        "memory_highest_bytes": memory.highest,
        "memory_per_stream_bytes": (memory.highest - memory.before) // count,
    }


async def _all_streams(address: str, count: int) -> list[str]:
    timeout = aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        return await asyncio.gather(*(_one_stream(session, address, index) for index in range(count)))


async def _one_stream(session: aiohttp.ClientSession, address: str, index: int) -> str:
    """What is wrong with one stream; empty when nothing is."""
    try:
        async with session.post(_url(address), data=_question(f"steady {index}"), headers=_headers()) as response:
            if response.status != 200:
                return f"status {response.status}"
            frames = decode(await response.read())
    except (aiohttp.ClientError, TimeoutError, FrameError) as error:
        return type(error).__name__
    events = [(frame.headers[":event-type"], json.loads(frame.payload)) for frame in frames]
    words = "".join(event["delta"]["text"] for kind, event in events if kind == "contentBlockDelta").split()
    if words != RULES["rules"][0]["answer"].split():  # type: ignore[attr-defined]
        return "text incomplete"
    return "" if events[-1][0] == "metadata" else "no end"


def _url(address: str) -> str:
    return f"{address}/model/{FAKE}/converse-stream"


def _question(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [{"text": text}]}]}).encode()


def _headers() -> dict[str, str]:
    return {"Content-Type": "application/json", **OPEN_CREDENTIAL}


# -- 2: slow readers ---------------------------------------------------------------------------------------------------


def slow_readers(address: str, pid: int, count: int = 20) -> dict[str, Any]:
    """Ask for a great deal at full speed and read none of it: the model must wait, and memory stay flat."""
    body = _question("flood")
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers().items())
    place = urlsplit(address)
    request = f"POST {urlsplit(_url(address)).path} HTTP/1.1\r\nhost: {place.netloc}\r\ncontent-length: {len(body)}\r\n"
    process = psutil.Process(pid)
    before, connections = process.memory_info().rss, []
    for _ in range(count):
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        connection.connect((place.hostname, place.port))
        connection.sendall(f"{request}{head}\r\n".encode() + body)
        connections.append(connection)
    time.sleep(3)  # By then every answer has begun; the fake engine holds each one whole from its beginning.
    early = process.memory_info().rss
    time.sleep(5)
    late, held_back = process.memory_info().rss, active(address, FAKE)
    for connection in connections:
        connection.close()
    began = time.monotonic()
    while active(address, FAKE) and time.monotonic() - began < 30:
        time.sleep(0.01)
    return {
        "readers": count,
        "answer_bytes_each": 10_000 * FLOOD_WORDS,
        "held_back": held_back,
        "memory_growth_bytes_after_3_s": early - before,
        "memory_growth_bytes_after_8_s": late - before,
        "freed_after_s": round(time.monotonic() - began, 3),
    }


# -- 3: clients that die -----------------------------------------------------------------------------------------------

_CLIENT = """
import sys
from benchmarks.harness import client
runtime = client("bedrock-runtime", sys.argv[1])
messages = [{"role": "user", "content": [{"text": "long"}]}]
for event in runtime.converse_stream(modelId=sys.argv[2], messages=messages)["stream"]:
    print("event", flush=True)
"""


def clients_killed(address: str, tries: int = 20) -> dict[str, Any]:
    """Kill a client in mid-stream and see how long its slot stays taken."""
    took = []
    for _ in range(tries):
        process = subprocess.Popen([sys.executable, "-c", _CLIENT, address, FAKE], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        if active(address, FAKE) < 1:
            raise SystemExit("the stream does not show as active; nothing can be measured")
        process.kill()
        began = time.monotonic()
        while active(address, FAKE) and time.monotonic() - began < 30:
            time.sleep(0.005)
        took.append(time.monotonic() - began)
        process.wait()
        process.stdout.close()
    return {
        "tries": tries,
        "slot_free_after_s": {"median": round(sorted(took)[tries // 2], 3), "max": round(max(took), 3)},
    }


def engines(address: str) -> list[dict[str, Any]]:
    """The engines as the server reports them."""
    request = urllib.request.Request(f"{address}/_rocamadre/status", headers=OPEN_CREDENTIAL)
    with urllib.request.urlopen(request, timeout=10) as response:
        found: list[dict[str, Any]] = json.load(response)["engines"]
    return found


def active(address: str, model: str) -> int:
    """Requests that a model works on."""
    return sum(engine["active"] for engine in engines(address) if engine["model_id"] == model)


# -- 4: an engine that dies --------------------------------------------------------------------------------------------


def engine_killed(address: str, kills: int) -> dict[str, Any]:
    """Kill the engine under load, each time after it has answered again."""
    listed = client("bedrock", address).list_foundation_models()["modelSummaries"]
    if MINI not in {model["modelId"] for model in listed}:
        return {"skipped": f"{MINI} is not here"}
    outcomes: Counter[str] = Counter()
    slowest: list[float] = [0.0]
    stop = threading.Event()
    threads = [threading.Thread(target=_load, args=(address, outcomes, slowest, stop, index)) for index in range(4)]
    for thread in threads:
        thread.start()
    killed, began = 0, time.monotonic()
    while killed < kills and time.monotonic() - began < 30 * kills:
        answered = outcomes["answered"]
        while outcomes["answered"] == answered and time.monotonic() - began < 30 * kills:
            time.sleep(0.01)
        time.sleep(0.02 * (killed % 5))  # At other moments of the work each time.
        for engine in engines(address):
            if engine["model_id"] == MINI and engine["pid"]:
                try:
                    os.kill(engine["pid"], signal.SIGKILL)
                    killed += 1
                except ProcessLookupError:
                    pass
    stop.set()
    for thread in threads:
        thread.join(120)
    return {
        "kills": killed,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": dict(outcomes),
        "undeclared": {name: count for name, count in outcomes.items() if name not in DECLARED | {"answered"}},
        "stuck": sum(thread.is_alive() for thread in threads),
        "slowest_request_s": round(slowest[0], 2),
        "answers_afterwards": _answers(address),
    }


def _load(address: str, outcomes: Counter[str], slowest: list[float], stop: threading.Event, index: int) -> None:
    runtime = client("bedrock-runtime", address)
    request = {
        "modelId": MINI,
        "messages": [{"role": "user", "content": [{"text": "Tell me about rivers."}]}],
        "inferenceConfig": {"maxTokens": 24, "temperature": 0.0},
    }
    while not stop.is_set():
        began = time.monotonic()
        try:
            if index % 2:
                for _ in runtime.converse_stream(**request)["stream"]:
                    pass
            else:
                runtime.converse(**request)
            outcome = "answered"
        except ClientError as error:  # EventStreamError is one.
            outcome = error.response["Error"]["Code"]
        except BotoCoreError as error:
            outcome = type(error).__name__
        outcomes[outcome] += 1
        slowest[0] = max(slowest[0], time.monotonic() - began)
        if outcome != "answered":
            time.sleep(0.05)
    runtime.close()


def _answers(address: str) -> bool:
    runtime = client("bedrock-runtime", address)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            runtime.converse(modelId=MINI, messages=[{"role": "user", "content": [{"text": "Hello"}]}])
            return True
        except (ClientError, BotoCoreError):
            time.sleep(0.5)
    return False


if __name__ == "__main__":
    sys.exit(main())
