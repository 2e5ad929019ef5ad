"""XML as S3 takes and gives it: small, shallow, without anything declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from rocamadre.api.http import Reply
from rocamadre.api.neighbours.errors import xml_text
from rocamadre.api.neighbours.s3.errors import XML
from rocamadre.core.errors import CommonError

_DEEPEST = 8
_MOST_ELEMENTS = 60_000
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(slots=True)
class Element:
    """One element.

    Attributes:
        name: Without namespace.
        text: Its own, all pieces joined.
    """

    name: str
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """Children of this name."""
        return (child for child in self.children if child.name == name)

    def first(self, name: str) -> Element | None:
        """The first child of this name."""
        return next(self.all(name), None)

    def value(self, name: str, default: str = "") -> str:
        """The text of the first child of this name."""
        found = self.first(name)
        return default if found is None else found.text


def malformed(reason: str) -> CommonError:
    """The error for a document that is not what the operation takes."""
    return CommonError(
        "MalformedXML",
        400,
        f"The XML you provided was not well-formed or did not validate against our published schema: {reason}",
    )


def parse_document(body: bytes, *names: str) -> Element:
    """A request's document.

    Args:
        body: As sent.
        *names: What its root may be called.

    Raises:
        CommonError: MalformedXML.
    """
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise malformed(f"line {error.lineno}, column {error.offset}") from None
    if reader.root is None or reader.root.name not in names:
        raise malformed(f"the document's root must be {' or '.join(names)}")
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator="}")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.buffer_text = True
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        element = Element(name.rpartition("}")[2])
        self._count += 1
        if len(self._open) >= _DEEPEST or self._count > _MOST_ELEMENTS:
            raise malformed("it is deeper or longer than any request")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._open[-1].text += text

    def _doctype(self, *declared: object) -> None:
        raise malformed("a document type must not be declared")


def tag(name: str, text: object) -> str:
    """An element with text; booleans as S3 writes them."""
    value = ("true" if text else "false") if isinstance(text, bool) else str(text)
    return f"<{name}>{xml_text(value)}</{name}>"


def checksum_tags(checksums: Mapping[str, str]) -> list[str]:
    """Checksums as documents have them."""
    return [tag(f"Checksum{name.upper()}", value) for name, value in checksums.items()]


def xml_reply(root: str, parts: Iterable[str], *, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    """An answer in S3's namespace, from elements already written."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{_NAMESPACE}">{"".join(parts)}</{root}>'
    return Reply(status, {"content-type": XML, **(headers or {})}, body.encode())
