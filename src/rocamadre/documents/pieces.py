"""What every reader in the child writes into."""

from __future__ import annotations


class Refused(Exception):
    """The document is not taken; the sentence says why, and a word for programs (`knowledge.parsers.parsed.Reason`)."""

    def __init__(self, sentence: str, reason: str = "damaged") -> None:
        super().__init__(sentence)
        self.reason = reason


class Text:
    """Text as it is found, up to a limit, cut into parts.

    Args:
        most: Characters.
    """

    def __init__(self, most: int) -> None:
        self.parts: list[tuple[str, str, str]] = []
        self._most = most
        self._length = 0
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        """Append to the part that is being written.

        Raises:
            Refused: it is too much.
        """
        self._length += len(piece)
        if self._length > self._most:
            raise Refused(
                f"the document holds over {self._most} characters of text; send a part of it", "too-much-text"
            )
        self._pieces.append(piece)

    def end_part(self, kind: str, name: str) -> None:
        """Close the part that is being written, under a name."""
        self.parts.append((kind, name, "".join(self._pieces).strip("\n")))
        self._pieces = []
        self._length += len(name)
