"""The filters that are known."""

from __future__ import annotations

import re

from pydantic import ValidationError

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.registry import Registry
from rocamadre.datasets.filters.types import Filter, FilterType

FILTERS: Registry[FilterType] = Registry(
    "data filter",
    {
        "length": "rocamadre.datasets.filters.length:Length",
        "regex": "rocamadre.datasets.filters.pattern:Pattern",
        "language": "rocamadre.datasets.filters.language:Language",
        "exact": "rocamadre.datasets.filters.duplicates:Exact",
        "near": "rocamadre.datasets.filters.duplicates:Near",
        "gopher": "rocamadre.datasets.filters.gopher:Gopher",
        "c4": "rocamadre.datasets.filters.c4:C4",
        "personal": "rocamadre.datasets.filters.private:Personal",
    },
)


def make_filter(written: str) -> Filter:
    r"""A filter as people write it: its name, then settings.

    Args:
        written: `name`, or `name:setting=value` with more settings behind `;`, which is written `\;` within a value.

    Raises:
        Unknown: no filter has this name.
        InvalidRequest: a setting is not known or out of range.

    >>> make_filter("length:least=3;most=200;unit=words")
    Length(unit='words', least=3, most=200, part='whole')
    """
    name, _, rest = written.partition(":")
    kind = FILTERS.load(name.strip())
    settings: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in re.split(r"(?<!\\);", rest))):
        setting, equals, value = part.partition("=")
        if not equals:
            raise InvalidRequest(f"{written!r}: {part!r} is no setting; write name:setting=value;setting=value")
        settings[setting.strip()] = value.replace("\\;", ";")
    try:
        return kind(**settings)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        known = ", ".join(kind.model_fields)
        raise InvalidRequest(f"filter {name!r}: {problems.lstrip(': ')}; its settings are {known}") from error
