"""Every page, in the order of the navigation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from rocamadre.console.page import Page


@dataclass(frozen=True, slots=True)
class Entry:
    """One page.

    Attributes:
        path: Its address; `{name:path}` takes what stands there into `Page.values`.
        target: `"module:attribute"` of `async def build(page) -> None`.
        name: Its text is `navigation.<name>`.
        icon: A name of `parts.icons.ICONS`; empty for pages that the navigation does not show.
        below: The name of the page that the navigation marks instead, for those that it does not show.
    """

    path: str
    target: str
    name: str
    icon: str = ""
    below: str = ""

    def load(self) -> Callable[[Page], Awaitable[None]]:
        """The page's function."""
        module, _, attribute = self.target.partition(":")
        return cast(Callable[[Page], Awaitable[None]], getattr(import_module(module), attribute))


_PAGES = "rocamadre.console.pages"

PAGES: tuple[Entry, ...] = (
    Entry("/", f"{_PAGES}.home:build", "home", "home"),
    Entry("/playground", f"{_PAGES}.playground:build", "playground", "chat"),
    Entry("/models", f"{_PAGES}.models:build", "models", "models"),
    Entry("/models/{model:path}", f"{_PAGES}.model:build", "model", below="models"),
    Entry("/knowledge", f"{_PAGES}.knowledge:build", "knowledge", "knowledge"),
    Entry("/knowledge/{base}/document", f"{_PAGES}.knowledge_document:build", "document", below="knowledge"),
    Entry("/knowledge/{base}", f"{_PAGES}.knowledge_base:build", "knowledge_base", below="knowledge"),
    Entry("/guardrails", f"{_PAGES}.guardrails:build", "guardrails", "shield"),
    Entry("/guardrails/new", f"{_PAGES}.guardrails_edit:build", "guardrail_new", below="guardrails"),
    Entry("/guardrails/red-team", f"{_PAGES}.guardrails_redteam:build", "redteam", below="guardrails"),
    Entry("/guardrails/{guardrail}", f"{_PAGES}.guardrails_one:build", "guardrail", below="guardrails"),
    Entry("/training", f"{_PAGES}.training:build", "training", "training"),
    Entry("/training/data", f"{_PAGES}.training_data:build", "data", below="training"),
    Entry("/training/new", f"{_PAGES}.training_new:build", "new", below="training"),
    Entry("/training/compare", f"{_PAGES}.training_compare:build", "compare", below="training"),
    Entry("/jobs", f"{_PAGES}.jobs:build", "jobs", "batch"),
    Entry("/jobs/{job:path}", f"{_PAGES}.job:build", "job", below="jobs"),
    Entry("/activity", f"{_PAGES}.activity:build", "activity", "activity"),
    Entry("/activity/calls", f"{_PAGES}.calls:build", "calls", below="activity"),
    Entry("/activity/requests", f"{_PAGES}.traces:build", "traces", below="activity"),
    Entry("/activity/requests/{request:path}", f"{_PAGES}.traces:build_one", "trace", below="activity"),
)
"""All there are. Order matters: of two that fit, the first is taken."""
