"""/_rocamadre/training: what can be set of a training, and what it will take, for programs that ask people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from pydantic import BaseModel

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.generation import resolve_model
from rocamadre.api.platform.datasets import KINDS
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest
from rocamadre.customization.hyperparameters import documented, read
from rocamadre.datasets.sources import find_sources
from rocamadre.datasets.types import Example
from rocamadre.datasets.validation import Rules, load_examples
from rocamadre.training.methods.facts import FACTS
from rocamadre.training.preflight.prospect import look_ahead
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


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    """The body.

    Attributes:
        model: The base, by any id.
        training: `s3://…`.
        validation: `s3://…`; empty for none.
        type: As in CreateModelCustomizationJob.
        hyperparameters: As there; all of them strings.
        measure: Measure this machine's speed if it is not known yet: some ten seconds.
    """

    model: str
    training: str
    validation: str = ""
    type: Literal["FINE_TUNING", "CONTINUED_PRE_TRAINING"] = "FINE_TUNING"
    hyperparameters: dict[str, str] = {}
    measure: bool = False


@route("POST", "/_rocamadre/training/preflight")
async def preflight(context: Context, request: HttpRequest) -> Reply:
    """Memory, time, disk, energy and AWS's price of a training, before it begins.

    Raises:
        InvalidRequest: the base, the data or a hyperparameter is wrong.
    """
    try:
        wish = msgspec.json.decode(request.body, type=_Wish)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not of the expected form: {error}") from error
    return json_reply(await asyncio.to_thread(_look_ahead, context, wish))


def _look_ahead(context: Context, wish: _Wish) -> dict[str, Any]:
    resolved = resolve_model(context, wish.model)
    model = resolved.model
    if model.path is None or wish.type not in model.customizations:
        raise InvalidRequest(f"{model.id} cannot be trained by {wish.type} here")
    settings = read(resolved.base_id, wish.type, wish.hyperparameters, context_length=model.context_length)
    return look_ahead(
        context.platform.settings.home,
        model.path,
        settings,
        _examples(context, wish.training, wish.type),
        validation=_examples(context, wish.validation, wish.type) if wish.validation else None,
        aws_model_id=resolved.base_id,
        measure=wish.measure,
    ).as_json()


def _examples(context: Context, uri: str, kind: str) -> Iterator[Example]:
    if not uri.startswith("s3://"):
        raise InvalidRequest(f"{uri[:200]!r} is no s3:// URI; upload the file to a bucket first")
    sources = find_sources(uri, context.platform.objects.of(context.account))
    return load_examples(sources, Rules(kinds=KINDS[kind]))
