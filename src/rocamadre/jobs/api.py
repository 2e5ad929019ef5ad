"""How a job asks the server: the public operations, on a socket that only this user can open.

The worker owns no models. It asks as a client would, in the name of the account whose job it is, and the server lets
interactive requests go first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

ACCOUNT_HEADER = "x-rocamadre-account"
REGION_HEADER = "x-rocamadre-region"
"""Whose job asks; read on the internal socket only."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the server answered.

    Attributes:
        headers: By lower-case name.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class ApiSession(Protocol):
    """An open way to the server."""

    async def post(self, path: str, body: bytes, *, account: str, region: str) -> ApiAnswer:
        """Send JSON to a path of the server.

        Raises:
            Unavailable: the server is not there, or the connection broke.
        """
        ...


class PlatformApi(Protocol):
    """The server's own interface."""

    def session(self) -> AbstractAsyncContextManager[ApiSession]:
        """Open a way to the server, for the running event loop."""
        ...
