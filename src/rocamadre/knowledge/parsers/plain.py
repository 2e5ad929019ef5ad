"""Plain text: kept as it is."""

from __future__ import annotations

from rocamadre.documents.pieces import Refused
from rocamadre.knowledge.parsers.builder import cleaned
from rocamadre.knowledge.parsers.encodings import decode
from rocamadre.knowledge.parsers.file import File
from rocamadre.knowledge.parsers.parsed import Parsed


def parse_text(file: File) -> Parsed:
    """See `Parser`."""
    text, encoding = decode(file.data)
    text = cleaned(text)
    if len(text) > file.limits.characters:
        raise Refused(f"the document holds over {file.limits.characters} characters of text; split it", "too-much-text")
    if not text.strip():
        raise Refused("the document holds no text", "no-text")
    return Parsed(text, "text/plain", metadata={"x-rocamadre-encoding": encoding})
