"""GET /_rocamadre/training: what can be set of a training, for programs that ask people."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.core.context import Context
from rocamadre.customization.hyperparameters import documented
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.settings import TrainingSettings

_APART = ("method", "method_settings")


@route("GET", "/_rocamadre/training")
async def training(context: Context, request: HttpRequest) -> Reply:
    """Methods with their settings, the settings of every run, and Amazon's own names for a base.

    In the query: `model`, the base; without it Amazon's names are left out.
    """
    answer: dict[str, Any] = {
        "settings": _fields(TrainingSettings, leave_out=_APART),
        "methods": [
            {
                "name": facts.name,
                "title": facts.title,
                "trains": facts.trains,
                "when": facts.when,
                "paper": facts.paper,
                "learning_rate": facts.learning_rate,
                "form": facts.form,
                "served": facts.served,
                "settings": _fields(facts.settings),
            }
            for facts in FACTS.values()
        ],
    }
    if model := request.parameters().get("model", ""):
        resolved = await asyncio.to_thread(resolve_model, context, model)
        answer["documented"] = {
            name: {"least": each.low, "most": each.high, "whole": each.whole}
            for name, each in documented(resolved.base_id).items()
        }
    return json_reply(answer)


def _fields(model: type[BaseModel], *, leave_out: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Each field as JSON Schema has it, under its name."""
    schema = model.model_json_schema()
    return [{"name": name, **told} for name, told in schema["properties"].items() if name not in leave_out]
