"""Loading, empty and failed: every place that waits for the server looks and behaves the same."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from nicegui import ui

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, button, icon, link, tag, text

Found = TypeVar("Found")

logger = logging.getLogger(__name__)


class Region(Generic[Found]):
    """A part of a page that is filled by a question to the server. Made with `region`."""

    def __init__(
        self, page: Page, load: Callable[[], Awaitable[Found]], show: Callable[[Found], Any], place: ui.element
    ) -> None:
        self._page = page
        self._load = load
        self._show = show
        self._place = place
        self._shown: object = None
        self._busy = False

    async def refresh(self, *, again: bool = True) -> None:
        """Ask once more and show what comes, unless it is what is shown already.

        Args:
            again: Draw it even if nothing has changed.
        """
        if self._busy or self._place.is_deleted:
            return
        self._busy = True
        try:
            found: Any = await self._load()
        except ApiFailure as failure:
            found = failure
        finally:
            self._busy = False
        if self._place.is_deleted or (not again and _same(found, self._shown)):
            return
        self._shown = found
        self._place.clear()
        with self._place:
            if isinstance(found, ApiFailure):
                failed(self._page, found, self.refresh)
            else:
                self._draw(found)
        self._place.props.pop("aria-busy", None)

    def _draw(self, found: Any) -> None:
        try:
            self._show(found)
        except (LookupError, TypeError, ValueError) as error:
            # A server of another version may answer in another form; a skeleton that stays would tell nobody.
            logger.exception("console.form", extra={"page": self._page.path, "kind": type(error).__name__})
            self._place.clear()
            failed(self._page, ApiFailure(self._page.t("states.broken_hint")), self.refresh)


def _same(found: object, shown: object) -> bool:
    if isinstance(found, ApiFailure) and isinstance(shown, ApiFailure):
        return (found.message, found.code) == (shown.message, shown.code)
    return bool(found == shown)


def region(
    page: Page,
    load: Callable[[], Awaitable[Found]],
    show: Callable[[Found], Any],
    *,
    classes: str = "region",
    every_s: float = 0.0,
    lines: int = 3,
) -> Region[Found]:
    """A part of the page that shows a skeleton, then what `load` found, or why it failed.

    Args:
        page: The visit.
        load: Asks the server; may raise `ApiFailure`.
        show: Makes elements of what was found.
        classes: Of `static/console.css`.
        every_s: Asks again after so many seconds, as long as the page is open; 0: never.
        lines: Of the skeleton.
    """
    place = box(classes, aria_busy=True)
    with place, box("skeleton", aria_hidden=True):
        for _ in range(lines):
            tag("span")
    made = Region(page, load, show, place)
    with place:
        page.start(made.refresh(), name=f"region of {page.path}")
    if every_s:
        ui.timer(every_s, lambda: made.refresh(again=False), immediate=False)
    return made


def failed(page: Page, failure: ApiFailure, again: Callable[[], Awaitable[None]]) -> None:
    """Why something could not be shown, and what to do about it."""
    t = page.t
    with box("state failed", role="alert"):
        icon("warning", classes="icon state-icon")
        with box("state-text"):
            if failure.unreachable:
                text(t("states.unreachable"), classes="state-title")
                text(t("states.unreachable_hint"))
            elif failure.refused:
                text(t("states.refused"), classes="state-title")
                text(failure.message, classes="hostile")
                link(t("states.log_in"), "/login")
            else:
                text(t("states.failed"), classes="state-title")
                text(failure.message, classes="hostile")
            button(t("states.again"), again, symbol="refresh")


def empty(title: str, hint: str) -> ui.element:
    """Nothing to show yet: what would be here, and how it comes about."""
    made = box("state empty")
    with made, box("state-text"):
        text(title, classes="state-title")
        text(hint)
    return made
