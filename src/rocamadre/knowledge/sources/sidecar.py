"""`<file>.metadata.json`: the attributes of the file beside it, as Amazon Bedrock reads them.

```json
{"metadataAttributes": {"year": 2024, "team": "tides",
                        "place": {"value": {"type": "STRING", "stringValue": "Foz"}, "includeForEmbedding": true}}}
```

Attributes are for filtering; one with `includeForEmbedding` is embedded together with each chunk's text, too. Beside a
CSV file `documentStructureConfiguration` may say which column is the text of a row, and which are attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from rocamadre.knowledge.parsers.file import columns_of
from rocamadre.knowledge.parsers.parsed import ParseFailure
from rocamadre.knowledge.sources.protocol import Attributes, SourceFailure, plain_attributes

ENDING = ".metadata.json"
MOST_BYTES = 10 * 1024
"""Amazon Bedrock's limit."""

_MOST_LETTERS = 200
_TYPES = {
    "STRING": ("stringValue", str),
    "NUMBER": ("numberValue", (int, float)),
    "BOOLEAN": ("booleanValue", bool),
    "STRING_LIST": ("stringListValue", list),
}


def read_sidecar(data: bytes, name: str) -> Attributes:
    """The attributes that such a file gives.

    Args:
        data: Its content.
        name: For the sentence about what is wrong.

    Raises:
        SourceFailure: it is too large, no JSON, or has no `metadataAttributes`.
    """
    if len(data) > MOST_BYTES:
        raise SourceFailure(f"{name} has {len(data)} bytes; a file of attributes has at most {MOST_BYTES}")
    try:
        found = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceFailure(f"{name} is not valid JSON: {str(error)[:200]}") from error
    structure = found.get("documentStructureConfiguration") if isinstance(found, dict) else None
    given = found.get("metadataAttributes", {} if structure else None) if isinstance(found, dict) else None
    if not isinstance(given, dict):
        raise SourceFailure(f'{name} has no object "metadataAttributes"; write {{"metadataAttributes": {{…}}}}')
    try:
        return replace(read_attributes(given), columns=None if structure is None else columns_of(structure))
    except ParseFailure as error:
        raise SourceFailure(f"{name}: {error.message}") from error


def read_attributes(given: Mapping[str, Any]) -> Attributes:
    """Attributes as they stand in such a file, each plain or with its type."""
    plain: dict[str, Any] = {}
    ignored: dict[str, str] = {}
    embedded = []
    for key, value in given.items():
        if not key or len(key) > _MOST_LETTERS:
            ignored[key[:_MOST_LETTERS]] = f"its name has {len(key)} characters; 1 to {_MOST_LETTERS} are allowed"
        elif isinstance(value, dict):
            try:
                plain[key] = typed_value(value.get("value", value))
                if _flag(value):
                    embedded.append(key)
            except ValueError as error:
                ignored[key] = str(error)
        else:
            plain[key] = value
    found = plain_attributes(plain)
    left = tuple(key for key in embedded if key in found.values)
    return Attributes(found.values, {**ignored, **found.ignored}, embedded=left)


def _flag(attribute: Mapping[str, Any]) -> bool:
    """Whether it is embedded.

    Raises:
        ValueError: it says neither yes nor no.
    """
    found = attribute.get("includeForEmbedding", False)
    if not isinstance(found, bool):
        raise ValueError("its includeForEmbedding is neither true nor false")
    return found


def typed_value(value: Any) -> Any:
    """What `{"type": "STRING", "stringValue": …}` and its like say.

    Raises:
        ValueError: it is none of them; the message says what is.
    """
    named = str(value.get("type")) if isinstance(value, dict) else ""
    member, kind = _TYPES.get(named, ("", object))
    if not member:
        raise ValueError(f"its type is none of {', '.join(_TYPES)}")
    found = value.get(member)
    if not isinstance(found, kind) or (member == "numberValue" and isinstance(found, bool)):  # type: ignore[arg-type]
        raise ValueError(f"{named} needs {member!r} of that type")
    return found
