"""Conversations as the chat template wants them, and user text that cannot forge its marks.

A model's template parts turns with marks such as `<|im_end|>`, each one token. Letters in a user's text that spell a
mark must not become that token, or the text could end its own turn and begin another's. So such text is cut after the
mark's first letter and the pieces are tokenised apart: the letters stay, the token cannot form. Text without marks,
nearly all of it, is tokenised whole, as the model was trained on it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Block, Document, GenerationRequest, Message, Reasoning, Text


class Guard:
    """Finds marks in what clients wrote.

    Args:
        marks: The model's control tokens, as text.
    """

    def __init__(self, marks: Sequence[str]) -> None:
        longest_first = sorted(marks, key=len, reverse=True)
        self._marks = re.compile("|".join(map(re.escape, longest_first))) if marks else None

    def protect(self, text: str, seam: str) -> str:
        """The text with `seam` put after the first letter of every mark."""
        if self._marks is None:
            return text
        pieces, start = [], 0
        while (found := self._marks.search(text, start)) is not None:
            pieces.append(text[start : found.start() + 1])
            start = found.start() + 1
        pieces.append(text[start:])
        return seam.join(pieces)


def new_seam() -> str:
    """A string that no client can have written."""
    return f"\ue000{secrets.token_hex(8)}\ue001"


def template_messages(
    request: GenerationRequest, guard: Guard, seam: str, *, takes_documents: bool
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The request's turns and documents as the template's variables.

    Documents go into the template's own place for them where it has one, else into their turn as text.

    Raises:
        InvalidRequest: a block is of a kind that this model cannot read.
    """
    turns: list[dict[str, Any]] = []
    documents: list[dict[str, str]] = []
    if request.system:
        turns.append({"role": "system", "content": guard.protect(request.system, seam)})
    for message in request.messages:
        if takes_documents:
            documents += [
                {"title": guard.protect(block.name, seam), "text": guard.protect(block.text, seam)}
                for block in message.content
                if isinstance(block, Document)
            ]
        turn = {"role": message.role, "content": guard.protect(_content(message, takes_documents), seam)}
        thoughts = "".join(block.text for block in message.content if isinstance(block, Reasoning))
        if thoughts:
            turn["reasoning_content"] = guard.protect(thoughts, seam)
        turns.append(turn)
    return turns, documents


def _content(message: Message, takes_documents: bool) -> str:
    parts = []
    for block in message.content:
        if isinstance(block, Text):
            parts.append(block.text)
        elif isinstance(block, Document):
            if not takes_documents:
                parts.append(f"Document {block.name}:\n{block.text}")
        elif not isinstance(block, Reasoning):
            raise InvalidRequest(_refusal(block))
    return "\n\n".join(parts) if any(isinstance(block, Document) for block in message.content) else "".join(parts)


def _refusal(block: Block) -> str:
    if hasattr(block, "kind"):
        return f"this model reads text and documents; the conversation holds a block of kind {block.kind!r}"
    return "tool calls and their results are not supported by this engine yet; send text and documents only"
