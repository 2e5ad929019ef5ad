"""What sources are opened with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rocamadre.core.clock import Clock
    from rocamadre.core.settings import KnowledgeSettings
    from rocamadre.store.objects.protocol import ObjectStore


@dataclass(frozen=True, slots=True)
class Place:
    """Where a data source is read, and what it may use.

    Attributes:
        objects: What the account sees in S3.
        any_path: Whether loaders may read any path of this machine; otherwise those of the settings.
        check: Called by slow sources between two documents; raises when somebody wants them to stop.
        scratch: A folder that is there until the ingestion is over, also if the worker dies meanwhile.
    """

    account: str
    objects: ObjectStore
    scratch: Path
    settings: KnowledgeSettings
    clock: Clock
    any_path: bool = False
    check: Callable[[], None] = lambda: None
