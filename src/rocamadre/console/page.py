"""What a page is given: who looks, in which language, what the address says, and the platform."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nicegui import background_tasks, ui

if TYPE_CHECKING:
    from nicegui import Client

    from rocamadre.console.api import Api
    from rocamadre.console.history import History
    from rocamadre.console.translation import Translator

THEMES = ("auto", "light", "dark")


@dataclass(slots=True)
class Page:
    """One visit to one page.

    Attributes:
        client: NiceGUI's; gone when the visitor leaves.
        api: The platform, with the visitor's key.
        t: Texts and numbers in the visitor's language.
        path: For example `/models`.
        query: What stands after `?`; the last value of a repeated name.
        values: What stood in the `{}` of the page's path.
        theme: Of `THEMES`.
        history: What the server's counters said over time.
        locked: Whether visitors log in here.
    """

    client: Client
    api: Api
    t: Translator
    path: str
    query: Mapping[str, str]
    values: Mapping[str, str]
    theme: str
    history: History
    locked: bool
    _waiting: set[asyncio.Task[None]] = field(default_factory=set)

    def go(self, path: str, **query: str) -> None:
        """Open another page, or this one with another query; empty values are left out."""
        self.client.open(address(path, **query))

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        """Do something in the background that the first answer waits for a moment, while the page is being built."""
        task = background_tasks.create(work, name=name, context=ui.context.slot)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def settle(self, patience_s: float) -> None:
        """Wait until what `start` began is done, at most so long, so that a quick page arrives whole."""
        if self._waiting:
            await asyncio.wait(tuple(self._waiting), timeout=patience_s)


def address(path: str, **query: str) -> str:
    """A path with a query; empty values are left out.

    >>> address("/activity", model="a b", page="")
    '/activity?model=a+b'
    """
    kept = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path
