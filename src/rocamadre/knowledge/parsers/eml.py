"""EML: the headers that people read, the message's text, and its attachments, each as its own format says."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import Builder, one_line
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import DAMAGED, File
from rocamadre.knowledge.parsers.formats import MEDIA_TYPES, format_of
from rocamadre.knowledge.parsers.html import parse_markup
from rocamadre.knowledge.parsers.parsed import Parsed

_SHOWN = ("From", "To", "Cc", "Date")
_LONGEST_HEADER = 2000
_MOST_HEADER_BYTES = 262_144
_MOST_PARTS = 500
_DEEPEST = 3
_WORD = re.compile(r"=\?[^?\s]{1,50}\?[BbQq]\?[^?\s]{0,1000}\?=")


def parse_eml(file: File, *, depth: int = 0) -> Parsed:
    """See `Parser`.

    Args:
        file: The message.
        depth: In how many other messages it is.
    """
    head = min((at for at in (file.data.find(b"\n\n"), file.data.find(b"\n\r\n")) if at >= 0), default=len(file.data))
    if head > _MOST_HEADER_BYTES:
        raise Refused(f"the message has {head} bytes of headers; at most {_MOST_HEADER_BYTES} are read", "too-large")
    message = BytesParser().parsebytes(file.data)
    if not message.keys():
        raise Refused("the file is damaged, or no mail message: it has no headers")
    builder = Builder(file.limits.characters)
    subject = _header(message, "Subject")
    builder.heading(1, subject)
    facts = {name.lower(): value for name in _SHOWN if (value := _header(message, name))}
    builder.paragraph("\n".join(f"{name}: {facts[name.lower()]}" for name in _SHOWN if name.lower() in facts))
    unread: list[str] = []
    _add_parts(message, builder, file, depth, unread)
    if unread:
        facts["x-rocamadre-attachments-unread"] = "; ".join(unread)[:2000]
    return builder.parsed(MEDIA_TYPES["eml"], title=subject, metadata=facts)


def _header(message: Message, name: str) -> str:
    value = str(message.get(name, ""))[:_LONGEST_HEADER]
    return one_line(_WORD.sub(_decoded_word, re.sub(r"(\?=)\s+(=\?)", r"\1\2", value)))


def _decoded_word(match: re.Match[str]) -> str:
    try:
        [(content, charset)] = decode_header(match[0])
        return content.decode(charset or "ascii", "replace") if isinstance(content, bytes) else content
    except (ValueError, LookupError, HeaderParseError):
        return match[0]


def _add_parts(message: Message, builder: Builder, file: File, depth: int, unread: list[str]) -> None:
    """The text parts, then the attachments; of alternatives the plain one, or else the page."""
    waiting: list[Message] = [message]
    attached: list[Message] = []
    count = 0
    while waiting:
        part = waiting.pop(0)
        count += 1
        if count > _MOST_PARTS:
            raise Refused(f"the message has over {_MOST_PARTS} parts", "too-large")
        kind = part.get_content_type()
        if kind == "multipart/alternative":
            chosen = _choose(_inner(part))
            waiting = [*chosen, *waiting]
        elif kind == "message/rfc822" or part.get_content_disposition() == "attachment" or part.get_filename():
            attached.append(part)
        elif part.is_multipart():
            waiting = [*_inner(part), *waiting]
        elif kind in ("text/plain", "text/html"):
            _add_text(part, builder, file)
        else:
            attached.append(part)
    for part in attached:
        _add_attachment(part, builder, file, depth, unread)


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return (
        [each for each in payload if isinstance(each, Message)][: _MOST_PARTS + 1] if isinstance(payload, list) else []
    )


def _choose(parts: list[Message]) -> list[Message]:
    for kind in ("text/plain", "multipart/related", "multipart/mixed", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and (part.is_multipart() or _content(part).strip()):
                return [part]
    return parts[-1:]


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _add_text(part: Message, builder: Builder, file: File) -> None:
    content = _content(part)
    if not content.strip():
        return
    declared = str(part.get_param("charset", "") or "")[:50].encode("ascii", "ignore")
    text, _ = decode(content, declared=b"charset=" + declared)
    if part.get_content_type() == "text/html":
        try:
            builder.nested(parse_markup(text, file.limits.characters))
        except Refused as error:
            if error.reason != "no-text":
                raise
    else:
        builder.paragraph(text.replace("\r\n", "\n"))


def _add_attachment(part: Message, builder: Builder, file: File, depth: int, unread: list[str]) -> None:
    from rocamadre.knowledge.parsers.registry import PARSERS  # noqa: PLC0415  (it names this module)

    name = one_line(str(part.get_filename() or ""))[:200] or part.get_content_type()
    try:
        if part.get_content_type() == "message/rfc822":
            if depth + 1 >= _DEEPEST:
                raise Refused("messages are attached to each other too deeply", "nested-too-deeply")
            inner = _inner(part)
            data = inner[0].as_bytes() if inner else _content(part)
            parsed = parse_eml(File(data, name, "eml", file.limits), depth=depth + 1)
        else:
            data = _content(part)
            if not data:
                raise Refused("it is empty", "empty")
            found = format_of(data, name, part.get_content_type())
            if found == "eml":
                raise Refused("a message as a file in a message is not read", "unsupported")
            parsed = PARSERS.load(found)(File(data, name, found, file.limits))
    except Refused as error:
        if error.reason == "too-much-text":
            raise
        unread.append(f"{name} ({error.reason})")
        return
    except DAMAGED:
        unread.append(f"{name} (damaged)")
        return
    builder.heading(2, f"Attachment: {name}")
    builder.nested(parsed)
