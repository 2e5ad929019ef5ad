"""A dialog with the program that asks what was asked: boto3, OpenAI's client, curl."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, button, code_block, heading, set_attributes, tag, text
from rocamadre.console.playground.code import LANGUAGES, Asked, write_code


class CodeDialog:
    """Closed until `show`.

    Args:
        page: The visit.
        ask: Gives the request to write down.
    """

    def __init__(self, page: Page, ask: Callable[[], Asked]) -> None:
        self._page = page
        self._ask = ask
        self._language = next(iter(LANGUAGES))
        t = page.t
        with tag("dialog", classes="dialog", aria_label=t("playground.view_code")) as self._dialog:
            with box("row spread"):
                heading(t("playground.view_code"))
                button("", self._close, kind="quiet square", symbol="close", label=t("playground.close"))
            with box("switch", role="group", aria_label=t("playground.language")):
                self._tabs = {}
                for name, shown in LANGUAGES.items():
                    made = tag("button", shown, classes="button quiet", type="button")
                    made.on("click", partial(self._choose, name), args=[])
                    self._tabs[name] = made
            self._place = box("section")
            text(t("playground.code_locked" if page.locked else "playground.code_open"), classes="faint small")

    def show(self) -> None:
        """Write the program, and open."""
        self._write()
        self._page.client.run_javascript(f'document.getElementById("c{self._dialog.id}").showModal()')

    def _close(self) -> None:
        self._page.client.run_javascript(f'document.getElementById("c{self._dialog.id}").close()')

    def _choose(self, language: str) -> None:
        self._language = language
        self._write()

    def _write(self) -> None:
        t = self._page.t
        asked = self._ask()
        for name, made in self._tabs.items():
            set_attributes(made, aria_pressed=name == self._language)
        self._place.clear()
        with self._place:
            code_block(write_code(asked, self._language), label=t("layout.copy"), copied=t("layout.copied"))
            if any(exchange.documents for exchange in asked.exchanges):
                text(t("playground.code_files"), classes="faint small")
