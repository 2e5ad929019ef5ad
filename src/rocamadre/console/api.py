"""The platform as one visitor may use it: boto3 in threads, and plain HTTP, both with the visitor's own key."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import boto3
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as Signing
from botocore.eventstream import EventStreamBuffer, ParserError
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection

from rocamadre.console.failures import UNREACHABLE, ApiFailure

_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 120.0
_MOST_CLIENTS = 64
_MESSAGE_LENGTH = 2000


@dataclass(frozen=True, slots=True)
class Credentials:
    """A visitor's key: a signing pair, or a bearer key.

    Attributes:
        bearer: When given, the pair is not used.
    """

    access_key: str = "console"
    secret_key: str = "console"
    bearer: str = ""


class Platform:
    """The server as the whole console sees it; made once.

    Args:
        address: For example `http://127.0.0.1:4599`.
        region: Of the visitors' requests.
    """

    def __init__(self, address: str, region: str) -> None:
        self.address = address
        self.region = region
        self._http: aiohttp.ClientSession | None = None
        self._clients: dict[tuple[str, Credentials], Any] = {}
        self._lock = threading.Lock()

    @property
    def http(self) -> aiohttp.ClientSession:
        """One pool of connections; to be used from the event loop."""
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_TIMEOUT_S, sock_read=_READ_TIMEOUT_S)
            # The certificate is for the name that clients use; this asks over loopback the server that began it.
            connector = aiohttp.TCPConnector(ssl=False, limit=64)
            self._http = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self._http

    def client(self, service: str, credentials: Credentials) -> Any:
        """A boto3 client, made on the first request for it; from any thread."""
        with self._lock:
            found = self._clients.get((service, credentials))
            if found is None:
                while len(self._clients) >= _MOST_CLIENTS:
                    self._clients.pop(next(iter(self._clients)))
                found = self._clients[service, credentials] = self._open(service, credentials)
            return found

    def _open(self, service: str, credentials: Credentials) -> Any:
        session: Any = boto3.Session(
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            region_name=self.region,
        )
        config = Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            proxies={},
        )
        if credentials.bearer:
            # boto3 sends bearer keys over TLS only; this one goes to the server that this console was started by.
            config = config.merge(Config(signature_version=UNSIGNED))
        # Without a signature nothing but the path says which service is meant, and buckets' paths could be anything.
        address = f"{self.address}/s3" if credentials.bearer and service == "s3" else self.address
        client = session.client(service, endpoint_url=address, verify=False, config=config)
        if service == "bedrock-agent-runtime":
            client.meta.events.register("before-sign.bedrock-agent-runtime.Retrieve", _explained)
        if credentials.bearer:
            client.meta.events.register(
                f"before-send.{client.meta.service_model.service_id.hyphenize()}.*",
                lambda request, **_: request.headers.__setitem__("Authorization", f"Bearer {credentials.bearer}"),
            )
        return client

    def forget(self, credentials: Credentials) -> None:
        """Drop the clients of a visitor who has left."""
        with self._lock:
            for key in [key for key in self._clients if key[1] == credentials]:
                del self._clients[key]

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()


class Api:
    """What one visitor may ask.

    Args:
        platform: The server.
        credentials: The visitor's.
    """

    def __init__(self, platform: Platform, credentials: Credentials) -> None:
        self.platform = platform
        self.credentials = credentials

    def client(self, service: str) -> Any:
        """A boto3 client of the visitor, for what `call` cannot do, such as streams; blocks, so use it in a thread."""
        return self.platform.client(service, self.credentials)

    async def call(self, service: str, operation: str, **request: Any) -> Any:
        """Call one operation with boto3.

        Args:
            service: As boto3 names it, for example `bedrock`.
            operation: A method of its client, for example `list_foundation_models`.
            **request: The operation's members.

        Raises:
            ApiFailure: it was refused, or nothing answers.
        """
        return await asyncio.to_thread(self.call_now, service, operation, **request)

    def call_now(self, service: str, operation: str, **request: Any) -> Any:
        """`call` for those who are in a thread already.

        Raises:
            ApiFailure: see `call`.
        """
        try:
            return getattr(self.client(service), operation)(**request)
        except (ClientError, BotoCoreError) as error:
            raise failure_of(error) from error

    async def get(self, path: str) -> Any:
        """GET a path and decode its JSON; text where it is none.

        Raises:
            ApiFailure: it was refused, or nothing answers.
        """
        return await self.request("GET", path)

    async def post(self, path: str, body: Any) -> Any:
        """POST JSON and decode what comes back.

        Raises:
            ApiFailure: it was refused, or nothing answers.
        """
        return await self.request("POST", path, json.dumps(body).encode())

    async def request(self, method: str, path: str, data: bytes = b"") -> Any:
        """One plain HTTP request; JSON is decoded, other bodies are text.

        Raises:
            ApiFailure: it was refused, or nothing answers.
        """
        try:
            url, headers = self._signed(method, path, data)
            async with self.platform.http.request(method, url, data=data or None, headers=headers) as response:
                body = await response.text()
                kind = response.content_type
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFailure(_reason(error), code=UNREACHABLE) from error
        value = _decoded(body) if "json" in kind else body
        if response.status >= 400:
            raise _refusal(response.status, value)
        return value

    async def stream(self, path: str, body: Any) -> AsyncGenerator[Any, None]:
        """POST JSON and yield the JSON of each server-sent event, until `[DONE]`; closing it ends the generation.

        Raises:
            ApiFailure: it was refused, nothing answers, or the stream broke.
        """
        data = json.dumps(body).encode()
        try:
            url, headers = self._signed("POST", path, data)
            async with self.platform.http.post(url, data=data, headers=headers) as response:
                if response.status >= 400:
                    raise _refusal(response.status, _decoded(await response.text()))
                async for line in response.content:
                    if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
                        yield json.loads(line[5:])
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFailure(_reason(error), code=UNREACHABLE) from error

    async def events(self, path: str, body: Any) -> AsyncGenerator[dict[str, Any], None]:
        """POST JSON and yield each event of AWS's event stream as `{name: members}`; closing it ends the generation.

        Raises:
            ApiFailure: it was refused, nothing answers, or the stream broke or ended in an exception.
        """
        data = json.dumps(body).encode()
        buffer: Any = EventStreamBuffer()
        try:
            url, headers = self._signed("POST", path, data)
            async with self.platform.http.post(url, data=data, headers=headers) as response:
                if response.status >= 400:
                    raise _refusal(response.status, _decoded(await response.text()))
                async for piece in response.content.iter_any():
                    buffer.add_data(piece)
                    for message in buffer:
                        found = _decoded(message.payload.decode())
                        if ":exception-type" in message.headers:
                            told = found if isinstance(found, dict) else {}
                            code = str(message.headers[":exception-type"])
                            raise ApiFailure(str(told.get("message", ""))[:_MESSAGE_LENGTH], code=code, status=200)
                        yield {str(message.headers[":event-type"]): found}
        except (aiohttp.ClientError, TimeoutError, OSError, ParserError) as error:
            raise ApiFailure(_reason(error), code=UNREACHABLE) from error

    def _signed(self, method: str, path: str, data: bytes) -> tuple[str, dict[str, str]]:
        url = f"{self.platform.address}{path}"
        headers = {"Content-Type": "application/json", "Host": urlsplit(url).netloc}
        known = self.credentials
        if known.bearer:
            return url, {**headers, "Authorization": f"Bearer {known.bearer}"}
        request = AWSRequest(method, url, headers, data)
        SigV4Auth(Signing(known.access_key, known.secret_key), "bedrock", self.platform.region).add_auth(request)
        return url, dict(request.headers.items())


def failure_of(error: ClientError | BotoCoreError) -> ApiFailure:
    """What boto3 raised, in the console's own form."""
    if isinstance(error, ClientError):
        told = error.response.get("Error", {})
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return ApiFailure(
            str(told.get("Message", ""))[:_MESSAGE_LENGTH], code=str(told.get("Code", "")), status=int(status)
        )
    if isinstance(error, HTTPClientError | NoConnection):
        return ApiFailure(str(error)[:_MESSAGE_LENGTH], code=UNREACHABLE)
    return ApiFailure(str(error)[:_MESSAGE_LENGTH], code=type(error).__name__)


def _explained(request: Any, **_: Any) -> None:
    """Ask for the way of each chunk, which the answer then leads to."""
    request.headers["x-rocamadre-explain"] = "true"


def _reason(error: BaseException) -> str:
    return str(error)[:_MESSAGE_LENGTH] or type(error).__name__


def _decoded(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _refusal(status: int, value: Any) -> ApiFailure:
    told: Mapping[str, Any] = value if isinstance(value, dict) else {}
    inner = told["error"] if isinstance(told.get("error"), dict) else told  # OpenAI's form has it one level down.
    message = str(inner.get("message", "")) or f"HTTP {status}"
    code = inner.get("code") or inner.get("type") or inner.get("__type") or ""
    return ApiFailure(message[:_MESSAGE_LENGTH], code=str(code), status=status)
