"""Parts of a message's content, as both chat completions and responses write them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from rocamadre.api.http import HttpRequest
from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.fields import Fields, record_of
from rocamadre.core.messages import CachePoint, Document, Media, Text
from rocamadre.engines.profiles.documents import read_document

T = TypeVar("T")
Part: TypeAlias = Text | Document | Media | CachePoint

MOST_PARTS = 1024
_IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/html": "html",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}
_ENDINGS = {"htm": "html", "markdown": "md", "text": "txt"}
_LIFETIMES = {"30m": 1800, "12h": 43_200}
_NO_FETCHING = "Rocamadre fetches nothing from the network; give the file itself as a data: URL in base64"


def read_content(
    message: Fields, name: str, kinds: Mapping[str, str], *, taken: tuple[str, ...] = ("text",)
) -> list[Part]:
    """A string, or an array of parts.

    Args:
        message: What holds it.
        name: Its key there.
        kinds: The parts' types on this wire: `text`, `refusal`, `image`, `audio` or `file` by the word that stands in
            `type`.
        taken: Which of these this place takes.

    Raises:
        BadParameter: names the part.
        InvalidRequest: a document cannot be read.
    """
    content = message.required(name)
    if isinstance(content, str):
        return [Text(content)]
    if not isinstance(content, list) or not content:
        raise message.wrong_type(name, "a string or a non-empty array of parts")
    if len(content) > MOST_PARTS:
        raise message.wrong(name, f"at most {MOST_PARTS} parts are taken, {len(content)} were given")
    parts: list[Part] = []
    for index, each in enumerate(content):
        parts.extend(_read_part(record_of(each, f"{message.at(name)}[{index}]"), kinds, taken))
    return parts


async def read_aside(request: HttpRequest, read: Callable[[], T]) -> T:
    """Read a request, in a thread where it may hold a document: its parser is a process that must be waited for."""
    if b"file" in request.body or b"\\u" in request.body:  # A key may be spelt with escapes.
        return await asyncio.to_thread(read)
    return read()


def text_of(parts: list[Part]) -> str:
    """The text of parts that are text."""
    return "".join(part.text for part in parts if isinstance(part, Text))


def _read_part(part: Fields, kinds: Mapping[str, str], taken: tuple[str, ...]) -> list[Part]:
    part.required("type")
    word = part.choice("type", kinds)
    kind = kinds[word or ""]
    if kind not in taken:
        allowed = ", ".join(repr(each) for each, meaning in kinds.items() if meaning in taken)
        raise BadParameter(
            f"Invalid value for '{part.at('type')}': {word!r}. This message takes: {allowed}.",
            param=part.at("type"),
            code="unsupported_value",
        )
    read = _READERS[kind](part, word or "")
    if "prompt_cache_breakpoint" not in part:
        return [read]
    return [read, _read_breakpoint(part.record("prompt_cache_breakpoint"))]


def _read_text(part: Fields, word: str) -> Text:
    part.only(("type", "text", "annotations", "logprobs", "prompt_cache_breakpoint"))
    return Text(_required_text(part, "text"))


def _read_refusal(part: Fields, word: str) -> Text:
    part.only(("type", "refusal"))
    return Text(_required_text(part, "refusal"))


def _read_image(part: Fields, word: str) -> Media:
    part.only(("type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"))
    if "file_id" in part:
        raise part.unsupported("file_id", "images by file id are not taken; give a data: URL in 'image_url'")
    if word == "image_url":
        inner = part.record("image_url")
        inner.only(("url", "detail"))
        at, url = inner.at("url"), _required_text(inner, "url")
    else:
        at, url = part.at("image_url"), _required_text(part, "image_url")
    media_type, data = read_data_url(url, at)
    if media_type not in _IMAGES:
        raise BadParameter(
            f"Invalid value for '{at}': images of type {media_type[:40]!r} are not taken; send "
            f"{', '.join(sorted(set(_IMAGES.values())))}.",
            param=at,
            code="invalid_image_format",
        )
    return Media("image", _IMAGES[media_type], data)


def _read_audio(part: Fields, word: str) -> Media:
    part.only(("type", "input_audio", "prompt_cache_breakpoint"))
    part.required("input_audio")
    inner = part.record("input_audio")
    inner.only(("data", "format"))
    inner.required("format")
    form = inner.choice("format", ("wav", "mp3")) or ""
    return Media("audio", form, _decode(_required_text(inner, "data"), inner.at("data")))


def _read_file(part: Fields, word: str) -> Document:
    if word == "file":
        part.only(("type", "file", "prompt_cache_breakpoint"))
        part.required("file")
        part = part.record("file")
        part.only(("file_data", "file_id", "filename"))
    else:
        part.only(("type", "file_data", "file_id", "file_url", "filename", "detail", "prompt_cache_breakpoint"))
    if "file_url" in part:
        raise part.unsupported("file_url", _NO_FETCHING)
    if "file_id" in part:
        raise part.unsupported("file_id", "files by id are taken for batches only; give 'file_data'")
    name = part.text("filename") or "file"
    at, value = part.at("file_data"), _required_text(part, "file_data")
    media_type = ""
    if value.startswith("data:"):
        media_type, data = read_data_url(value, at)
    else:
        data = _decode(value, at)
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    form = _ENDINGS.get(ending, ending) or _DOCUMENTS.get(media_type)
    return Document(name[:200], read_document(data, form, at=at))


def _read_breakpoint(fields: Fields) -> CachePoint:
    fields.only(("mode", "ttl"))
    fields.required("mode")
    fields.choice("mode", ("explicit",))
    return CachePoint(_LIFETIMES[fields.choice("ttl", _LIFETIMES) or "30m"])


_Reader: TypeAlias = Callable[[Fields, str], Part]
_READERS: dict[str, _Reader] = {
    "text": _read_text,
    "refusal": _read_refusal,
    "image": _read_image,
    "audio": _read_audio,
    "file": _read_file,
}


def read_data_url(url: str, at: str) -> tuple[str, bytes]:
    """Media type, in lower case, and bytes of a `data:` URL in base64.

    Raises:
        BadParameter: it is another URL, or not base64.
    """
    if not url[:5].lower() == "data:":
        raise BadParameter(f"Invalid value for '{at}': {_NO_FETCHING}.", param=at, code="unsupported_value")
    head, comma, body = url[5:].partition(",")
    media_type, *options = head.lower().split(";")
    if not comma or not options or options[-1].strip() != "base64":
        raise BadParameter(f"Invalid value for '{at}': a data: URL looks like data:image/png;base64,<data>.", param=at)
    return media_type.strip(), _decode(body, at)


def _decode(text: str, at: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadParameter(f"Invalid value for '{at}': it is not valid base64.", param=at) from error
    if not data:
        raise BadParameter(f"Invalid value for '{at}': it is empty.", param=at)
    return data


def _required_text(fields: Fields, name: str) -> str:
    value: Any = fields.required(name)
    if not isinstance(value, str):
        raise fields.wrong_type(name, "a string")
    return value
