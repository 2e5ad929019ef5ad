"""The shipped GGUF file behind llama.cpp in a child process, asked over a unix socket: what is scored."""

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_S, ANSWER_S = 60.0, 120.0


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=ANSWER_S)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """A running child; `post` sends JSON to it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def post(self, route: str, body: dict) -> dict:
        """One request, one JSON answer.

        Raises:
            RuntimeError: the engine answered with an error.
        """
        connection = SocketConnection(self.path)
        try:
            connection.request("POST", route, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{route}: {answer.status} {content}")
        return content

    def tokenize(self, text: str) -> list[int]:
        return self.post("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]

    def complete(self, prompt: str | list[int], *, most: int, ignore_end: bool = False) -> dict:
        """Greedy continuation; the answer's `content` and `tokens`."""
        body = {
            "prompt": prompt, "n_predict": most, "temperature": 0.0, "top_k": 1, "top_p": 1.0, "min_p": 0.0,
            "repeat_penalty": 1.0, "cache_prompt": False, "return_tokens": True, "ignore_eos": ignore_end,
        }  # fmt: skip
        return self.post("/completion", body)


@contextlib.contextmanager
def serving(model: Path, *, exact: bool = False, context: int = 2048) -> Iterator[Engine]:
    """Start the engine on a model and stop it afterwards.

    Args:
        model: A GGUF file.
        exact: Keys and values in float32 and no flash attention, as a parity check needs it.
        context: Tokens.

    Raises:
        RuntimeError: it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="roca-") as folder:
        path = f"{folder}/engine.sock"
        command = [sys.executable, __file__, str(model), path, str(context), "exact" if exact else "default"]
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            _await_health(child, path)
            yield Engine(path)
        finally:
            child.kill()
            child.wait()


def _await_health(child: subprocess.Popen, path: str) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"the engine ended with status {child.returncode} while loading")
        connection = SocketConnection(path)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise RuntimeError(f"the engine did not answer within {START_S:.0f} s")


def child(model: str, path: str, context: int, mode: str) -> None:
    """What the child process runs: a server on one thread until it is killed."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.hostnames = [path]
    params.n_ctx, params.n_parallel, params.cache_ram_mib = context, 1, 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.ui, params.warmup = False, False
    if mode == "exact":
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = xllamacpp.Server(params)
    while server:
        time.sleep(3600)


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
