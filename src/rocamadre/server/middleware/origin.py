"""Web pages must not reach the open default: Host, Origin and Sec-Fetch-Site are checked first of all."""

from __future__ import annotations

from rocamadre.api.http import Reply
from rocamadre.core.errors import CommonError
from rocamadre.server.exchange import Exchange, Next

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


async def check_origin(exchange: Exchange, after: Next) -> Reply:
    """Refuse names that are not ours (DNS rebinding) and requests that a page of another origin sent.

    Raises:
        CommonError: AccessDeniedException, 403.
    """
    server = exchange.platform.settings.server
    headers = exchange.headers
    host = headers.get("host", "")
    if server.auth == "open" or server.allowed_hosts:
        name = host_name(host)
        known = name in _LOOPBACK or name in server.allowed_hosts or name.endswith(".localhost")
        if not known and not (name == server.host and name):
            raise CommonError(
                "AccessDeniedException",
                403,
                f"the Host header {host[:80]!r} is not one of this server's names; use 127.0.0.1, or add the name to "
                "server.allowed_hosts",
            )
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise CommonError("AccessDeniedException", 403, f"requests from web pages of {origin[:80]!r} are refused")
    if headers.get("sec-fetch-site", "") in ("cross-site", "same-site"):
        raise CommonError("AccessDeniedException", 403, "requests that another site's page makes are refused")
    return await after(exchange)


def host_name(host: str) -> str:
    """The name in a Host header, lower case, without the port.

    >>> host_name("[::1]:4599"), host_name("LOCALHOST:80")
    ('[::1]', 'localhost')
    """
    host = host.strip().lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
