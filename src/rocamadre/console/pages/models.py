"""The models that are here, and the names that stand for them."""

from __future__ import annotations

from functools import partial
from typing import Any

from rocamadre.console.page import Page
from rocamadre.console.pages.models_aliases import Aliases
from rocamadre.console.pages.models_pulls import Pulls
from rocamadre.console.parts.elements import box, heading, link, tag, text
from rocamadre.console.parts.figures import badge
from rocamadre.console.parts.states import empty, region
from rocamadre.console.parts.tables import Column, Table

_SOURCE_LOOKS = {"embedded": "accent", "pulled": "good", "remote": "warn"}
_SOURCES = ("embedded", "pulled", "remote", "fake", "custom", "imported")
_PAGES_READ = 20


async def build(page: Page) -> None:
    """Draw the page."""
    t = page.t
    text(t("models.lead"), classes="lead")
    made = region(
        page, lambda: page.api.get("/_rocamadre/models"), partial(_show_models, page), classes="section", lines=5
    )
    Pulls(page, model_page, made.refresh)
    with box("columns"):
        with box("section"):
            heading(t("models.profiles"))
            text(t("models.profiles_hint"), classes="faint small")
            region(page, partial(_profiles, page), partial(_show_profiles, page))
        with box("section"):
            heading(t("models.routers"))
            text(t("models.routers_hint"), classes="faint small")
            region(page, partial(_routers, page), partial(_show_routers, page))


def model_page(model_id: str) -> str:
    """Address of a model's page."""
    # `:` and `/` may stand in a path as they are; anything else that could end it is written in hex.
    return "/models/" + "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-._~:/") else _percent(letter)
        for letter in model_id
    )


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())


def _show_models(page: Page, found: Any) -> None:
    t = page.t

    def name(model: dict[str, Any]) -> None:
        link(model["name"], model_page(model["id"]))
        tag("div", model["id"], classes="faint small mono")

    def source(model: dict[str, Any]) -> None:
        badge(source_name(page, model["source"]), _SOURCE_LOOKS.get(model["source"], ""))

    columns: list[Column[dict[str, Any]]] = [
        Column("name", t("models.name"), name, lambda model: model["name"].casefold()),
        Column("maker", t("models.maker"), lambda model: model["provider"], lambda model: model["provider"].casefold()),
        Column("kind", t("models.kind"), lambda model: modalities(page, model)),
        Column("licence", t("models.licence"), lambda model: model["licence"] or "—", lambda model: model["licence"]),
        Column(
            "size", t("models.size"), lambda model: t.size(model["size_bytes"]) if model["size_bytes"] else "—",
            lambda model: model["size_bytes"], number=True,
        ),
        Column(
            "context", t("models.context"), lambda model: t.number(model["context_length"]),
            lambda model: model["context_length"], number=True,
        ),
        Column("source", t("models.source"), source, lambda model: model["source"]),
    ]  # fmt: skip
    if found.get("custom"):
        with box("section"):
            heading(t("models.own"))
            _own(page, found["custom"])
            heading(t("models.all"))
    Table(
        page, t("models.title"), columns, words=lambda model: f"{model['name']} {model['id']} {model['provider']}"
    ).fill(found["models"])
    Aliases(page, model_page, [model["id"] for model in found["models"]])


def source_name(page: Page, source: str) -> str:
    """Where a model comes from, in a word."""
    return page.t(f"models.source_{source}") if source in _SOURCES else source


def _own(page: Page, custom: list[dict[str, Any]]) -> None:
    """The account's own models: few, so a plain table."""
    t = page.t
    with box("table-box tall", tabindex="0", role="region", aria_label=t("models.own")), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            for name in ("name", "own_base", "own_made", "own_state"):
                tag("th", t(f"models.{name}"), scope="col")
        with tag("tbody"):
            for model in custom:
                with tag("tr"):
                    with tag("td"):
                        link(model["name"], model_page(model["arn"]), classes="hostile")
                    tag("td", model["base_model_id"], classes="mono small")
                    tag("td", model["created_at"][:16].replace("T", " "), classes="one-line")
                    with tag("td"):
                        good = model["status"] == "Active"
                        badge(model["status"], "good" if good else "bad" if model["status"] == "Failed" else "")


def modalities(page: Page, model: dict[str, Any]) -> str:
    """What goes in and what comes out, in words."""
    known = {"TEXT": "text", "IMAGE": "image", "EMBEDDING": "embedding", "RERANK": "rerank"}

    def words(names: list[str]) -> str:
        return ", ".join(page.t(f"models.modality_{known[name]}") if name in known else name for name in names)

    return f"{words(model['input_modalities'])} → {words(model['output_modalities'])}"


async def _all(page: Page, operation: str, member: str) -> list[dict[str, Any]]:
    """Every page of a list, up to some thousands of items."""
    items: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    for _ in range(_PAGES_READ):
        answer = await page.api.call("bedrock", operation, maxResults=100, **more)
        items += answer[member]
        if "nextToken" not in answer:
            break
        more = {"nextToken": answer["nextToken"]}
    return items


async def _profiles(page: Page) -> list[dict[str, Any]]:
    return await _all(page, "list_inference_profiles", "inferenceProfileSummaries")


async def _routers(page: Page) -> list[dict[str, Any]]:
    return await _all(page, "list_prompt_routers", "promptRouterSummaries")


def _show_profiles(page: Page, profiles: list[dict[str, Any]]) -> None:
    t = page.t
    if not profiles:
        empty(t("models.no_profiles"), t("models.no_profiles_hint"))
        return
    _list(page, t("models.profiles"), [
        (item["inferenceProfileName"], item["inferenceProfileId"], [each["modelArn"] for each in item["models"]])
        for item in profiles
    ])  # fmt: skip


def _show_routers(page: Page, routers: list[dict[str, Any]]) -> None:
    t = page.t
    if not routers:
        empty(t("models.no_routers"), t("models.no_routers_hint"))
        return
    _list(page, t("models.routers"), [
        (item["promptRouterName"], item["promptRouterArn"], [each["modelArn"] for each in item["models"]])
        for item in routers
    ])  # fmt: skip


def _list(page: Page, caption: str, items: list[tuple[str, str, list[str]]]) -> None:
    with box("table-box tall", tabindex="0", role="region", aria_label=caption), tag("table", classes="table"):
        with tag("thead"), tag("tr"):
            tag("th", page.t("models.name"), scope="col")
            tag("th", page.t("models.stands_for"), scope="col")
        with tag("tbody"):
            for name, key, models in items:
                with tag("tr"):
                    with tag("td"):
                        tag("div", name)
                        tag("div", key, classes="faint small mono")
                    tag("td", ", ".join(model.rpartition("/")[2] for model in models), classes="small mono")
