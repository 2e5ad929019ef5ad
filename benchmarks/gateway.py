"""Requests per second of the gateway: `python -m benchmarks.gateway [--seconds 10] [--runs 3]`.

A trivial signed Converse on the fake engine, with `auth = "required"` and every other setting as it ships, beside the
LiteLLM proxy (one worker, a master key, no database) in front of an equally trivial OpenAI backend. Each server has
core 0 for itself while it is measured; wrk, and the backend behind LiteLLM, have core 1. Both are measured in turns in
the same run. Then Converse with a tool that must be called, and the two other wires, on the same server. LiteLLM lives
in `.venv-litellm`, which is made here when it is missing (some 750 MB).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks.harness import ROOT, report, server, spread
from benchmarks.load import Load, wrk
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.identity.operations import create_key

LITELLM = "1.106.2"
CONCURRENCY = (1, 16)
SERVER_CORE, LOAD_CORE = 0, 1
CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()
CHAT = json.dumps({"model": "trivial", "messages": [{"role": "user", "content": "hi"}]}).encode()
FAKE = "rocamadre.fake-v1:0"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
TOOL = {"toolSpec": {"name": "weather", "description": "Of a city", "inputSchema": {"json": SCHEMA}}}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "tools": (
        f"/model/{FAKE.replace(':', '%3A')}/converse",
        {
            "messages": [{"role": "user", "content": [{"text": "hi"}]}],
            "toolConfig": {"tools": [TOOL], "toolChoice": {"any": {}}},
        },
    ),
    "openai": ("/v1/chat/completions", {"model": FAKE, "messages": [{"role": "user", "content": "hi"}]}),
    "openai_responses": ("/v1/responses", {"model": FAKE, "input": "hi", "store": False}),
    "anthropic": (
        "/anthropic/v1/messages",
        {"model": FAKE, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]},
    ),
}
"""More that Rocamadre is asked: path and body."""


@dataclass(frozen=True)
class Target:
    """A server to measure.

    Attributes:
        sign: Headers for one request; called anew for each run, since signatures live five minutes.
    """

    name: str
    url: str
    pid: int
    body: bytes
    sign: Any


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="per measurement")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--without-litellm", action="store_true", help="our own wires only, kept as `wires`")
    options = parser.parse_args()
    cores = (SERVER_CORE, LOAD_CORE) if (os.cpu_count() or 1) > 1 and shutil.which("taskset") else (None, None)
    with ExitStack() as stack:
        targets, others = stack.enter_context(rocamadre(cores[0]))
        if not options.without_litellm:
            targets.append(stack.enter_context(litellm(*cores)))
        runs: dict[str, dict[int, list[Load]]] = {each.name: {count: [] for count in CONCURRENCY} for each in targets}
        runs |= {each.name: {count: [] for count in CONCURRENCY} for each in others}
        for _ in range(options.runs):
            for target in [*targets, *others]:
                for count in CONCURRENCY:
                    measure(target, count, 2.0, cores[1])
                    runs[target.name][count].append(measure(target, count, options.seconds, cores[1]))
        memory = {each.name: psutil.Process(each.pid).memory_info().rss for each in targets}
    figures: dict[str, Any] = {
        "seconds": options.seconds,
        "server_core": cores[0],
        "load_core": cores[1],
        "memory_bytes": memory,
        **{name: {str(count): summary(loads) for count, loads in counts.items()} for name, counts in runs.items()},
    }
    if "litellm" in runs:
        figures["litellm_version"] = LITELLM
        figures["ratio_per_core"] = {
            str(count): round(
                figures["rocamadre"][str(count)]["requests_per_s"]["median"]
                / figures["litellm"][str(count)]["requests_per_s"]["median"],
                1,
            )
            for count in CONCURRENCY
        }
    report("wires" if options.without_litellm else "gateway", figures)
    return 0


def measure(target: Target, connections: int, seconds: float, core: int | None) -> Load:
    """One run of wrk; ends the program when an answer was not 2xx."""
    load = wrk(target.url, headers=target.sign(), body=target.body, connections=connections, seconds=seconds, core=core)
    if load.failed:
        raise SystemExit(f"{target.name}: {load.failed} of {load.requests} requests failed")
    return load


def summary(loads: list[Load]) -> dict[str, Any]:
    """Several runs in figures."""
    return {
        "requests_per_s": spread([load.requests_per_s for load in loads]),
        "p50_ms": spread([load.p50_ms for load in loads]),
        "p99_ms": spread([load.p99_ms for load in loads]),
    }


@contextmanager
def rocamadre(core: int | None) -> Iterator[tuple[list[Target], list[Target]]]:
    """A server that wants keys, and one key: the target that is compared, and the others."""
    home = Path(tempfile.mkdtemp(prefix="roca-bench-"))
    try:
        with local_host(Session(home)) as host:
            pair = create_key(host.sql, home, host.clock, name="bench", kind="signing")
        with server(core=core, home=home, settings={"SERVER__AUTH": "required"}) as (address, pid, _):

            def target(name: str, path: str, body: bytes) -> Target:
                def sign() -> Mapping[str, str]:
                    request = AWSRequest("POST", address + path, {"Content-Type": "application/json"}, body)
                    SigV4Auth(Credentials(pair.key.id, pair.secret), "bedrock", "us-east-1").add_auth(request)
                    return dict(request.headers.items())

                return Target(name, address + path, pid, body, sign)

            others = [target(name, path, json.dumps(body).encode()) for name, (path, body) in OTHERS.items()]
            yield [target("rocamadre", f"/model/{FAKE.replace(':', '%3A')}/converse", CONVERSE)], others
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def litellm(core: int | None, backend_core: int | None) -> Iterator[Target]:
    """LiteLLM's proxy in front of the trivial backend."""
    program = install_litellm()
    key = f"sk-{secrets.token_hex(24)}"
    backend_port, port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        config = Path(folder) / "config.json"  # JSON is YAML.
        model = {"model": "openai/trivial", "api_base": f"http://127.0.0.1:{backend_port}/v1", "api_key": "none"}
        config.write_text(
            json.dumps(
                {
                    "model_list": [{"model_name": "trivial", "litellm_params": model}],
                    "general_settings": {"master_key": key},
                }
            )
        )
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
        log = stack.enter_context(open(Path(folder) / "log", "wb"))
        stack.enter_context(
            child(backend_core, [sys.executable, "-m", "benchmarks.trivial_backend", str(backend_port)])
        )
        command = [
            str(program),
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--num_workers",
            "1",
        ]
        process = stack.enter_context(child(core, command, environment=quiet, output=log))
        wait_for(f"http://127.0.0.1:{port}/health/liveliness", process, Path(folder) / "log")
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        yield Target("litellm", url, process.pid, CHAT, lambda: headers)


def install_litellm() -> Path:
    """The `litellm` program of `.venv-litellm`, installed when it is missing."""
    folder = ROOT / ".venv-litellm"
    program = folder / "bin" / "litellm"
    if not program.exists():
        print(f"installing litellm {LITELLM} into {folder.name}; this takes minutes", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, f"litellm[proxy]=={LITELLM}"], check=True)
    return program


@contextmanager
def child(
    core: int | None, command: list[str], *, environment: Mapping[str, str] | None = None, output: Any = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as it is needed."""
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server answers; ends the program when it does not."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except (OSError, urllib.error.URLError):
            time.sleep(0.3)
    raise SystemExit(f"no answer from {url}:\n{log.read_text(errors='replace')[-3000:]}")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
