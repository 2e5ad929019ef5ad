"""A run's progress: written line by line while it trains, and read as curves by everybody else. Torch-free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from rocamadre.core.clock import Clock
from rocamadre.jobs.rundir import RunDir


class Curves(NamedTuple):
    """What came of a run so far, as if it had never been killed.

    Attributes:
        steps: `step` events in order, each step once.
        validations: `validation` events in order, each step once.
    """

    steps: list[dict[str, Any]]
    validations: list[dict[str, Any]]


def curves(lines: Iterable[Mapping[str, Any]]) -> Curves:
    """Read the lines of `progress.jsonl`: where a run was begun again, what was done twice counts once.

    >>> curves([{"event": "step", "step": 1, "loss": 2.0}, {"event": "resumed", "step": 0}]).steps
    []
    """
    steps: list[dict[str, Any]] = []
    validations: list[dict[str, Any]] = []
    for line in lines:
        event = line.get("event")
        if event == "started":
            steps, validations = [], []
        elif event == "resumed":
            steps = [each for each in steps if each["step"] <= line["step"]]
            validations = [each for each in validations if each["step"] <= line["step"]]
        elif event == "step":
            steps.append(dict(line))
        elif event == "validation":
            validations.append(dict(line))
    return Curves(steps, validations)


class Reporter:
    """Writes events; those for which the disk has no room are kept and written when there is some.

    Args:
        folder: Of the run.
        clock: For the time of each event.
    """

    def __init__(self, folder: RunDir, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._waiting: list[dict[str, Any]] = []

    def note(self, event: str, **fields: Any) -> None:
        """Write one event."""
        self._waiting.append({"event": event, **fields})
        try:
            while self._waiting:
                self._folder.note(self._clock, self._waiting[0])
                self._waiting.pop(0)
        except OSError:  # A full disk; the loop meets it at its next checkpoint, and says so.
            return

    def warn(self, message: str, **fields: Any) -> None:
        """Write a warning."""
        self.note("warning", message=message, **fields)


Note = Callable[..., None]
