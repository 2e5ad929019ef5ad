"""Logging in and out: the only pages that the console writes by hand, without a line of JavaScript."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rocamadre.console.api import Api, Credentials, Platform
from rocamadre.console.failures import ApiFailure
from rocamadre.console.parts.layout import LANGUAGE_COOKIE, THEME_COOKIE
from rocamadre.console.security import SESSION_COOKIE, session_of
from rocamadre.console.sessions import LIFETIME_S, Attempts, Sessions
from rocamadre.console.translation import HTML_LANGUAGES, Translator, choose_language

_MOST_BYTES = 8192
_PAGE = """<!doctype html>
<html lang="{lang}" data-theme="{theme}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="/favicon.ico">
<link rel="stylesheet" href="/static/console.css"></head>
<body class="login-body"><main class="login" id="main"><span class="brand-mark" aria-hidden="true"></span>
<h1>{title}</h1><p>{hint}</p>{told}
<form method="post" action="/login">
<label class="field"><span class="field-label">{access_key}</span>
<input name="access_key" autocomplete="username" autofocus></label>
<label class="field"><span class="field-label">{secret_key}</span>
<input name="secret_key" type="password" autocomplete="current-password"></label>
<p class="or">{either}</p>
<label class="field"><span class="field-label">{bearer}</span>
<input name="bearer" type="password" autocomplete="off"></label>
<button class="button primary" type="submit">{send}</button></form>
<p class="faint">{make}</p><pre tabindex="0">roca keys create me</pre></main></body></html>
"""


class LoginPages:
    """What `/login` and `/logout` answer.

    Args:
        platform: Asked whether a key is good.
        sessions: None when nobody needs to log in.
        secure: Whether the cookie is for TLS only.
    """

    def __init__(self, platform: Platform, sessions: Sessions | None, *, secure: bool) -> None:
        self._platform = platform
        self._sessions = sessions
        self._secure = secure
        self._attempts = Attempts()

    async def show(self, request: Request) -> Response:
        """GET /login."""
        if self._sessions is None or session_of(request.scope) is not None:
            return RedirectResponse("/", 303)
        return self._page(request)

    async def take(self, request: Request) -> Response:
        """POST /login: a signing pair or a bearer key, tried on the server itself."""
        if self._sessions is None:
            return RedirectResponse("/", 303)
        address = request.client.host if request.client else ""
        if not self._attempts.allowed(address):
            return self._page(request, "login.too_many", status=429)
        # Counted before the answer comes, so that many at once are no way around it.
        self._attempts.failed(address)
        credentials = await _read_form(request)
        if credentials is None:
            return self._page(request, "login.incomplete", status=400)
        try:
            await Api(self._platform, credentials).get("/_rocamadre/status")
        except ApiFailure as failure:
            if failure.unreachable:
                return self._page(request, "states.unreachable", status=502)
            return self._page(request, "login.wrong", status=403)
        self._attempts.forgive(address)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            SESSION_COOKIE,
            self._sessions.begin(credentials),
            max_age=LIFETIME_S,
            httponly=True,
            samesite="strict",
            secure=self._secure,
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """POST /logout."""
        session = session_of(request.scope)
        if session is not None and self._sessions is not None:
            self._sessions.end(session)
            self._platform.forget(session.credentials)
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict", secure=self._secure)
        return answer

    def _page(self, request: Request, reason: str = "", *, status: int = 200) -> Response:
        language = choose_language(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
        t = Translator(language)
        names = ("title", "hint", "access_key", "secret_key", "either", "bearer", "send", "make")
        theme = request.cookies.get(THEME_COOKIE, "")
        html = _PAGE.format(
            lang=HTML_LANGUAGES[language],
            theme=theme if theme in ("light", "dark") else "auto",
            told=f'<p class="told" role="alert">{escape(t(reason))}</p>' if reason else "",
            **{name: escape(t(f"login.{name}")) for name in names},
        )
        return HTMLResponse(html, status, headers={"cache-control": "no-store"})


async def _read_form(request: Request) -> Credentials | None:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > _MOST_BYTES:
            return None
    form = {name: values[-1].strip() for name, values in parse_qs(body.decode("latin-1")).items()}
    bearer, access_key, secret_key = (form.get(name, "") for name in ("bearer", "access_key", "secret_key"))
    printable = all(32 < ord(letter) < 127 for letter in bearer + access_key + secret_key)
    if not printable or not (bearer or (access_key and secret_key)):
        return None
    return Credentials(bearer=bearer) if bearer else Credentials(access_key, secret_key)
