"""Web pages must not reach the open default: Host, Origin and Sec-Fetch-Site are checked first of all."""

from __future__ import annotations

from rocamadre.api.http import Reply
from rocamadre.core.errors import CommonError
from rocamadre.core.origins import refusal
from rocamadre.server.exchange import Exchange, Next


async def check_origin(exchange: Exchange, after: Next) -> Reply:
    """Refuse names that are not ours (DNS rebinding) and requests that a page of another origin sent.

    Raises:
        CommonError: AccessDeniedException, 403.
    """
    reason = refusal(exchange.headers, exchange.platform.settings.server)
    if reason is not None:
        raise CommonError("AccessDeniedException", 403, reason)
    return await after(exchange)
