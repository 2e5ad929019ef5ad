"""The names that stand for models: found, set, taken away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import (
    Tag,
    box,
    button,
    choice_field,
    fill,
    link,
    tag,
    text,
    text_field,
)
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.states import Region, failed, region

_PATH = "/_rocamadre/aliases"


class Aliases:
    """The list with its form, drawn where it is made.

    Args:
        page: The visit.
        model_page: Address of a model's page.
        models: Ids of what is here, to choose from.
    """

    def __init__(self, page: Page, model_page: Callable[[str], str], models: list[str]) -> None:
        self._page = page
        self._model_page = model_page
        self._wish = {"pattern": "", "model": models[0] if models else ""}
        t = page.t
        with box("section fold", name="details", open=bool(page.query.get("aliases"))):
            tag("summary", t("models.aliases"))
            text(t("models.aliases_hint"), classes="faint small")
            if models:
                with box("fields"):
                    self._pattern: Tag = text_field(
                        t("models.alias"),
                        on_change=partial(self._take, "pattern"),
                        placeholder=t("models.alias_example"),
                    )
                    choice_field(
                        t("models.stands_for"),
                        {each: each for each in models},
                        value=models[0],
                        on_change=partial(self._take, "model"),
                    )
                    button(t("models.alias_set"), self._set, kind="primary")
            self._told = box("section", aria_live="polite")
            self._list: Region[Any] = region(page, lambda: page.api.get(_PATH), self._show)

    def _take(self, name: str, value: Any) -> None:
        self._wish[name] = str(value).strip()[:300]

    async def _set(self) -> None:
        await self._change("POST", _PATH, self._wish)
        fill(self._pattern, "")

    async def _change(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        self._told.clear()
        api = self._page.api
        try:
            await (api.post(path, body) if body is not None else api.request(method, path))
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(self._page, failure, partial(self._change, method, path, body))
            return
        await self._list.refresh()

    def _show(self, found: dict[str, Any]) -> None:
        t = self._page.t
        with box("table-box tall", tabindex="0", role="region", aria_label=t("models.aliases")):
            with tag("table", classes="table"):
                with tag("thead"), tag("tr"):
                    for name in ("alias", "stands_for", "note"):
                        tag("th", t(f"models.{name}"), scope="col")
                with tag("tbody"):
                    for alias in found["aliases"]:
                        with tag("tr"):
                            self._row(alias)

    def _row(self, alias: dict[str, Any]) -> None:
        t = self._page.t
        tag("td", alias["pattern"], classes="mono hostile")
        with tag("td"):
            if alias["model_id"]:
                link(alias["model_id"], self._model_page(alias["model_id"]))
            else:
                badge(t("models.nothing_here"), "warn")
        with tag("td", classes="faint"):
            if alias["source"] == "built-in":
                tag("span", alias["note"])
                return
            with box("row spread"):
                tag("span", t("models.alias_settings" if alias["source"] == "settings" else "models.alias_own"))
                if alias["source"] == "command":
                    button(
                        "", partial(self._change, "DELETE", f"{_PATH}/{quote(alias['pattern'], safe='')}"),
                        kind="quiet square", symbol="close", label=t("models.alias_remove", name=alias["pattern"]),
                    )  # fmt: skip
