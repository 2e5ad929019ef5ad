"""POST /v1/embeddings."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import numpy as np

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.api.inference.embedding import embed
from rocamadre.api.inference.generation import resolve_model
from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, read_fields
from rocamadre.core.context import Context
from rocamadre.engines.profiles.registry import default_dimensions
from rocamadre.engines.profiles.types import EmbeddingRequest

MOST_TEXTS = 2048
_KNOWN = ("input", "model", "dimensions", "encoding_format", "user")


@route("POST", "/v1/embeddings", "/openai/v1/embeddings", dialect="openai")
async def embeddings(ctx: Context, request: HttpRequest) -> Reply:
    """Vectors of one or more texts."""
    fields = read_fields(request)
    fields.only(_KNOWN)
    model = fields.required("model")
    if not isinstance(model, str):
        raise fields.wrong_type("model", "a string")
    fields.text("user")
    form = fields.choice("encoding_format", ("float", "base64")) or "float"
    texts = read_input(fields)
    dimensions = fields.integer("dimensions", 1, 65_536)
    resolved = resolve_model(ctx, model)
    if dimensions is None and resolved.aliased:
        dimensions = default_dimensions(resolved.base_id)
    answer = await embed(ctx, resolved, EmbeddingRequest(texts, dimensions), answer_id=uuid4().hex)
    read = sum(answer.token_counts)
    return json_reply(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(_encoded(answer.vectors["float"], form))
            ],
            "model": resolved.model.id,
            "usage": {"prompt_tokens": read, "total_tokens": read},
        }
    )


def read_input(fields: Fields) -> tuple[str, ...]:
    """The texts.

    Raises:
        BadParameter: there are none, too many, an empty one, or token ids.
    """
    value = fields.required("input")
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        raise fields.wrong_type("input", "a string or an array of strings")
    if not value or len(value) > MOST_TEXTS:
        raise BadParameter(f"'input' takes 1 to {MOST_TEXTS} texts, {len(value)} were given.", param="input")
    for index, text in enumerate(value):
        if isinstance(text, int | list):
            raise BadParameter(
                "'input': token ids are not taken, since they mean other words to this model; send strings (in "
                "langchain: check_embedding_ctx_length=False).",
                param="input",
                code="unsupported_value",
            )
        if not isinstance(text, str):
            raise fields.wrong_type("input", "a string or an array of strings")
        if not text:
            raise BadParameter(f"'input[{index}]' is an empty string.", param="input")
    return tuple(value)


def _encoded(vectors: Sequence[Sequence[float]], form: str) -> Sequence[Any]:
    if form == "float":
        return vectors
    return [base64.b64encode(each.tobytes()).decode("ascii") for each in np.asarray(vectors, "<f4")]
