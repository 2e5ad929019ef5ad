"""What `roca` exits with, the same for every command."""

from __future__ import annotations

from enum import IntEnum

from rocamadre.core.errors import NotFound, RocamadreError, Unknown


class Exit(IntEnum):
    """Exit codes; `EXIT_MEANINGS` says what each means."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_RUNNING = 3
    NOT_FOUND = 4
    REFUSED = 5
    INTERRUPTED = 130


EXIT_MEANINGS = {
    Exit.OK: "done",
    Exit.FAILURE: "it did not work; the message says why",
    Exit.USAGE: "the command line is wrong",
    Exit.NOT_RUNNING: "no server runs, or it does not answer",
    Exit.NOT_FOUND: "nothing has this name",
    Exit.REFUSED: "the server refused the credentials",
    Exit.INTERRUPTED: "stopped by Ctrl-C",
}
"""Each code in a sentence."""


class CommandFailed(Exception):
    """A command cannot go on.

    Args:
        message: What the person reads.
        code: What `roca` exits with.
    """

    def __init__(self, message: str, code: Exit = Exit.FAILURE) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: RocamadreError) -> Exit:
    """The exit code for an error of the library."""
    return Exit.NOT_FOUND if isinstance(error, NotFound | Unknown) else Exit.FAILURE
