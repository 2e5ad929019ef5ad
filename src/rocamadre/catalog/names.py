"""Ids for models that are added, in the form that Bedrock's patterns demand."""

from __future__ import annotations

import re

from rocamadre.catalog.snapshot import Snapshot
from rocamadre.core.errors import Conflict, InvalidRequest

RESERVED_OWNER = "rocamadre"
MAX_NAME = 57
MAX_OWNER = 60
VERSION = "-v1"


def slug(text: str, longest: int) -> str:
    """Lower-case letters and digits with single hyphens between.

    >>> slug("Qwen2.5_0.5B Instruct", 63)
    'qwen2-5-0-5b-instruct'

    Raises:
        InvalidRequest: nothing of the text is left.
    """
    found = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:longest].strip("-")
    if not found:
        raise InvalidRequest(f"{text!r} has no letter or digit to make a name of; give one with name= or owner=")
    return found


def model_id(owner: str, name: str) -> str:
    """`<owner>.<name>-v1:0`.

    Raises:
        InvalidRequest: the owner is ours.
    """
    first = slug(owner, MAX_OWNER)
    if first == RESERVED_OWNER:
        raise InvalidRequest(f"the owner {RESERVED_OWNER!r} is kept for the embedded models; give another with owner=")
    return f"{first}.{slug(name, MAX_NAME)}{VERSION}:0"


def folder_of(new_id: str) -> str:
    """The folder's name below `<home>/models`."""
    return new_id.partition(":")[0]


def free_short_name(known: Snapshot, new_id: str) -> str:
    """The name's own part where nobody has it, else with the owner before it."""
    owner, _, rest = new_id.partition(".")
    name = rest.partition(":")[0].removesuffix(VERSION)
    taken = {model.short_name for model in known.models.values() if model.id != new_id}
    return next(short for short in (name, f"{owner}-{name}", new_id) if short not in taken)


def check_free(known: Snapshot, new_id: str) -> None:
    """Refuse an id that a model has.

    Raises:
        Conflict: it is taken.
    """
    if new_id in known.models:
        raise Conflict(f"a model {new_id} is here already; remove it or choose another name=")
