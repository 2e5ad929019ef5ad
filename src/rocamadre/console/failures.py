"""What goes wrong between the console and the platform, in words for people."""

from __future__ import annotations


class ApiFailure(Exception):
    """A request that did not succeed.

    Args:
        message: The server's own sentence; hostile text, like all that comes from outside.
        code: The error's name on the wire, for example `ResourceNotFoundException`; `Unreachable` when nothing answers.
        status: HTTP status; 0 when nothing answered.
    """

    def __init__(self, message: str, *, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status

    @property
    def unreachable(self) -> bool:
        """Whether the server did not answer at all."""
        return self.code == UNREACHABLE

    @property
    def refused(self) -> bool:
        """Whether the key is not, or no longer, good enough."""
        return self.status in (401, 403)


UNREACHABLE = "Unreachable"
"""`ApiFailure.code` when no connection came about, or it broke."""
