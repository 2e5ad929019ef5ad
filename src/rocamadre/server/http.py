"""uvicorn's HTTP protocol, without its copying of request bodies.

uvicorn gathers what arrives in a byte array and then makes bytes of it: two copies of all that is uploaded, which large
files feel. Here the pieces are kept as the parser gave them.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Pieces:
    """What of a body has come and is not taken yet; as much of a byte array as uvicorn asks for.

    >>> pieces = Pieces()
    >>> pieces += b"ab"
    >>> pieces += b"c"
    >>> len(pieces), bytes(pieces)
    (3, b'abc')
    """

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0

    def __iadd__(self, piece: bytes) -> Pieces:
        self._pieces.append(piece)
        self._size += len(piece)
        return self

    def __len__(self) -> int:
        return self._size

    def __bytes__(self) -> bytes:
        return self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    _body: Pieces

    @property  # type: ignore[override]
    def body(self) -> Pieces:
        """What came; emptied by setting it to anything else."""
        return self._body

    @body.setter
    def body(self, value: object) -> None:
        self._body = value if isinstance(value, Pieces) else Pieces()


class HttpProtocol(HttpToolsProtocol):
    """Given to uvicorn as `http`."""

    def on_headers_complete(self) -> None:
        """Begin a request."""
        before = self.cycle
        super().on_headers_complete()
        if (
            self.cycle is not before
        ):  # An upgrade begins none. The cycle was made just now: nothing of the body has come.
            self.cycle.__class__ = Cycle
            self.cycle.body = bytearray()
