"""The console put together: pages, files, logging in, and the guard around it all."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from nicegui import Client, app, ui
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from rocamadre.console.api import Api, Credentials, Platform
from rocamadre.console.history import History
from rocamadre.console.login import LoginPages
from rocamadre.console.page import THEMES, Page
from rocamadre.console.pages.registry import PAGES, Entry
from rocamadre.console.parts.elements import box, heading, link, text
from rocamadre.console.parts.layout import LANGUAGE_COOKIE, THEME_COOKIE, build_layout, not_found
from rocamadre.console.security import Guard, session_of
from rocamadre.console.sessions import Sessions, read_secret
from rocamadre.console.translation import HTML_LANGUAGES, Translator, choose_language
from rocamadre.core.settings import Settings

logger = logging.getLogger(__name__)

_PATIENCE_S = 0.4
"""How long a page waits for the server before it is sent with skeletons."""
_BUILD_TIMEOUT_S = 15.0
_RECONNECT_S = 5.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Console:
    """What every visit shares.

    Attributes:
        sessions: None when nobody needs to log in.
    """

    platform: Platform
    sessions: Sessions | None
    history: History

    def api_of(self, request: Request) -> Api:
        """The platform with the visitor's key."""
        session = session_of(request.scope)
        return Api(self.platform, session.credentials if session else Credentials())


def build_application(settings: Settings, address: str) -> Guard:
    """The console of one server, as an ASGI application; once per process, as NiceGUI is.

    Args:
        settings: The server's.
        address: Where it answers.
    """
    secure = settings.server.tls_cert is not None
    platform = Platform(address, settings.server.region)
    sessions = Sessions(read_secret(settings.home)) if settings.server.auth == "required" else None
    console = Console(platform, sessions, History(partial(_watcher, platform, sessions)))
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=partial(_lifespan, console))
    folder = Path(str(files("rocamadre.console") / "static"))
    login = LoginPages(platform, sessions, secure=secure)
    outer.add_api_route("/login", login.show, methods=["GET"], response_model=None)
    outer.add_api_route("/login", login.take, methods=["POST"], response_model=None)
    outer.add_api_route("/logout", login.leave, methods=["POST"], response_model=None)
    outer.add_api_route("/healthz", _health, methods=["GET"], response_model=None)
    outer.add_api_route("/favicon.ico", partial(_favicon, folder), methods=["GET"], response_model=None)
    outer.mount("/static", StaticFiles(directory=folder))
    for entry in PAGES:
        ui.page(entry.path, response_timeout=_BUILD_TIMEOUT_S)(_visit(console, entry))
    ui.page("/{rest:path}", response_timeout=_BUILD_TIMEOUT_S)(_visit(console, None))
    app.colors(primary="#0b6bcb")
    # NiceGUI would log and show the sentences of exceptions, which may quote what people typed.
    logging.getLogger("nicegui").setLevel(logging.CRITICAL)
    # Each WebSocket's address, which names its visitor, at each connection.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    app.on_exception(_log_failure)
    app.on_page_exception(_show_failure)
    ui.run_with(
        outer,
        title="Rocamadre",
        favicon="/favicon.ico",
        language="en-US",
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_S,
        tailwind=False,
        gzip_middleware_factory=None,
        show_welcome_message=False,
    )
    if settings.server.host not in _LOOPBACK:
        # Over loopback, packing costs more than it saves.
        outer.add_middleware(GZipMiddleware, minimum_size=2000, compresslevel=5)
    return Guard(outer, server=settings.server, sessions=sessions, secure=secure)


def _watcher(platform: Platform, sessions: Sessions | None) -> Api | None:
    """Whose key asks for the server's counters: nobody's where it is open, else that of somebody logged in."""
    if sessions is None:
        return Api(platform, Credentials())
    session = sessions.any()
    return Api(platform, session.credentials) if session else None


@asynccontextmanager
async def _lifespan(console: Console, _: FastAPI) -> AsyncIterator[None]:
    watching = asyncio.create_task(console.history.run(), name="metrics")
    # boto3 takes a second to read its models; the first visitor should not wait for that.
    warming = asyncio.create_task(asyncio.to_thread(console.platform.client, "bedrock", Credentials()), name="warming")
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, warming, return_exceptions=True)
        await console.platform.close()


async def _health() -> Response:
    return PlainTextResponse("ok\n")


async def _favicon(folder: Path) -> Response:
    return FileResponse(folder / "icon.svg", media_type="image/svg+xml", headers={"cache-control": "max-age=86400"})


def _log_failure(error: Exception) -> None:
    logger.error("console.failure", extra={"kind": type(error).__name__}, exc_info=error)


def _show_failure(error: Exception) -> None:
    request = ui.context.client.request
    t = Translator(
        choose_language(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
    )
    ui.add_head_html('<link rel="stylesheet" href="/static/console.css">')
    with box("main", name="main"):
        heading(t("states.broken"), level=1)
        text(t("states.broken_hint"))
        link(t("layout.home"), "/")


def _visit(console: Console, entry: Entry | None) -> Callable[..., Awaitable[None]]:
    """The function that NiceGUI calls for each visit to a page."""

    async def visit(request: Request, client: Client) -> None:
        language = choose_language(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))
        theme = request.cookies.get(THEME_COOKIE, "")
        page = Page(
            client=client,
            api=console.api_of(request),
            t=Translator(language),
            path=request.url.path,
            query=dict(request.query_params),
            values={name: str(value) for name, value in request.path_params.items()},
            theme=theme if theme in THEMES else THEMES[0],
            history=console.history,
            locked=console.sessions is not None,
        )
        _dress(page, entry)
        with build_layout(page, entry):
            if entry is None:
                client.status_code = 404
                not_found(page)
            else:
                await entry.load()(page)
                await page.settle(_PATIENCE_S)

    return visit


def _dress(page: Page, entry: Entry | None) -> None:
    """Title, language, colours: what the head of the document says."""
    client = page.client
    # NiceGUI keeps one page object for all visits; this one speaks the visitor's language.
    dressed: Any = copy.copy(client.page)
    dressed.language = HTML_LANGUAGES[page.t.language]
    dressed.dark = {"light": False, "dark": True}.get(page.theme)
    client.page = dressed
    title = page.t(f"{entry.name}.title") if entry else page.t("states.not_found")
    client.title = f"{title} · {page.t('layout.name')}"
    # Before anything is drawn, so that nobody is dazzled first; `page.theme` is one of three words.
    ui.add_head_html(
        f'<script>document.documentElement.dataset.theme = "{page.theme}";</script>'
        '<link rel="stylesheet" href="/static/console.css">'
    )
