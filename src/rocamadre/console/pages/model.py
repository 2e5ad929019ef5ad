"""One model: its facts, where it comes from, and its card."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

from rocamadre.console.page import Page, address
from rocamadre.console.pages.jobs import job_page
from rocamadre.console.pages.model_certificate import show_certificate
from rocamadre.console.pages.models import modalities, source_name
from rocamadre.console.parts.elements import box, code_block, heading, icon, link, tag
from rocamadre.console.parts.figures import badge, facts
from rocamadre.console.parts.markdown import markdown
from rocamadre.console.parts.states import empty, region

_CODE = """\
import boto3

client = boto3.client("bedrock-runtime", endpoint_url="{address}")
answer = client.converse(
    modelId="{model}",
    messages=[{{"role": "user", "content": [{{"text": "Hello"}}]}}],
)
print(answer["output"]["message"]["content"][0]["text"])
"""


async def build(page: Page) -> None:
    """Draw the page."""
    with tag("a", classes="back", href="/models"):
        icon("back")
        tag("span", page.t("model.back"))
    path = f"/_rocamadre/models/{quote(page.values['model'], safe='')}"
    region(page, lambda: page.api.get(path), partial(_show, page), classes="section", lines=6)


def _show(page: Page, model: dict[str, Any]) -> None:
    t = page.t
    with box("row"):
        heading(model["name"], classes="big")
        badge(source_name(page, model["source"]), "accent")
        if model["aliased"]:
            badge(t("model.stand_in"), "warn")
    with box("columns"):
        with box("card"):
            heading(t("model.facts"))
            facts(
                {
                    t("model.id"): model["id"],
                    t("models.maker"): model["provider"],
                    t("models.kind"): modalities(page, model),
                    t("models.licence"): model["licence"] or t("model.licence_unknown"),
                    t("model.parameters"): t.number(model["parameters"]) if model["parameters"] else "",
                    t("models.size"): t.size(model["size_bytes"]) if model["size_bytes"] else "",
                    t("models.context"): t("model.tokens", count=t.number(model["context_length"])),
                    t("model.dimensions"): t.number(model["dimensions"]) if model["dimensions"] else "",
                    t("model.languages"): ", ".join(model["languages"]),
                    t("model.engine"): model["engine"],
                    t("model.tuning"): ", ".join(model["customizations"]),
                }
            )
        with box("card"):
            heading(t("model.lineage"))
            facts(
                {
                    t("model.origin"): model["origin"] or source_name(page, model["source"]),
                    t("model.revision"): model["revision"],
                    t("model.notes"): "; ".join(model["notes"]),
                }
            )
            for name, digest in model["sha256"].items():
                tag("div", f"{name}  {digest}", classes="faint small mono hostile")
            if "TEXT" in model["output_modalities"]:
                heading(t("model.use"), level=3)
                code = _CODE.format(address=page.api.platform.address, model=model["id"])
                code_block(code, label=t("layout.copy"), copied=t("layout.copied"))
    if custom := model.get("custom"):
        _training(page, custom)
        if certificate := custom["facts"].get("certificate"):
            show_certificate(page, certificate)
    with box("card"):
        heading(t("model.card"))
        if model["card"].strip():
            markdown(model["card"])
        else:
            empty(t("model.no_card"), t("model.no_card_hint"))


def _training(page: Page, custom: dict[str, Any]) -> None:
    t, told = page.t, custom["facts"]
    metrics = told.get("metrics") or {}
    with box("card"):
        heading(t("model.trained"))
        facts(
            {
                t("models.own_base"): custom["base_model_id"],
                t("new.method"): str(told.get("method") or ""),
                t("jobs.steps_done"): t.number(metrics["steps"]) if metrics.get("steps") else "",
                t("compare.last_loss"): t.number(metrics["training_loss"], digits=4)
                if isinstance(metrics.get("training_loss"), int | float)
                else "",
                t("model.data_hash"): str((told.get("data") or {}).get("sha256") or ""),
            }
        )
        with box("row"):
            if custom["job_arn"]:
                link(t("model.its_job"), job_page(custom["job_arn"]))
            link(t("training.try"), address("/playground", models=custom["arn"]))
