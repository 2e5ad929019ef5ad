"""Rules that every conversation keeps."""

from __future__ import annotations

from collections.abc import Iterable

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import Message, Text

STARTS_WITH_USER = (
    "A conversation must start with a user message. Try again with a conversation that starts with a user message."
)
ALTERNATES = (
    "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between "
    "user and assistant roles and try again."
)
ENDS_WITH_USER = (
    "A conversation must end with a user message. Try again with a conversation that ends with a user message."
)
NO_MESSAGES = "The messages field is empty. Add at least one message with the user role and try again."


def check_turns(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages, if user and assistant take turns and the user has the first and the last word.

    Raises:
        InvalidRequest: in Amazon Bedrock's words.
    """
    if not messages:
        raise InvalidRequest(NO_MESSAGES)
    if messages[0].role != "user":
        raise InvalidRequest(STARTS_WITH_USER)
    previous = "assistant"
    for message in messages:
        if message.role == previous:
            raise InvalidRequest(ALTERNATES)
        previous = message.role
    if previous != "user":
        raise InvalidRequest(ENDS_WITH_USER)
    return messages


def merge_turns(messages: Iterable[Message]) -> tuple[Message, ...]:
    """Neighbouring messages of one role made one.

    >>> [len(each.content) for each in merge_turns([user("a"), user("b")])]
    [2]
    """
    merged: list[Message] = []
    for message in messages:
        if merged and merged[-1].role == message.role:
            merged[-1] = Message(message.role, merged[-1].content + message.content)
        else:
            merged.append(message)
    return tuple(merged)


def user(text: str) -> Message:
    """What a user said."""
    return Message("user", (Text(text),))


def assistant(text: str) -> Message:
    """What the assistant said."""
    return Message("assistant", (Text(text),))
