"""A model's parity certificate: whether the trained model and the served one are the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rocamadre.console.page import Page
from rocamadre.console.parts.elements import box, heading, tag, text
from rocamadre.console.parts.figures import badge


def show_certificate(page: Page, certificate: Mapping[str, Any]) -> None:
    """Draw a card with the verdict and a row for each form of the model."""
    t = page.t
    forms = [form for form in certificate.get("forms", ()) if isinstance(form, Mapping)]
    holds = not any(form.get("cause") for form in forms)
    with box("card"):
        with box("row"):
            heading(t("certificate.title"))
            badge(t("certificate.holds" if holds else "certificate.fails"), "good" if holds else "bad")
        text(t("certificate.hint", reference=str(certificate.get("reference", ""))), classes="faint small hostile")
        with box("table-box", tabindex="0", role="region", aria_label=t("certificate.title")):
            with tag("table", classes="table"):
                with tag("thead"), tag("tr"):
                    for name in ("form", "read", "written", "differs", "verdict"):
                        tag("th", t(f"certificate.{name}"), scope="col")
                with tag("tbody"):
                    for form in forms:
                        with tag("tr"):
                            _form(page, form)


def _form(page: Page, form: Mapping[str, Any]) -> None:
    t = page.t
    tag("td", str(form.get("name", "")), classes="hostile")
    prompts = form.get("prompts", 0)
    for name in ("same_ids", "same_answers"):
        tag("td", t("certificate.of", same=form.get(name, 0), all=prompts))
    exact = form.get("exact")
    figure, limit = ("deviation_nats", "deviation_limit_nats") if exact else ("kl_nats", "kl_limit_nats")
    tag("td", t("certificate.nats", found=_short(form.get(figure)), limit=_short(form.get(limit))))
    with tag("td"):
        cause = str(form.get("cause") or "")
        badge(cause or t("certificate.same"), "bad" if cause else "good")
        if form.get("detail"):
            text(str(form["detail"]), classes="faint small hostile")


def _short(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, int | float) else "—"
