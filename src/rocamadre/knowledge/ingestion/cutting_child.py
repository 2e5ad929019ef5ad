"""`python -m rocamadre.knowledge.ingestion.cutting_child SETTINGS`: cuts documents that come over standard input."""

from __future__ import annotations

import socket
import sys

import msgspec

from rocamadre.knowledge.ingestion.cutting import CutSettings, analysed, packed, receive, send
from rocamadre.knowledge.parsers.parsed import Parsed


def main() -> None:
    """Answer until the other end is closed."""
    settings = msgspec.json.decode(sys.argv[1], type=CutSettings)
    chunker, counter = settings.chunker(), settings.counter()
    with socket.socket(fileno=0) as connection:
        connection.settimeout(None)
        while (frame := receive(connection)) is not None:
            parsed = msgspec.msgpack.decode(frame, type=Parsed)
            pieces = chunker.chunk(parsed, counter)
            send(connection, packed(analysed(parsed.text, pieces, enrich=settings.enrich)))


if __name__ == "__main__":
    main()
