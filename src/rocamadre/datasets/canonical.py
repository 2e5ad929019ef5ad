"""Examples in files of our own: UTF-8, one JSON object a line, whatever form they came in.

```
{"text": "Once upon a time"}                                                    Text
{"turns": [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello"}], "task": "greet"}   Chat
{"turns": [{"role": "user", "text": "2+2?"}], "reference": "4"}                 Prompt
{"turns": [{"role": "user", "text": "2+2?"}], "chosen": "4", "rejected": "5"}   Preference
```

The role of the last turn tells a conversation from a prompt; `task` and `reference` are left out where they are empty.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text, Turn

_WRITE_BYTES = 1 << 20


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant"]
    text: str


class _Line(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    text: str | None = None
    turns: list[_Turn] = []
    task: str = ""
    reference: str = ""
    chosen: str | None = None
    rejected: str | None = None


_DECODER = msgspec.json.Decoder(_Line)
_ENCODER = msgspec.json.Encoder()


def write(path: Path, examples: Iterable[Example]) -> int:
    """Write examples so that the file is there whole or not at all, whatever dies or is raised.

    Args:
        path: Of the file; its folder exists. What was there is replaced.
        examples: Consumed once; no more than some are held at a time.

    Returns:
        How many there were.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    count = 0
    try:
        with temporary.open("wb", buffering=_WRITE_BYTES) as stream:
            for example in examples:
                stream.write(encode(example) + b"\n")
                count += 1
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def read(path: Path) -> Iterator[Example]:
    """The examples of a file, in its order; one line is held at a time.

    Raises:
        InvalidRequest: a line is no example; `write` makes no such file.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            try:
                yield decode(line)
            except InvalidRequest as error:
                raise InvalidRequest(f"{path.name}, line {number}: {error.message}") from error


def encode(example: Example) -> bytes:
    """One line, without its end.

    >>> encode(Text("Hi"))
    b'{"text":"Hi"}'
    """
    if isinstance(example, Text):
        return _ENCODER.encode(_Line(text=example.text))
    line = _Line(turns=[_Turn(turn.role, turn.text) for turn in example.turns])
    if isinstance(example, Chat):
        line.task = example.task
    elif isinstance(example, Prompt):
        line.reference = example.reference
    else:
        line.chosen, line.rejected = example.chosen, example.rejected
    return _ENCODER.encode(line)


def decode(data: bytes) -> Example:
    r"""One example of a line.

    Raises:
        InvalidRequest: it is none.

    >>> decode(b'{"turns":[{"role":"user","text":"Hi"},{"role":"assistant","text":"Yes?"}]}').turns[1].text
    'Yes?'
    """
    try:
        line = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"no canonical example: {error}") from error
    if line.text is not None:
        return Text(line.text)
    if not line.turns:
        raise InvalidRequest("no canonical example: it has neither 'text' nor 'turns'")
    turns = tuple(Turn(turn.role, turn.text) for turn in line.turns)
    if line.chosen is not None and line.rejected is not None:
        return Preference(turns, line.chosen, line.rejected)
    if turns[-1].role == "assistant":
        return Chat(turns, line.task)
    return Prompt(turns, line.reference)
