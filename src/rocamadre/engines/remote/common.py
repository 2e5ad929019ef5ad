"""What the remote protocols share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np

from rocamadre.core.errors import InvalidRequest, ModelFailure
from rocamadre.core.messages import Event, StopReason, ToolUseDelta, ToolUseEnd, ToolUseStart
from rocamadre.engines.protocol import Embeddings, LoadSpec

DEFAULT_SLOTS = 64
_LONGEST_INPUT = 4 << 20
"""Characters of one tool call's input; more is no call but a server gone wrong."""


def option(spec: LoadSpec, name: str) -> str:
    """A text among the model's options.

    Raises:
        InvalidRequest: it is missing or no text.
    """
    value = spec.options.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{spec.model_id}: option `{name}` is missing")
    return value


def set_fields(**fields: Any) -> dict[str, Any]:
    """Those that are set."""
    return {name: value for name, value in fields.items() if value is not None and value not in ((), {})}


def unit_vectors(rows: Iterable[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Vectors brought to unit length; a zero vector stays one."""
    made = np.asarray(list(rows), np.float64)
    if not made.size:
        return ()
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12)
    return tuple(map(tuple, made.tolist()))


async def rerank_by_cosine(
    embed: Callable[[Sequence[str]], Awaitable[Embeddings]], query: str, texts: Sequence[str]
) -> tuple[float, ...]:
    """The cosine of query and each text, moved to [0, 1]."""
    vectors = np.asarray((await embed([query, *texts])).vectors)
    return tuple(np.clip((1 + vectors[1:] @ vectors[0]) / 2, 0, 1).tolist())


class ToolCalls:
    """Tool calls as a server streams them, one after the other, made into events.

    Args:
        model_id: Whose they are, for errors.

    Attributes:
        any: Whether there was one.
    """

    def __init__(self, model_id: str) -> None:
        self.any = False
        self._model_id = model_id
        self._place: int | None = None
        self._id = ""
        self._input: list[str] = []
        self._size = 0

    def begin(self, place: int, id_: str, name: str) -> list[Event]:
        """A call begins; the one before it ends.

        Args:
            place: Its number in the answer.
            id_: Made up where the server gives none.
            name: Of the tool.

        """
        ended = self.end()
        self.any, self._place, self._id, self._input, self._size = True, place, id_, [], 0
        return [*ended, ToolUseStart(id_ or f"call_{uuid4().hex}", name)]

    def add(self, place: int, json: str) -> list[Event]:
        """A piece of the call's input.

        Raises:
            ModelFailure: of another call than the one that is open, or far too long.
        """
        if place != self._place:
            raise ModelFailure(f"{self._model_id}: the server mixed up its tool calls")
        self._size += len(json)
        if self._size > _LONGEST_INPUT:
            raise ModelFailure(f"{self._model_id}: the server sent a tool call of over {_LONGEST_INPUT} characters")
        if not json:
            return []
        self._input.append(json)
        return [ToolUseDelta(json)]

    def is_open(self, place: int, id_: str) -> bool:
        """Whether this call is the one being written; an empty id is nobody's."""
        return self._place == place and id_ in ("", self._id)

    def end_whole(self) -> list[Event]:
        """The call that is open, if any, ends if its input is whole."""
        return self.end() if self._place is not None and _is_json("".join(self._input)) else []

    def end(self, reason: StopReason = "tool_use") -> list[Event]:
        """The call that is open, if any, ends, whole or not; but one that the answer's limit cut off does not.

        Args:
            reason: Why the answer ended, if it did.
        """
        if self._place is None or (reason == "max_tokens" and not _is_json("".join(self._input))):
            return []
        self._place = None
        return [ToolUseEnd()]


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text or "{}")
    except msgspec.DecodeError:
        return False
    return True


async def never() -> str:
    """Wait for ever: a remote model's process is not ours to watch."""
    waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await waiting
