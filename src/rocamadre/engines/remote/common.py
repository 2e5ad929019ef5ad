"""What the remote protocols share."""

from __future__ import annotations

import asyncio
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest
from rocamadre.engines.protocol import LoadSpec

DEFAULT_SLOTS = 64


def option(spec: LoadSpec, name: str) -> str:
    """A text among the model's options.

    Raises:
        InvalidRequest: it is missing or no text.
    """
    value = spec.options.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{spec.model_id}: option `{name}` is missing")
    return value


def refuse_unsupported(request: GenerationRequest) -> None:
    """Refuse what this engine does not pass on yet.

    Raises:
        InvalidRequest: the request has tools or a schema.
    """
    if request.tools:
        raise InvalidRequest("tools are not passed on to remote models yet; leave out toolConfig")
    if request.schema is not None:
        raise InvalidRequest("structured output is not passed on to remote models yet; leave out the schema")


def set_fields(**fields: Any) -> dict[str, Any]:
    """Those that are set."""
    return {name: value for name, value in fields.items() if value is not None and value not in ((), {})}


async def never() -> str:
    """Wait for ever: a remote model's process is not ours to watch."""
    waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await waiting
