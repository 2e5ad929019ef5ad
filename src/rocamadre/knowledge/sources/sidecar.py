"""`<file>.metadata.json`: the attributes of the file beside it, as Amazon Bedrock reads them.

```json
{"metadataAttributes": {"year": 2024, "team": "tides",
                        "place": {"value": {"type": "STRING", "stringValue": "Foz"}, "includeForEmbedding": true}}}
```

Beside a CSV file `documentStructureConfiguration` may say which column is the text of a row, and which are attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from rocamadre.knowledge.parsers.file import Columns
from rocamadre.knowledge.sources.protocol import Attributes, SourceFailure, plain_attributes

ENDING = ".metadata.json"
MOST_BYTES = 65_536
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
    return replace(read_attributes(given), columns=_columns(structure, name) if structure else None)


def read_attributes(given: Mapping[str, Any]) -> Attributes:
    """Attributes as they stand in such a file, each plain or with its type."""
    plain: dict[str, Any] = {}
    ignored: dict[str, str] = {}
    for key, value in given.items():
        if not key or len(key) > _MOST_LETTERS:
            ignored[key[:_MOST_LETTERS]] = f"its name has {len(key)} characters; 1 to {_MOST_LETTERS} are allowed"
        elif isinstance(value, dict):
            try:
                plain[key] = typed_value(value.get("value", value))
            except ValueError as error:
                ignored[key] = str(error)
        else:
            plain[key] = value
    found = plain_attributes(plain)
    return Attributes(found.values, {**ignored, **found.ignored})


def _columns(given: Any, name: str) -> Columns:
    """What a `documentStructureConfiguration` says of a CSV file.

    Raises:
        SourceFailure: it says nothing that is understood.
    """
    try:
        if given["type"] != "RECORD_BASED_STRUCTURE_METADATA":
            raise ValueError
        record = given["recordBasedStructureMetadata"]
        (content,) = record["contentFields"]
        fields = record.get("metadataFieldsSpecification") or {}
        return Columns(
            str(content["fieldName"]),
            tuple(str(each["fieldName"]) for each in fields.get("fieldsToInclude") or ()),
            tuple(str(each["fieldName"]) for each in fields.get("fieldsToExclude") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceFailure(
            f"{name}: documentStructureConfiguration is of type RECORD_BASED_STRUCTURE_METADATA, with one of "
            "contentFields in recordBasedStructureMetadata, each field an object with fieldName"
        ) from error


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
