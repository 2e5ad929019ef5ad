"""Reading requests of Anthropic's wire, which refuses in Anthropic's words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from rocamadre.api.http import HttpRequest
from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import GenerationRequest
from rocamadre.engines.profiles.checks import Check
from rocamadre.engines.profiles.claude_read import read_request
from rocamadre.engines.profiles.types import Json

_LARGE_BYTES = 100_000
_MOST_SENTENCES = 10
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
_POINTER = re.compile(r"#((?:/[^/\s:]*)*): ?")
_KINDS = {
    "String": "string",
    "Integer": "integer",
    "Number": "number",
    "Boolean": "boolean",
    "JSONArray": "list",
    "JSONObject": "dictionary",
}
_WORDS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"^(.*?)\.?: required key \[(.*)\] not found$"), r"\1.\2: Field required"),
    (re.compile(r"^(.*?)\.?: extraneous key \[(.*)\] is not permitted$"), r"\1.\2: Extra inputs are not permitted"),
    (
        re.compile(r"expected type: (.+), found: \w+$"),
        lambda match: (
            "Input should be a valid " + " or ".join(_KINDS.get(each, each) for each in match[1].split(" or "))
        ),
    ),
    (re.compile(r"\S+ is not greater or equal to (\S+)$"), r"Input should be greater than or equal to \1"),
    (re.compile(r"\S+ is not less or equal to (\S+)$"), r"Input should be less than or equal to \1"),
    (re.compile(r"expected minLength: (\d+), actual: \d+$"), r"String should have at least \1 characters"),
    (re.compile(r"expected maxLength: (\d+), actual: \d+$"), r"String should have at most \1 characters"),
    (re.compile(r"expected minimum item count: (\d+), found: \d+$"), r"List should have at least \1 items"),
    (re.compile(r"expected maximum item count: (\d+), found: \d+$"), r"List should have at most \1 items"),
)


def check_headers(request: HttpRequest) -> None:
    """Refuse a version that is none; a client that sends none is served.

    Raises:
        InvalidRequest: in Anthropic's words.
    """
    version = request.headers.get("anthropic-version")
    if version is not None and not _VERSION.fullmatch(version):
        raise InvalidRequest(f'anthropic-version: "{version[:40]}" is not a valid version; one is 2023-06-01')


def read_json(request: HttpRequest, check: Check) -> Json:
    """The body, if the check has nothing against it.

    Raises:
        InvalidRequest: what is wrong, with each place.
        NotBuilt: it asks for something that Rocamadre lacks.
    """
    check_headers(request)
    body = request.json()
    wrong: list[str] = []
    try:
        check(body, "#", wrong)
    except NotBuilt as error:
        raise NotBuilt(in_words(error.message)) from error
    if wrong:
        more = len(wrong) - _MOST_SENTENCES
        shown = "; ".join(in_words(each) for each in wrong[:_MOST_SENTENCES])
        raise InvalidRequest(shown + (f"; and {more} more" if more > 0 else ""))
    checked: Json = body
    return checked


async def read_generation(body: Json, data: bytes) -> GenerationRequest:
    """The generation asked for; a body that is large, or may hold documents, is read in a thread.

    Args:
        body: Checked.
        data: The same, as it came.

    Raises:
        InvalidRequest: it breaks one of Anthropic's rules.
        NotBuilt: it asks for something that Rocamadre lacks.
    """
    slow = len(data) > _LARGE_BYTES or b'"document"' in data
    return await asyncio.to_thread(read_request, body) if slow else read_request(body)


def in_words(sentence: str) -> str:
    """A failed check in Anthropic's words.

    >>> in_words("#/messages/0: required key [role] not found")
    'messages.0.role: Field required'
    >>> in_words("#/temperature: 2 is not less or equal to 1")
    'temperature: Input should be less than or equal to 1'
    """
    text = _POINTER.sub(lambda match: match[1].lstrip("/").replace("/", ".") + ": ", sentence, count=1)
    for pattern, words in _WORDS:
        changed, count = pattern.subn(words, text, count=1)
        if count:
            text = changed
            break
    return text.lstrip(".").removeprefix(": ")
