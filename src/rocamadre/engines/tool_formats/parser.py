"""Tool calls and thoughts out of the text that a model writes, as it comes.

The text was written under the grammar of `grammar.py`, so calls have exactly one form; nothing is guessed. What looks
like a call in text that no grammar held stays text.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import msgspec

from rocamadre.core.messages import (
    Event,
    ReasoningDelta,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
)
from rocamadre.engines.tool_formats.types import ToolFormat

_TELLING = 3
"""Letters of a call's beginning that are hardly anything else."""


def new_call_id() -> str:
    """An id as Bedrock's: unique, 32 letters."""
    return "tooluse_" + secrets.token_urlsafe(18)[:24]


class TurnParser:
    """Cuts a model's turn into events.

    Args:
        format_: Of its calls; None where it cannot make any.
        thoughts: The marks around its thoughts, or None.
        thinking: Whether the turn begins inside of them.

    Attributes:
        calls: Finished calls so far, as name and input (JSON text).
        open: Whether a call has begun and not ended.
    """

    def __init__(
        self, format_: ToolFormat | None, *, thoughts: tuple[str, str] | None = None, thinking: bool = False
    ) -> None:
        self._format = format_
        self._thoughts = thoughts
        self._held = ""
        self._state = "thoughts" if thinking else "begin"
        self._json = _JsonScanner()
        self._input: list[str] = []
        self._name = ""
        self._said = False
        self._thought = False
        self.calls: list[tuple[str, str]] = []

    @property
    def open(self) -> bool:
        """See the class."""
        return self._state in ("name", "input")

    def feed(self, text: str) -> Iterator[Event]:
        """Take text in; what is certain comes out."""
        self._held += text
        while True:
            before = (self._state, self._held)
            yield from self._step()
            if (self._state, self._held) == before:
                return

    def end(self, *, cut: bool = False) -> Iterator[Event]:
        """The model has ended: what was held back is text. A call that was cut off is left unfinished.

        Args:
            cut: It had to end; then what may be the beginning of a call is no text.
        """
        held, self._held = self._held, ""
        if not held:
            return
        if self._state in ("thoughts", "gap"):
            yield ReasoningDelta(held)
        elif self._state in ("begin", "text"):
            begun = self._format is not None and len(held) >= _TELLING and self._format.trigger.startswith(held)
            if not (cut and begun):
                yield TextDelta(held)

    def _step(self) -> Iterator[Event]:
        if self._state == "begin":
            yield from self._begin()
        elif self._state == "thoughts":
            yield from self._until_thoughts_end()
        elif self._state == "gap":
            self._gap()
        elif self._state == "text":
            yield from self._text()
        elif self._state == "name":
            yield from self._read_name()
        elif self._state == "input":
            yield from self._read_input()
        else:
            self._after_call()

    def _begin(self) -> Iterator[Event]:
        """Thoughts can only stand first."""
        if self._thoughts is not None:
            opening = self._thoughts[0]
            ahead = self._held.lstrip()
            if ahead.startswith(opening):
                self._held = ahead[len(opening) :]
                self._state = "thoughts"
                return
            if opening.startswith(ahead):
                return
        self._state = "text"
        yield from ()

    def _until_thoughts_end(self) -> Iterator[Event]:
        """Thoughts, without the empty lines around them."""
        assert self._thoughts is not None
        closing = self._thoughts[1]
        if not self._thought:
            self._held = self._held.lstrip("\n")
        found = self._held.find(closing)
        if found >= 0:
            sure, self._held = self._held[:found].rstrip("\n"), self._held[found + len(closing) :]
            self._state = "gap"
        else:
            sure = self._held[: len(self._held) - _overlap(self._held, closing)].rstrip("\n")
            self._held = self._held[len(sure) :]
        if sure:
            self._thought = True
            yield ReasoningDelta(sure)

    def _gap(self) -> None:
        """Empty lines between thoughts and answer are neither."""
        self._held = self._held.lstrip("\n")
        if self._held:
            self._state = "text"

    def _text(self) -> Iterator[Event]:
        if self._format is None or (self._said and self._format.only_first):
            text, self._held = self._held, ""
        else:
            trigger = self._format.trigger
            found = self._held.find(trigger)
            if self._format.only_first and found > 0:
                found = -1
            if found >= 0:
                text, self._held = self._held[:found], self._held[found + len(trigger) :]
                self._state = "name"
                text = text.rstrip("\n") if not text.strip("\n") else text
            else:
                keep = _overlap(self._held, trigger)
                text, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if text:
            self._said = True
            yield TextDelta(text)

    def _read_name(self) -> Iterator[Event]:
        assert self._format is not None
        name, found, rest = self._held.partition(self._format.between)
        if found:
            self._name = msgspec.json.decode(f'"{name}"') if self._format.before.endswith('"') else name
            self._held, self._state = rest, "input"
            self._json, self._input = _JsonScanner(), []
            yield ToolUseStart(new_call_id(), self._name)

    def _read_input(self) -> Iterator[Event]:
        size = self._json.feed(self._held)
        piece, self._held = self._held[:size], self._held[size:]
        if piece:
            self._input.append(piece)
            yield ToolUseDelta(piece)
        if self._json.done:
            self.calls.append((self._name, "".join(self._input)))
            self._state = "after"
            yield ToolUseEnd()

    def _after_call(self) -> None:
        """Another call, or the end; nothing else can stand here, so what does is passed over."""
        assert self._format is not None
        after, separator = self._format.after, self._format.separator
        another = after + (separator or "") + self._format.before
        if separator is not None and self._held.startswith(another):
            self._held = self._held[len(another) :]
            self._state = "name"


class _JsonScanner:
    """Finds the end of one JSON value in text that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.done = False

    def feed(self, text: str) -> int:
        """How many characters of the text belong to the value. A number's end is the first character after it."""
        for index, letter in enumerate(text):
            if self._in_string:
                self._within_string(letter)
                if not self._in_string and not self._depth:
                    return self._end(index + 1)
            elif letter == '"':
                self._in_string = True
            elif letter in "{[":
                self._depth += 1
            elif letter in "}]" and self._depth:
                self._depth -= 1
                if not self._depth:
                    return self._end(index + 1)
            elif not self._depth and letter in "}],\n<":
                return self._end(index)
        return len(text)

    def _within_string(self, letter: str) -> None:
        if self._escaped:
            self._escaped = False
        elif letter == "\\":
            self._escaped = True
        elif letter == '"':
            self._in_string = False

    def _end(self, size: int) -> int:
        self.done = True
        return size


def _overlap(text: str, mark: str) -> int:
    """Letters at the text's end with which the mark may begin."""
    for size in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-size:]):
            return size
    return 0
