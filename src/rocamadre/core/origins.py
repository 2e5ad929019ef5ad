"""Which requests of browsers are taken: no foreign Host names (DNS rebinding), no pages of other origins."""

from __future__ import annotations

from collections.abc import Mapping

from rocamadre.core.settings import ServerSettings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


def refusal(headers: Mapping[str, str], server: ServerSettings) -> str | None:
    """Why a request is refused before anything else is looked at.

    Args:
        headers: By lower-case name.
        server: For `auth`, `host` and `allowed_hosts`.

    Returns:
        A sentence for the client, or None when the request may go on.
    """
    host = headers.get("host", "")
    if server.auth == "open" or server.allowed_hosts:
        name = host_name(host)
        known = name in _LOOPBACK or name in server.allowed_hosts or name.endswith(".localhost")
        if not known and not (name == server.host and name):
            return (
                f"the Host header {host[:80]!r} is not one of this server's names; use 127.0.0.1, or add the name to "
                "server.allowed_hosts"
            )
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        return f"requests from web pages of {origin[:80]!r} are refused"
    if headers.get("sec-fetch-site", "") in ("cross-site", "same-site"):
        return "requests that another site's page makes are refused"
    return None


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without the port.

    >>> host_name("[::1]:4599"), host_name("LOCALHOST:80")
    ('[::1]', 'localhost')
    """
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
