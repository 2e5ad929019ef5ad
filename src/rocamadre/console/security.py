"""What every request to the console must pass, and what every answer says: hosts, origins, sessions, content policy."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias

from rocamadre.console.sessions import Session, Sessions
from rocamadre.core.origins import refusal
from rocamadre.core.settings import ServerSettings

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

SESSION_COOKIE = "roca_console"
OPEN_PATHS = frozenset({"/login", "/favicon.ico", "/healthz"})
OPEN_FOLDER = "/static/"
"""What is answered without logging in."""

_SESSION_KEY = "rocamadre.session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=(), usb=()"),
)
_PAGE_HEADER = b"x-nicegui-content"


def session_of(scope: Scope) -> Session | None:
    """Who asks; None where nobody needs to log in, or on open paths."""
    found = scope.get(_SESSION_KEY)
    return found if isinstance(found, Session) else None


def cookies_of(headers: dict[str, str]) -> dict[str, str]:
    """The cookies of a request; none when they cannot be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def content_policy(nonce: str = "") -> str:
    """The Content-Security-Policy of an answer.

    Scripts run only from files of this origin, or when marked with the answer's nonce: handlers in attributes and
    `javascript:` never do. `unsafe-eval` is what Vue needs to compile its templates.
    """
    scripts = f"script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; " if nonce else ""
    return (
        f"default-src 'none'; {scripts}style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


class Guard:
    """The outermost application.

    Args:
        inner: The console.
        server: For the rules of hosts and origins, the same as the API's.
        sessions: None when nobody needs to log in.
        secure: Whether it is served over TLS.
    """

    def __init__(
        self, inner: Application, *, server: ServerSettings, sessions: Sessions | None, secure: bool = False
    ) -> None:
        self._inner = inner
        self._server = server
        self._sessions = sessions
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, hand it on, and put the headers on its answer."""
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        reason = refusal(headers, self._server) or _changes_unasked(scope, headers)
        if reason is not None:
            await _refuse(scope, send, 403, reason)
            return
        if self._sessions is not None and not self._known(scope, headers):
            await _ask_to_log_in(scope, send)
            return
        # Pages are put together under a prefix that a header may name; nobody in front of us sets it.
        scope["headers"] = [item for item in scope["headers"] if item[0] != b"x-forwarded-prefix"]
        await self._inner(scope, receive, _Answer(send, secure=self._secure).send if scope["type"] == "http" else send)

    def _known(self, scope: Scope, headers: dict[str, str]) -> bool:
        assert self._sessions is not None
        session = self._sessions.find(cookies_of(headers).get(SESSION_COOKIE, ""))
        scope[_SESSION_KEY] = session
        path = scope["path"]
        return session is not None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _changes_unasked(scope: Scope, headers: dict[str, str]) -> str | None:
    """Why a request may be another page's: whatever is no plain read must name its origin, which is ours."""
    reading = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
    if reading or "origin" in headers:
        return None
    return "a request that changes something, or a WebSocket, must come from a page of the console (Origin is missing)"


class _Answer:
    """Holds a page back until it is whole, to mark its scripts; lets everything else through."""

    def __init__(self, send: Send, *, secure: bool) -> None:
        self._send = send
        self._secure = secure
        self._held: Message | None = None
        self._body = bytearray()

    async def send(self, message: Message) -> None:
        """Take one message of the answer."""
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            if _PAGE_HEADER in headers:
                self._held = message
                return
            # A page that the console writes by hand has no scripts.
            message["headers"] = [*message["headers"], *self._headers(content_policy())]
            await self._send(message)
            return
        if self._held is None or message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._finish(self._held)

    async def _finish(self, start: Message) -> None:
        nonce = secrets.token_urlsafe(18)
        # What pages show is data in which `<` is escaped, so a tag in the text is always one of the template's.
        body = bytes(self._body).replace(b"<script", f'<script nonce="{nonce}"'.encode())
        headers = [item for item in start["headers"] if item[0] != b"content-length"]
        headers += [(b"content-length", str(len(body)).encode()), *self._headers(content_policy(nonce))]
        self._held = None
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    def _headers(self, policy: str) -> list[tuple[bytes, bytes]]:
        found = [*_HEADERS, (b"content-security-policy", policy.encode())]
        return [*found, (b"strict-transport-security", b"max-age=31536000")] if self._secure else found


async def _refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})


async def _ask_to_log_in(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket" or scope["method"] != "GET" or scope["path"].startswith("/_nicegui"):
        await _refuse(scope, send, 401, "log in first")
        return
    headers = [(b"location", b"/login"), (b"cache-control", b"no-store"), *_HEADERS]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
