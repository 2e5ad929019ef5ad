"""The edge where exceptions become answers in the form that the client reads."""

from __future__ import annotations

import asyncio
import logging

from rocamadre.api.anthropic.errors import error_reply as anthropic_error
from rocamadre.api.http import ClientGone, Reply, json_reply
from rocamadre.api.openai.errors import error_reply as openai_error
from rocamadre.api.wire.failures import INTERNAL, declared_for, encode_error
from rocamadre.core.errors import ModelTimeout, RocamadreError
from rocamadre.server.exchange import Exchange, Next

logger = logging.getLogger(__name__)


async def answer_failures(exchange: Exchange, after: Next) -> Reply:
    """Turn every exception into an answer; what nobody foresaw is a 500 whose details are in the log only."""
    try:
        return await after(exchange)
    except RocamadreError as error:
        return failure_reply(exchange, error)
    except TimeoutError:
        seconds = exchange.platform.settings.server.request_timeout_s
        return failure_reply(exchange, ModelTimeout(f"the request took longer than {seconds:g} s and was given up"))
    except (asyncio.CancelledError, ClientGone):
        raise
    except Exception:
        logger.exception(
            "request.crashed", extra={"request_id": exchange.request_id, "operation": exchange.operation_name}
        )
        return failure_reply(exchange, RocamadreError(INTERNAL))


def failure_reply(exchange: Exchange, error: RocamadreError) -> Reply:
    """An error in the dialect of the request."""
    operation = exchange.match.operation if exchange.match else None
    exchange.error_code = declared_for(error, operation).code
    if exchange.neighbour is not None:
        return exchange.neighbour.neighbour.errors(error, exchange.neighbour, exchange.request_id)
    if exchange.dialect == "openai":
        return openai_error(error)
    if exchange.dialect == "anthropic":
        return anthropic_error(error, exchange.request_id)
    if exchange.dialect == "plain":
        declared = declared_for(error, None)
        return json_reply({"error": declared.code, "message": error.message}, status=declared.status)
    encoded = encode_error(error, operation)
    return Reply(encoded.status, encoded.headers, encoded.body)
