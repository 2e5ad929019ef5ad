"""Parsers in child processes: bounded in time and memory, able to open nothing, used again until one breaks."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rocamadre.documents.types import Limits
from rocamadre.knowledge.parsers.parsed import Parsed

KNOWLEDGE_LIMITS = Limits(
    size_bytes=50 * 1024 * 1024,
    expanded_bytes=256 * 1024 * 1024,
    characters=50 * 1024 * 1024,
    pages=20_000,
    memory_bytes=1024 * 1024 * 1024,
    cpu_s=28,
    wall_s=30.0,
)
"""What parsing one file may cost; 50 MB is Amazon Bedrock's limit for a source file."""


class ParserPool:
    """Parses documents in children, from any number of threads.

    Args:
        limits: Per file.
        workers: Children at once; a caller waits for a free one. None of them runs before it is needed, and none
            outlives `close`.
    """

    def __init__(self, limits: Limits = KNOWLEDGE_LIMITS, *, workers: int = 2) -> None:
        self.limits = limits
        self.workers = workers

    def parse(self, source: Path | bytes, name: str, media_type: str = "") -> Parsed:
        """A document's text. Blocks; a file takes at most `limits.wall_s`.

        Args:
            source: The file, or what is in it.
            name: The file's name or URI; its ending counts where the content leaves the format open.
            media_type: As the source declares it; may be empty.

        Raises:
            ParseFailure: with the reason; the pool goes on with other files as if nothing had been.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End the children."""

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
