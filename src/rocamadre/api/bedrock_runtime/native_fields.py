"""additionalModelResponseFields: fields of the answer that InvokeModel would have given in the model's own form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from rocamadre.api.bedrock_runtime.blocks import Json
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.registry import find_profile
from rocamadre.engines.profiles.types import AnswerFacts, TextProfile

_STOP = "/stop_sequence"


def check_pointers(paths: Sequence[str]) -> None:
    """Refuse what is no JSON Pointer.

    Raises:
        InvalidRequest: empty, or not beginning with a slash.
    """
    for path in paths:
        if not path.startswith("/") or len(path) < 2:
            raise InvalidRequest(
                f"additionalModelResponseFieldPaths: {path[:80]!r} is not a valid JSON Pointer; one is {_STOP}"
            )


def needs_content(paths: Sequence[str]) -> bool:
    """Whether the whole answer is needed to tell these fields, not only its end."""
    return any(path != _STOP for path in paths)


def native_fields(ctx: Context, resolved: Resolved, paths: Sequence[str], answer: Answer) -> Json | None:
    """The fields that an answer has of those asked for, nested as they are in it; None when it has none of them.

    `/stop_sequence` is there for every model. Others are taken from the body of the model's family; pointers that lead
    nowhere, or into a list, are left out, as AWS leaves out what is not there.
    """
    if not paths:
        return None
    fields: Json = {}
    whole = _native(ctx, resolved, answer) if needs_content(paths) else {}
    for path in paths:
        if path == _STOP:
            fields["stop_sequence"] = answer.finish.stop_sequence
        else:
            _copy(whole, fields, [_unescaped(name) for name in path[1:].split("/")])
    return fields or None


def _native(ctx: Context, resolved: Resolved, answer: Answer) -> Json:
    try:
        profile = find_profile(resolved.base_id, embeds=False, aliased=resolved.aliased)
    except NotBuilt:
        return {}  # A family whose own form is not there has no fields of its own.
    assert isinstance(profile, TextProfile)
    created = int(ctx.platform.clock.now().timestamp())
    return profile.write(answer, AnswerFacts(uuid4().hex, resolved.base_id, resolved.model.id, created))


def _copy(source: Any, target: Json, names: Sequence[str]) -> None:
    """Copy what a pointer names, with the objects around it.

    >>> target = {"a": {"x": 1}}
    >>> _copy({"a": {"b": 2, "c": 3}}, target, ["a", "b"])
    >>> target
    {'a': {'x': 1, 'b': 2}}
    """
    found = source
    for name in names:
        if not isinstance(found, dict) or name not in found:
            return
        found = found[name]
    for name in names[:-1]:
        inner = target.get(name)
        if not isinstance(inner, dict):
            inner = target[name] = {}
        # What another pointer brought must not be changed within the answer itself.
        target[name] = target = dict(inner)
    target[names[-1]] = found


def _unescaped(name: str) -> str:
    return name.replace("~1", "/").replace("~0", "~")
