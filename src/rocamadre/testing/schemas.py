"""Random JSON schemas of the kinds that applications send: nested objects, lists, enums, bounds, unions, formats."""

from __future__ import annotations

import random
from typing import Any

_WORDS = (
    "name city days price status items address email born tags level total currency notes kind score active owner "
    "source target path unit color país ação größe"
).split()
_FORMATS = ("date", "date-time", "email", "ipv4", "uuid", "uri", "hostname", "time")
_PATTERNS = ("^[A-Z]{2}[0-9]{4}$", "^(low|mid|high)-[0-9]+$", "^[a-z ]{3,12}$", "[0-9]{3}")


def random_schema(seed: int, *, depth: int = 3) -> dict[str, Any]:
    """A schema of an object, the same for the same seed.

    Args:
        seed: Any integer.
        depth: Levels of objects and lists below the first.
    """
    dice = random.Random(seed)
    schema = _object(dice, depth)
    if dice.random() < 0.1:  # Some are recursive.
        schema["properties"]["children"] = {"type": "array", "items": {"$ref": "#"}}
    if dice.random() < 0.2:
        schema["$defs"] = {"place": _object(dice, 1)}
        schema["properties"]["place"] = {"$ref": "#/$defs/place"}
    return schema


def _object(dice: random.Random, depth: int) -> dict[str, Any]:
    names = dice.sample(_WORDS, dice.randint(1, 5))
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _value(dice, depth - 1) for name in names},
        "required": [name for name in names if dice.random() < 0.7],
    }
    if dice.random() < 0.5:
        schema["additionalProperties"] = False
    if dice.random() < 0.3:
        schema["title"] = dice.choice(_WORDS)
    return schema


def _value(dice: random.Random, depth: int) -> dict[str, Any]:
    kinds = [_string, _string, _number, _number, _choice, _flag]
    if depth > 0:
        kinds += [_object_below, _list, _list, _union]
    return dice.choice(kinds)(dice, depth)


def _object_below(dice: random.Random, depth: int) -> dict[str, Any]:
    if dice.random() < 0.2:
        return {"type": "object", "additionalProperties": _value(dice, depth - 1)}
    return _object(dice, depth)


def _string(dice: random.Random, depth: int) -> dict[str, Any]:
    draw = dice.random()
    if draw < 0.3:
        return {"type": "string", "format": dice.choice(_FORMATS)}
    if draw < 0.5:
        return {"type": "string", "pattern": dice.choice(_PATTERNS)}
    if draw < 0.7:
        least = dice.randint(0, 4)
        return {"type": "string", "minLength": least, "maxLength": least + dice.randint(0, 30)}
    return {"type": "string", "description": "Any text."}


def _number(dice: random.Random, depth: int) -> dict[str, Any]:
    kind = dice.choice(("integer", "number"))
    schema: dict[str, Any] = {"type": kind}
    low = dice.randint(-50, 50)
    if dice.random() < 0.5:
        schema[dice.choice(("minimum", "exclusiveMinimum"))] = low
    if dice.random() < 0.5:
        schema[dice.choice(("maximum", "exclusiveMaximum"))] = low + dice.randint(2, 500)
    if kind == "integer" and dice.random() < 0.15:
        return {"type": "integer", "multipleOf": dice.choice((2, 5, 10))}
    return schema


def _choice(dice: random.Random, depth: int) -> dict[str, Any]:
    if dice.random() < 0.2:
        return {"const": dice.choice(("fixed", 7, True, None))}
    return {"enum": dice.sample(("red", "verde", "azul", 1, 2.5, None, False, "otro más"), dice.randint(1, 4))}


def _flag(dice: random.Random, depth: int) -> dict[str, Any]:
    return {"type": dice.choice(("boolean", "null", "boolean"))}


def _list(dice: random.Random, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": _value(dice, depth - 1)}
    if dice.random() < 0.4:
        schema["minItems"] = dice.randint(0, 2)
    if dice.random() < 0.4:
        schema["maxItems"] = dice.randint(2, 5)
    if dice.random() < 0.15:
        schema["prefixItems"] = [_value(dice, depth - 1)]
    return schema


def _union(dice: random.Random, depth: int) -> dict[str, Any]:
    draw = dice.random()
    if draw < 0.4:
        return {"anyOf": [_value(dice, depth - 1), {"type": "null"}]}
    if draw < 0.6:
        return {"type": ["string", "integer", "null"]}
    if draw < 0.8:
        shapes = [_object(dice, depth - 1) for _ in range(2)]
        for index, shape in enumerate(shapes):
            shape["properties"]["type"] = {"const": f"shape-{index}"}
            shape["required"] = [*shape["required"], "type"]
        return {"oneOf": shapes}
    return {"allOf": [_object(dice, depth - 1), {"required": []}]}
