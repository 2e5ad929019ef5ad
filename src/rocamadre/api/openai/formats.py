"""The form an answer must have: `response_format` of chat completions, `text.format` of responses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rocamadre.api.openai.fields import Fields

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ANY_OBJECT: Mapping[str, Any] = {"type": "object"}
_TYPES = ("text", "json_object", "json_schema")


def read_format(parent: Fields, name: str, *, nested: bool) -> Mapping[str, Any] | None:
    """The JSON Schema that the answer must follow; None for text.

    Which keywords can be followed is decided by the engine, which refuses the others by name.

    Args:
        parent: What holds it.
        name: Its key there.
        nested: Whether the schema and its name are below `json_schema`.

    Raises:
        BadParameter: see its message.
    """
    if name not in parent:
        return None
    form = parent.record(name)
    form.required("type")
    kind = form.choice("type", _TYPES)
    if kind != "json_schema":
        form.only(("type",))
        return None if kind == "text" else _ANY_OBJECT
    if nested:
        form.only(("type", "json_schema"))
        form.required("json_schema")
        form = form.record("json_schema")
        form.only(("name", "description", "schema", "strict"))
    else:
        form.only(("type", "name", "description", "schema", "strict"))
    form.required("name")
    form.pattern("name", _NAME)
    form.text("description")
    form.flag("strict")
    schema = form.raw("schema")
    if schema is None:
        if not nested:
            form.required("schema")
        return _ANY_OBJECT
    if not isinstance(schema, dict):
        raise form.wrong_type("schema", "an object")
    return schema
