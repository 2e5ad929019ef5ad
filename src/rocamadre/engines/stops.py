"""Stop sequences found across token boundaries, for engines that do not look for them themselves."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Passes text on as soon as it cannot be part of a stop sequence any more.

    Args:
        stops: Sequences that end the answer; empty ones are ignored.

    >>> stop = StopFilter(["END"])
    >>> stop.feed("one E"), stop.feed("ND two"), stop.matched
    ('one ', '', 'END')
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.matched: str | None = None

    def feed(self, text: str) -> str:
        """Take text in; give back what is certain. After a match (`matched`) everything further is dropped."""
        if not self._stops:
            return text
        if self.matched is not None:
            return ""
        buffer = self._held + text
        start, found = len(buffer), None
        for stop in self._stops:
            at = buffer.find(stop)
            if 0 <= at < start:
                start, found = at, stop
        if found is not None:
            self.matched, self._held = found, ""
            return buffer[:start]
        keep = max(_overlap(buffer, stop) for stop in self._stops)
        self._held = buffer[len(buffer) - keep :]
        return buffer[: len(buffer) - keep]

    def flush(self) -> str:
        """What was held back, when the answer ended another way."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop` without completing it."""
    for size in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:size]):
            return size
    return 0
