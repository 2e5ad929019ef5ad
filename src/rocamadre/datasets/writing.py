"""Examples as files in the formats that others read."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.formats.registry import FORMATS
from rocamadre.datasets.types import Example, Preference, Text

_ENCODER = msgspec.json.Encoder()


def usual_format(example: Example) -> str:
    """The format in which Amazon Bedrock takes such an example; pairs, which it does not take, in the usual one."""
    if isinstance(example, Text):
        return "input"
    return "preference" if isinstance(example, Preference) else "bedrock-conversation"


def write_as(path: Path, examples: Iterable[Example], format_: str | None = None) -> int:
    """Write examples as JSON Lines; the file is there whole or not at all.

    Args:
        path: Of the file; its folder exists.
        examples: Read once.
        format_: A name in `FORMATS`; None takes the usual one of the first example.

    Returns:
        How many there were.

    Raises:
        Unknown: the format is not known.
        InvalidRequest: the format has no place for an example, or the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    count = 0
    try:
        with temporary.open("wb") as stream:
            for line in _lines(examples, format_):
                stream.write(line)
                count += 1
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _lines(examples: Iterable[Example], format_: str | None) -> Iterator[bytes]:
    chosen = FORMATS.load(format_) if format_ else None
    for number, example in enumerate(examples, start=1):
        chosen = chosen or FORMATS.load(usual_format(example))
        record = chosen.write(example) if chosen.write is not None else None
        if record is None:
            kind = type(example).__name__.lower()
            raise InvalidRequest(
                f"record {number} ({kind}) has no place in the format {chosen.name!r}; choose another, such as "
                f"{usual_format(example)!r} or 'canonical'"
            )
        yield _ENCODER.encode(record) + b"\n"
