"""Asking a model of the platform, and remembering what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec


class Answer(NamedTuple):
    """What a model said.

    Attributes:
        text: Its words.
        whole: Whether it came to an end by itself.
    """

    text: str
    whole: bool


class Ask(Protocol):
    """Asks a model once."""

    def __call__(self, prompt: str, *, max_tokens: int, temperature: float, seed: int) -> Answer:
        """One user turn; the same seed gives the same answer where the model can."""
        ...


def converse(client: Any, model: str) -> Ask:
    """Ask through the public Converse operation.

    Args:
        client: A bedrock-runtime client of boto3.
        model: Any id that the server resolves.
    """

    def ask(prompt: str, *, max_tokens: int, temperature: float, seed: int) -> Answer:
        answer = client.converse(
            modelId=model,
            messages=[{"role": "user", "content": [{"text": prompt}]}],
            inferenceConfig={"maxTokens": max_tokens, "temperature": temperature},
            additionalModelRequestFields={"seed": seed},
        )
        blocks = answer["output"]["message"]["content"]
        text = "".join(block.get("text", "") for block in blocks)
        return Answer(text.strip(), answer["stopReason"] in ("end_turn", "stop_sequence"))

    return ask


class Made(NamedTuple):
    """One new record."""

    instruction: str
    input: str
    output: str


@dataclass(slots=True)
class Progress:
    """How far it is.

    Attributes:
        step: The next step.
        made: Records so far.
        dropped: How many were dropped, by reason.
    """

    step: int = 0
    made: list[Made] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


class _Line(msgspec.Struct):
    step: int
    made: list[tuple[str, str, str]]
    dropped: dict[str, int]


class Journal:
    """What each step made, one line a step; it survives `kill -9`: a torn last line is a step that is done again.

    Args:
        path: Of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self.progress = Progress()
        self._path = path
        good = 0
        decoder = msgspec.json.Decoder(_Line)
        data = path.read_bytes() if path.exists() else b""
        for raw in data.splitlines(keepends=True):
            try:
                if not raw.endswith(b"\n"):
                    break
                line = decoder.decode(raw)
            except msgspec.DecodeError:
                break
            good += len(raw)
            self._take(line)
        if good < len(data):
            os.truncate(path, good)

    def note(self, made: list[Made], dropped: Counter[str]) -> None:
        """Write down what a step made; it is on the disk when this returns."""
        line = _Line(self.progress.step, [tuple(each) for each in made], dict(dropped))  # type: ignore[misc]
        with self._path.open("ab") as stream:
            stream.write(msgspec.json.encode(line) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._take(line)

    def _take(self, line: _Line) -> None:
        self.progress.step = line.step + 1
        self.progress.made += [Made(*each) for each in line.made]
        self.progress.dropped.update(line.dropped)


Shown = Callable[[Progress], None]
"""Called after each step."""
