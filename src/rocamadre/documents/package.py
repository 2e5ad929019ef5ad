"""Office Open XML packages: ZIP files of XML, read in pieces and within limits."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import IO
from xml.parsers import expat

from rocamadre.documents.pieces import Refused
from rocamadre.documents.types import Limits

_MOST_ENTRIES = 10_000
_MOST_DEPTH = 200
_PIECE = 1 << 16
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPACES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main": "s",
    "http://purl.oclc.org/ooxml/spreadsheetml/main": "s",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": "r",
    "http://purl.oclc.org/ooxml/officeDocument/relationships": "r",
    "http://schemas.openxmlformats.org/package/2006/relationships": "rel",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/presentationml/2006/main": "p",
    "http://purl.oclc.org/ooxml/presentationml/main": "p",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
}


class Element:
    """One element with everything in it.

    Attributes:
        tag: `w:p`, `s:row`…: a namespace that we know, shortened, and the name; others keep the name alone, after `:`.
        attributes: By tag of the same form; those without a namespace by name.
        text: Its own characters, without those of its children.
    """

    __slots__ = ("attributes", "children", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Element] = []
        self.text = ""

    def child(self, tag: str) -> Element | None:
        """The first child of this tag."""
        for each in self.children:
            if each.tag == tag:
                return each
        return None

    def value(self, tag: str, attribute: str = "w:val") -> str | None:
        """An attribute of the first child of this tag."""
        found = self.child(tag)
        return None if found is None else found.attributes.get(attribute)


class Package:
    """A package whose members are read within one budget.

    Args:
        data: The file.
        format_: For errors.
        limits: How much may be unpacked.

    Raises:
        Refused: it is none, or encrypted.
    """

    def __init__(self, data: bytes, format_: str, limits: Limits) -> None:
        if data.startswith(_OLE):
            raise Refused(
                f"the document is encrypted, or of an old binary format; save it as {format_} without a password",
                "encrypted",
            )
        if not data.startswith(b"PK"):
            raise Refused(f"the document is no {format_} file")
        self._zip = zipfile.ZipFile(BytesIO(data))
        self._names = {info.filename: info for info in self._zip.infolist()}
        self._left = limits.expanded_bytes
        self._most = limits.expanded_bytes
        self._format = format_
        if len(self._names) > _MOST_ENTRIES:
            raise Refused(
                f"the {format_} document holds {len(self._names)} files; at most {_MOST_ENTRIES} are taken", "too-large"
            )

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def names(self) -> list[str]:
        """All members."""
        return list(self._names)

    def main_part(self, otherwise: str) -> str:
        """The document's main part."""
        for kind, target in self.relations("").values():
            if kind == "officeDocument":
                return target
        return otherwise

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Id to kind (the last part of its type) and member, of the relationships inside the package."""
        folder, name = posixpath.split(part)
        file = posixpath.join(folder, "_rels", f"{name}.rels")
        found: dict[str, tuple[str, str]] = {}
        if file not in self:
            return found
        for element in self.elements(file, frozenset({"rel:Relationship"})):
            values = element.attributes
            if values.get("TargetMode") != "External":
                target = values.get("Target", "")
                member = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                found[values.get("Id", "")] = (values.get("Type", "").rpartition("/")[2], member)
        return found

    def elements(
        self, part: str, wanted: frozenset[str], *, skipped: frozenset[str] = frozenset(), root: str = ""
    ) -> Iterator[Element]:
        """The outermost elements of these tags in a member, each with all that is in it, as they are read.

        Args:
            part: A member.
            wanted: Tags.
            skipped: Tags that are passed over with everything in them.
            root: What the member's outermost element must be; empty for anything.

        Raises:
            Refused: there is no such member, it is another than expected, encrypted or packed in an unusual way, it
                declares a document type (the format forbids it, and entities would come with it), is nested too
                deeply, or unpacks to too much.
        """
        builder = _Builder(wanted, skipped, root, self._format)
        with self._open(part) as file:
            while piece := file.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    raise self._too_large()
                builder.feed(piece)
                yield from builder.take()
        builder.feed(b"", last=True)
        yield from builder.take()

    def _too_large(self) -> Refused:
        return Refused(
            f"the {self._format} document unpacks to over {self._most >> 20} MB; send a smaller one", "too-large"
        )

    def _open(self, part: str) -> IO[bytes]:
        info = self._names.get(part)
        if info is None:
            raise Refused(f"the document is damaged, or no {self._format} file: {part[:100]!r} is missing in it")
        if info.flag_bits & 1:
            raise Refused(f"the {self._format} document is encrypted; save it without a password", "encrypted")
        if info.file_size > self._left:
            raise self._too_large()
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused(f"the {self._format} document is packed in a way that this format does not have")
        return self._zip.open(info)


class _Builder:
    """Builds elements out of a stream of XML."""

    def __init__(self, wanted: frozenset[str], skipped: frozenset[str], root: str, format_: str) -> None:
        self._wanted = wanted
        self._skipped = skipped
        self._root = root
        self._format = format_
        self._ready: list[Element] = []
        self._open: list[Element] = []
        self._depth = 0
        self._skip = 0
        self._tags: dict[str, str] = {}
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        self._parser = parser

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """Take XML in."""
        self._parser.Parse(piece, last)

    def take(self) -> list[Element]:
        """Elements completed since the last time."""
        ready, self._ready = self._ready, []
        return ready

    def _tag(self, name: str) -> str:
        tag = self._tags.get(name)
        if tag is None:
            space, _, local = name.rpartition(" ")
            tag = local if not space else f"{_SPACES.get(space, '')}:{local}"
            if len(self._tags) < _MOST_ENTRIES:
                self._tags[name] = tag
        return tag

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise Refused(f"the {self._format} document is nested too deeply", "nested-too-deeply")
        tag = self._tags.get(name) or self._tag(name)
        if self._depth == 1 and self._root and tag != self._root:
            raise Refused(f"the document is damaged, or no {self._format} file: its main part is no {self._root}")
        if self._skip or tag in self._skipped:
            self._skip += 1
        elif self._open or tag in self._wanted:
            if attributes and any(" " in key for key in attributes):
                attributes = {self._tag(key): value for key, value in attributes.items()}
            element = Element(tag, attributes)
            if self._open:
                self._open[-1].children.append(element)
            self._open.append(element)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._skip:
            self._skip -= 1
        elif self._open:
            element = self._open.pop()
            if not self._open:
                self._ready.append(element)

    def _characters(self, text: str) -> None:
        if self._open and not self._skip:
            self._open[-1].text += text

    def _refuse_doctype(self, *_: object) -> None:
        raise Refused(f"the {self._format} document declares a document type, which its format forbids")
