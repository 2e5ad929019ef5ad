"""`python -m rocamadre.server`: run the API server in the foreground."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Any

import uvicorn

from rocamadre import __version__
from rocamadre.core.errors import RocamadreError
from rocamadre.core.settings import Settings, load_settings
from rocamadre.observability.logging import configure_logging
from rocamadre.observability.tracing import configure_tracing
from rocamadre.server import console
from rocamadre.server.app import Application
from rocamadre.server.http import HttpProtocol
from rocamadre.server.keeper import working
from rocamadre.server.lifespan import (
    build_platform,
    check_exposure,
    close_platform,
    remove_server_file,
    write_server_file,
)

logger = logging.getLogger(__name__)


def main() -> int:
    """Run until a signal comes; 1 when it could not start, with the reason on stderr."""
    try:
        settings = load_settings()
        check_exposure(settings.server)
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        listener = _listen(settings)
    except (RocamadreError, OSError) as error:
        print(f"rocamadre: {error}", file=sys.stderr)
        return 1
    logs = configure_logging(level=settings.log.level, folder=settings.home / "logs", terminal=sys.stderr.isatty())
    configure_tracing(settings.log.otlp_endpoint, version=__version__, keep=settings.log.recent_traces)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(settings, listener))
    except RocamadreError as error:
        print(f"rocamadre: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        logs.close()
    return 0


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415  (not on every platform)
    except ImportError:
        return None
    return uvloop.new_event_loop


def _listen(settings: Settings) -> socket.socket:
    server = settings.server
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.host, server.port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"port {server.port} on {server.host} cannot be used ({error.strerror}); choose another with --port or "
            "ROCA_SERVER__PORT"
        ) from error
    listener.set_inheritable(False)
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    server = settings.server
    scheme = "https" if server.tls_cert else "http"
    host = f"[{server.host}]" if ":" in server.host else server.host
    address = f"{scheme}://{host}:{listener.getsockname()[1]}"
    platform = build_platform(settings, address=address)
    application = Application(platform)
    try:
        config = uvicorn.Config(
            application,
            http=HttpProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            proxy_headers=False,
            backlog=4096,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
            ssl_certfile=server.tls_cert,
            ssl_keyfile=server.tls_key,
        )
        listening = _listen_for_console(settings, listener.getsockname()[1])
        write_server_file(settings.home, address, console.address_of(settings, listening) if listening else "")
        logger.info("server.started", extra={"address": address, "pid": os.getpid(), "version": __version__})
        async with working(platform, application), console.console_beside(settings, address, listening):
            _survive_one_signal()
            await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        remove_server_file(settings.home)
        await close_platform(platform)
        logger.info("server.stopped", extra={"pid": os.getpid()})


def _listen_for_console(settings: Settings, server_port: int) -> socket.socket | None:
    """The console's socket; None when it is turned off or its port is taken, which is no reason not to serve."""
    if not settings.console.enabled:
        return None
    try:
        return console.listen(settings, server_port)
    except OSError as error:
        logger.warning("console.no_port", extra={"port": settings.console.port, "reason": str(error)})
        return None


def _survive_one_signal() -> None:
    """Let the server end in its own time.

    uvicorn ends at a signal, and then raises it again, which would end the process before the platform is closed and
    what is still in memory is written. A second signal does end it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: signal.signal(received, signal.SIG_DFL))


if __name__ == "__main__":
    sys.exit(main())
