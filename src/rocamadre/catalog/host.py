"""What the catalog needs to know of the platform around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Engine as SqlEngine

from rocamadre.core.clock import Clock
from rocamadre.core.settings import Settings


class Host(Protocol):
    """A `Platform`, or the part of one that a program without a server has."""

    @property
    def settings(self) -> Settings:
        """Read once at start."""
        ...

    @property
    def sql(self) -> SqlEngine:
        """The platform's database."""
        ...

    @property
    def clock(self) -> Clock:
        """The time."""
        ...


@dataclass(frozen=True, slots=True)
class LocalHost:
    """A `Host` for the command line and scripts."""

    settings: Settings
    sql: SqlEngine
    clock: Clock
