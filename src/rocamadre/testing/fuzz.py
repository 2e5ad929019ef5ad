"""Requests that no client would send, and what must hold of the answers to them.

Three kinds, all from one seed: requests generated from the service models, valid or broken in one trait; the same with
a random part of their JSON replaced; and the bytes of HTTP requests damaged at random. An answer may refuse, but a
status of 500 and above is a fault unless it is 501 (an operation that is absent) or 503 (unavailable, by design); so is
silence, and so is an answer that is not in the form that clients read.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import urlsplit

from rocamadre.api.handlers import HANDLERS
from rocamadre.testing.breakage import broken
from rocamadre.testing.examples import Examples
from rocamadre.testing.requests import WireRequest, wire_request

HANG_S = 20.0
ALLOWED = frozenset({501, 503})
FAKE = "rocamadre.fake-v1:0"
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5]\d\d) ")
_KNOWN: Mapping[str, Any] = {"modelId": FAKE, "modelIdentifier": FAKE}
_CREDENTIAL = {
    "authorization": (
        "AWS4-HMAC-SHA256 Credential=AKIAFUZZ/20260101/us-east-1/bedrock/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    ),
    "x-amz-date": "20260101T000000Z",
}
_CHAT = [{"role": "user", "content": "Hello"}]
_TOOL = {"name": "t", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
_LOOP = [
    {"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "t", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "b"}]},
]
_FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
_ENDPOINTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/chat/completions", {"model": FAKE, "messages": _CHAT, "max_tokens": 5, "stop": ["x"], "n": 1, "seed": 1}),
    ("/v1/chat/completions", {"model": FAKE, "messages": _CHAT, "stream": True, "temperature": 0.5}),
    ("/v1/chat/completions", {"model": FAKE, "messages": _CHAT, "tools": [_FUNCTION], "tool_choice": "required"}),
    ("/v1/responses", {"model": FAKE, "input": _CHAT, "truncation": "auto", "text": {"format": {"type": "text"}}}),
    ("/v1/responses", {"model": FAKE, "input": "Hello", "stream": True, "background": True}),
    ("/v1/completions", {"model": FAKE, "prompt": "Hello", "echo": True, "logprobs": 1, "max_tokens": 5}),
    ("/v1/embeddings", {"model": "rocamadre.fake-embed-v1:0", "input": ["a", "b"], "encoding_format": "base64"}),
    ("/anthropic/v1/messages", {"model": FAKE, "max_tokens": 5, "messages": _CHAT, "system": "s", "tools": [_TOOL]}),
    (
        "/anthropic/v1/messages",
        {"model": FAKE, "max_tokens": 5, "messages": _LOOP, "stream": True, "thinking": {"type": "disabled"}},
    ),
    ("/anthropic/v1/messages/count_tokens", {"model": FAKE, "messages": _LOOP, "tools": [_TOOL]}),
)
_BODIES: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5},
    {"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 5}},
    {"prompt": "Hello", "max_gen_len": 5},
)


def _deep(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


_WEIRD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 1 << 31, 1 << 64, -(1 << 70), "", " ", "\x00", "a" * 5000, "é☃\u202e", "null",
    "../../etc/passwd", "arn:aws:bedrock:us-east-1::foundation-model/x", "{{x}}", "%s%n", [], {}, [None], {"": None},
    {"text": 1}, _deep(60), _deep(600), "9" * 400, ["a"] * 300, {str(index): index for index in range(300)},
)  # fmt: skip


@dataclass
class Tally:
    """What was tried and what came back.

    Attributes:
        sent: Requests by kind.
        statuses: Answers by status; 0 is a connection that was closed without one.
        faults: What must not be, the first 50 of each run.
    """

    seed: int
    sent: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def fault(self, text: str) -> None:
        """Note a fault."""
        if len(self.faults) < 50:
            self.faults.append(text[:600])


class Fuzzer:
    """Sends requests to a running server.

    Args:
        address: Of a server with `auth = "open"`.
        models: As `load_models` returns them.
        seed: The same seed sends the same requests.
    """

    def __init__(self, address: str, models: Mapping[str, Any], seed: int) -> None:
        self._random = Random(seed)
        self._models = models
        self._examples = {name: Examples(model["shapes"], _KNOWN) for name, model in models.items()}
        self._operations = [(service, name) for service, model in models.items() for name in model["operations"]]
        self._handled = sorted(HANDLERS)
        place = urlsplit(address)
        self._host, self._port = place.hostname or "", place.port or 80
        self._connection = http.client.HTTPConnection(self._host, self._port, timeout=HANG_S)
        self.tally = Tally(seed)

    def run(self, *, seconds: float, most: int = 10**9) -> Tally:
        """Send requests until the time or the count is up."""
        kinds: tuple[tuple[str, int, Callable[[], None]], ...] = (
            ("from the models, valid", 2, self._send_valid),
            ("from the models, one trait broken", 4, self._send_broken),
            ("JSON mutated", 4, self._send_mutated),
            ("raw HTTP mutated", 2, self._send_raw),
        )
        until = time.monotonic() + seconds
        weights = [weight for _, weight, _ in kinds]
        while time.monotonic() < until and self.tally.sent.total() < most:
            name, _, send = self._random.choices(kinds, weights)[0]
            self.tally.sent[name] += 1
            send()
        self._connection.close()
        return self.tally

    # -- requests ------------------------------------------------------------------------------------------------

    def _operation(self) -> tuple[str, str]:
        return self._random.choice(self._handled if self._random.random() < 0.7 else self._operations)

    def _params(self, service: str, operation: str) -> dict[str, Any]:
        shape = self._models[service]["operations"][operation].get("input", {}).get("shape")
        if shape is None:
            return {}
        full = self._random.random() < 0.7
        makes = self._examples[service]
        params: dict[str, Any] = makes.full(shape, choice=self._random.randrange(64)) if full else makes.minimal(shape)
        if operation in ("InvokeModel", "InvokeModelWithResponseStream") and self._random.random() < 0.7:
            params["body"] = json.dumps(self._random.choice(_BODIES)).encode()
        return params

    def _send_valid(self) -> None:
        service, operation = self._operation()
        self._exchange(service, wire_request(self._models[service], operation, self._params(service, operation)))

    def _send_broken(self) -> None:
        service, operation = self._operation()
        params = self._params(service, operation)
        faults = list(broken(self._models[service], operation, params))
        if faults:
            params = self._random.choice(faults).params
        self._exchange(service, wire_request(self._models[service], operation, params))

    def _send_mutated(self) -> None:
        if self._random.random() < 0.3:
            path, content = self._random.choice(_ENDPOINTS)
            body = self._encoded(self._mutated(content))
            self._exchange("", WireRequest("POST", path.encode(), b"", {"content-type": "application/json"}, body))
            return
        service, operation = self._random.choice(self._handled)
        sent = wire_request(self._models[service], operation, self._params(service, operation))
        body = sent.body
        if body:
            try:
                body = self._encoded(self._mutated(json.loads(body)))
            except ValueError:
                body = self._flipped(body)
        headers = dict(sent.headers)
        if self._random.random() < 0.2:
            headers["content-type"] = self._random.choice(
                ("", "text/plain", "application/x-amz-json-1.1", "é", "a" * 300)
            )
        self._exchange(service, WireRequest(sent.method, sent.path, sent.query, headers, body))

    def _mutated(self, value: Any) -> Any:
        """The value with one random part replaced, removed or added."""
        if self._random.random() < 0.3 or not isinstance(value, dict | list) or not value:
            return self._random.choice(_WEIRD)
        if isinstance(value, list):
            index = self._random.randrange(len(value))
            return [self._mutated(item) if at == index else item for at, item in enumerate(value)]
        key = self._random.choice(list(value))
        if self._random.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        if self._random.random() < 0.1:
            return {**value, self._random.choice(("", "x", "__type", "\x00", key.upper())): self._random.choice(_WEIRD)}
        return {**value, key: self._mutated(value[key])}

    def _encoded(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=self._random.random() < 0.5)
        if self._random.random() < 0.05:
            text = text.replace("0", "NaN", 1)
        if self._random.random() < 0.05:
            text = "[" * self._random.choice((10, 1000, 200_000)) + text
        data = text.encode("utf-8", "surrogatepass")
        return self._flipped(data) if self._random.random() < 0.1 else data

    def _flipped(self, data: bytes) -> bytes:
        changed = bytearray(data or b"x")
        for _ in range(self._random.randint(1, 4)):
            place = self._random.randrange(len(changed))
            action = self._random.randrange(4)
            if action == 0:
                changed[place] = self._random.randrange(256)
            elif action == 1:
                del changed[place : place + self._random.randint(1, 8)]
                changed = changed or bytearray(b"x")
            elif action == 2:
                changed[place:place] = self._random.choice((b"\r\n", b"\x00", b"\xff", b"%", b"/", b": ", b"A" * 200))
            else:
                changed[place:place] = changed[place : place + 32]
        return bytes(changed)

    # -- answers -------------------------------------------------------------------------------------------------

    def _exchange(self, service: str, sent: WireRequest) -> None:
        prefix = f"/{service}" if service and self._random.random() < 0.8 else ""
        target = prefix + sent.path.decode("latin-1") + (f"?{sent.query.decode()}" if sent.query else "")
        what = f"{sent.method} {target[:150]} {sent.body[:250]!r}"
        try:
            headers = {
                name: value.encode("latin-1", "replace") for name, value in {**_CREDENTIAL, **sent.headers}.items()
            }
            self._connection.request(sent.method, target, sent.body or None, headers)
            response = self._connection.getresponse()
            body = response.read()
        except TimeoutError:
            self.tally.fault(f"no answer within {HANG_S:g} s: {what}")
            self._connection.close()
            return
        except (OSError, http.client.HTTPException) as error:
            self.tally.statuses[0] += 1
            self.tally.fault(f"the connection broke ({error!r}): {what}")
            self._connection.close()
            return
        self.tally.statuses[response.status] += 1
        for problem in _problems(response.status, {k.lower(): v for k, v in response.getheaders()}, body):
            self.tally.fault(f"{problem}: {what} answered {response.status} {body[:200]!r}")

    def _send_raw(self) -> None:
        service, operation = self._random.choice(self._handled)
        sent = wire_request(self._models[service], operation, self._params(service, operation))
        target = sent.path + (b"?" + sent.query if sent.query else b"")
        headers = {"host": f"{self._host}:{self._port}", **_CREDENTIAL, **sent.headers}
        lines = [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers.items()]
        lines += self._random.choice(_RAW_HEADERS)
        length = b"content-length: %d" % len(sent.body)
        lines.append(length if self._random.random() < 0.8 else self._random.choice(_RAW_LENGTHS))
        head = b"\r\n".join([b"%b %b HTTP/1.1" % (sent.method.encode(), target), *lines])
        whole = head + b"\r\n\r\n" + sent.body
        if self._random.random() < 0.8:
            whole = self._flipped(whole)
        self._exchange_raw(whole)

    def _exchange_raw(self, data: bytes) -> None:
        """Send bytes, say that there are no more, and read until the server closes."""
        answer = b""
        try:
            with socket.create_connection((self._host, self._port), timeout=HANG_S) as connection:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(65536):
                    answer += piece
        except TimeoutError:
            self.tally.fault(f"no end within {HANG_S:g} s: {data[:400]!r}")
            return
        except OSError:
            pass  # A server may reset what it cannot read.
        statuses = [int(found) for found in _STATUS_LINE.findall(answer)]
        final = [status for status in statuses if status >= 200]
        self.tally.statuses[final[0] if final else 0] += 1
        for status in final:  # Damaged bytes may read as two requests.
            if status >= 500 and status not in ALLOWED:
                self.tally.fault(f"{status} to raw {data[:400]!r}: {answer[:300]!r}")


_RAW_HEADERS: tuple[list[bytes], ...] = (
    [],
    [b"transfer-encoding: chunked"],
    [b"expect: 100-continue"],
    [b"connection: upgrade", b"upgrade: websocket"],
    [b"connection: close"],
    [b"host: evil.example"],
    [b"origin: https://evil.example"],
    [b"x: " + b"y" * 9000],
    [b"x-%d: y" % index for index in range(200)],
    [b"content-type: application/json", b"content-type: text/plain"],
    [b"authorization: Bearer x"],
    [b"x-amz-date: \xff\xfe"],
    [b"bad header line"],
    [b"x: a\r\n b"],
)
_RAW_LENGTHS = (
    b"content-length: -1", b"content-length: 99999999999999999999", b"content-length: 5", b"content-length: x",
    b"content-length: 0\r\ncontent-length: 7", b"x-nothing: 1",
)  # fmt: skip


def _problems(status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """What is wrong with an answer."""
    found = []
    if status >= 500 and status not in ALLOWED:
        found.append("a server error")
    if status >= 300:
        try:
            content = json.loads(body)
        except ValueError:
            return [*found, "an error that is no JSON"]
        if "x-amzn-requestid" not in headers:
            found.append("no request id")
        message = content.get("message") or content.get("Message") or (content.get("error") or {})
        if not message:
            found.append("no message")
    return found
