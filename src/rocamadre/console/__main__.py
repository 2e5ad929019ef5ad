"""`python -m rocamadre.console`: the console's process, begun by the server or by `roca console`.

It reads one line of JSON from its standard input: the settings, the server's address, and the number of a listening
socket that it inherits. When its standard input closes, whoever began it is gone, and it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import threading
from typing import NoReturn

import msgspec
import uvicorn

from rocamadre.core.settings import Settings
from rocamadre.observability.logging import configure_logging

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until whoever began this is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    line = sys.stdin.buffer.readline()
    if not line:
        return
    wish = msgspec.json.decode(line)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    settings = Settings.model_validate(wish["settings"])
    # Read when NiceGUI is imported. Nothing is stored there, but it must not be the folder that we were started in.
    os.environ["NICEGUI_STORAGE_PATH"] = str(settings.home / "cache" / "console")
    logs = configure_logging(level=settings.log.level, folder=settings.home / "logs" / "console")
    listener = socket.socket(fileno=wish["socket"])
    try:
        serve(settings, wish["address"], listener)
    finally:
        logs.close()


def serve(settings: Settings, address: str, listener: socket.socket) -> None:
    """Answer on a socket until a signal comes."""
    from rocamadre.console.app import build_application  # noqa: PLC0415  (imports NiceGUI, see main)

    config = uvicorn.Config(
        build_application(settings, address),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="wsproto",
        ws_max_size=4_000_000,
        timeout_graceful_shutdown=1,
        ssl_certfile=settings.server.tls_cert,
        ssl_keyfile=settings.server.tls_key,
    )
    uvicorn.Server(config).run(sockets=[listener])


def _end_with_parent() -> NoReturn:
    while os.read(0, 1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
