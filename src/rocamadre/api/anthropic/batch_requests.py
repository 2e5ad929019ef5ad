"""Reading the requests of a message batch: names and bounds; what each asks for is checked when it is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap
from typing import Any

import msgspec

from rocamadre.batch.anthropic.types import NewRequest
from rocamadre.core.errors import InvalidRequest

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PLACE = re.compile(r"^(.*?)(?: - at `\$\.?(.*)`)?$", re.S)
_WORDS = (
    (re.compile(r"Object missing required field `(.*)`"), r".\1: Field required"),
    (re.compile(r"Object contains unknown field `(.*)`"), r".\1: Extra inputs are not permitted"),
    (re.compile(r"Expected `object`, got `.*`"), ": Input should be a valid dictionary"),
    (re.compile(r"Expected `array`, got `.*`"), ": Input should be a valid list"),
    (re.compile(r"Expected `str`, got `.*`"), ": Input should be a valid string"),
)
_LONGEST_WORDS = 300


def read_requests(body: bytes | mmap, *, most: int) -> Iterator[NewRequest]:
    """The requests of a batch; all are checked when this returns.

    A body may be large: it is read once, and no further than the first thing that is wrong with it, so that many small
    things in it cannot become many large ones in memory.

    Args:
        body: JSON.
        most: Requests that it may have.

    Raises:
        InvalidRequest: in Anthropic's words, with the place.
    """
    seen: set[str] = set()

    class Entry(msgspec.Struct, forbid_unknown_fields=True):
        custom_id: str
        params: msgspec.Raw

        def __post_init__(self) -> None:
            at = f"requests.{len(seen)}"
            if len(seen) == most:
                raise InvalidRequest(f"requests: List should have at most {most} items after validation, not more")
            if not _ID.fullmatch(self.custom_id):
                raise InvalidRequest(
                    f"{at}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$', "
                    f"not {self.custom_id[:80]!r}"
                )
            if self.custom_id in seen:
                raise InvalidRequest(
                    f"{at}.custom_id: {self.custom_id!r} is used twice; each request needs an id of its own"
                )
            if bytes(memoryview(self.params)[:1]) != b"{":
                raise InvalidRequest(f"{at}.params: Input should be a valid dictionary")
            seen.add(self.custom_id)

    whole: Any = msgspec.defstruct("Whole", [("requests", list[Entry])], forbid_unknown_fields=True)
    try:
        entries: list[Entry] = msgspec.json.decode(body, type=whole).requests
    except msgspec.ValidationError as error:
        raise InvalidRequest(in_words(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not entries:
        raise InvalidRequest("requests: List should have at least 1 item after validation, not 0")
    return (NewRequest(entry.custom_id, bytes(entry.params)) for entry in entries)


def in_words(sentence: str) -> str:
    """What msgspec says, in Anthropic's words.

    >>> in_words("Object missing required field `params` - at `$.requests[3]`")
    'requests.3.params: Field required'
    >>> in_words("Expected `object`, got `int`")
    'Input should be a valid dictionary'
    """
    match = _PLACE.match(sentence)
    assert match is not None  # It matches everything.
    text, place = match[1], (match[2] or "").replace("[", ".").replace("]", "")
    for pattern, words in _WORDS:
        if pattern.fullmatch(text):
            text = pattern.sub(words, text)
            break
    else:
        text = f": {text}"
    return f"{place}{text}".lstrip(".").removeprefix(": ")[:_LONGEST_WORDS]
