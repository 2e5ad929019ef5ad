"""The form of a guardrail, new or changed; beside it the program that does the same."""

from __future__ import annotations

from functools import partial
from typing import Any

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import DRAFT, get_guardrail
from rocamadre.console.guardrails.code import Where, write_keep
from rocamadre.console.guardrails.draft import Draft, read_guardrail, sensible
from rocamadre.console.page import Page
from rocamadre.console.pages.guardrails import guardrail_page
from rocamadre.console.pages.guardrails_fields import (
    content_fields,
    grounding_fields,
    message_fields,
    naming_fields,
    pii_fields,
    regex_fields,
    topic_fields,
    word_fields,
)
from rocamadre.console.parts.elements import box, button, code_block, heading, icon, set_attributes, tag, text
from rocamadre.console.parts.states import failed, region

_STEPS = {
    "naming": naming_fields,
    "contentPolicy": content_fields,
    "topicPolicy": topic_fields,
    "wordPolicy": word_fields,
    "pii": pii_fields,
    "regexes": regex_fields,
    "contextualGroundingPolicy": grounding_fields,
    "messages": message_fields,
}


async def build(page: Page) -> None:
    """Draw the page of a new guardrail."""
    t = page.t
    with tag("a", classes="back", href="/guardrails"):
        icon("back")
        tag("span", t("guardrails.back"))
    text(t("guardrail_new.lead"), classes="lead")
    messages = (t("policies.blocked_input_usual"), t("policies.blocked_output_usual"))
    draft = Draft(blocked_input=messages[0], blocked_output=messages[1])
    if page.query.get("start") != "blank":
        draft = sensible(*messages)
    Editor(page, draft)


def edit_view(page: Page, identifier: str, version: str) -> None:
    """The form of a guardrail that is there."""
    load = partial(get_guardrail, page.api, identifier, version)
    region(page, load, partial(_edit, page), classes="section", lines=8)


def _edit(page: Page, told: dict[str, Any]) -> None:
    if told["version"] != DRAFT:
        text(page.t("policies.of_version", version=told["version"]), classes="notice")
    Editor(page, read_guardrail(told), told["guardrailId"])


def where(page: Page) -> Where:
    """Where copied programs of a visitor go."""
    return Where(page.api.platform.address, page.api.platform.region, page.locked)


class Editor:
    """The form.

    Args:
        page: The visit.
        draft: Changed by the fields.
        identifier: Of the guardrail whose draft is replaced; empty for a new one.
    """

    def __init__(self, page: Page, draft: Draft, identifier: str = "") -> None:
        self._page, self._draft, self._identifier = page, draft, identifier
        t = page.t
        with box("wizard"):
            with box("section"):
                for name, draw in _STEPS.items():
                    with tag("section", classes="card", aria_label=t(f"policies.{name}")):
                        heading(t(f"policies.{name}"))
                        text(t(f"policies.{name}_hint"), classes="faint small")
                        draw(page, draft, self._changed)
            with tag("aside", classes="card wizard-code", aria_label=t("new.program")):
                with box("row"):
                    self._save = button(
                        t("policies.save" if identifier else "policies.make"), self._keep, kind="primary", symbol="save"
                    )
                    self._state = text("", classes="faint small", name="span", role="status")
                self._told = box("section", aria_live="polite")
                heading(t("new.program"))
                text(t("policies.program_hint"), classes="faint small")
                self._program = box("section")
        self._write()

    def _changed(self) -> None:
        self._state.set_text(self._page.t("policies.unsaved"))
        self._told.clear()
        self._write()

    def _write(self) -> None:
        t = self._page.t
        written = write_keep(where(self._page), self._draft.members(), self._identifier)
        self._program.clear()
        with self._program:
            code_block(written, label=t("layout.copy"), copied=t("layout.copied"))

    async def _keep(self) -> None:
        page, draft, t = self._page, self._draft, self._page.t
        self._told.clear()
        if missing := draft.missing:
            with self._told, tag("ul", classes="wrong", role="alert"):
                for each in missing:
                    tag("li", t(f"policies.missing_{each}"))
            return
        set_attributes(self._save, disabled=True)
        members = draft.members()
        try:
            if self._identifier:
                await page.api.call("bedrock", "update_guardrail", guardrailIdentifier=self._identifier, **members)
            else:
                made = await page.api.call("bedrock", "create_guardrail", **members)
                page.go(guardrail_page(made["guardrailId"]))
                return
        except ApiFailure as failure:
            if not self._told.is_deleted:
                with self._told:
                    failed(page, failure, self._keep)
            return
        finally:
            if not self._save.is_deleted:
                set_attributes(self._save, disabled=False)
        if not self._state.is_deleted:
            self._state.set_text(t("policies.saved"))
