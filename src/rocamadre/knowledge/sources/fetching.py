"""One page by HTTP: bounded in size and time, from an address that was checked, and no further than asked."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rocamadre.knowledge.sources.addresses import Destination, Resolve, destination, resolve
from rocamadre.knowledge.sources.protocol import SourceFailure

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_ADDRESSES = 3
_PIECE = 65_536
_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.:-]{1,40})", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


class Unreachable(SourceFailure):
    """The machine did not answer, or not in time; another time it may."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer.

    Attributes:
        url: That was asked, as `addresses.destination` writes it.
        headers: By lower-case name.
        body: Decoded; empty for redirects.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """Of the content, in lower case and without parameters; may be empty."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def in_utf8(self) -> bytes:
        """The content; text whose header names another encoding as UTF-8 with its mark."""
        found = _CHARSET.search(self.headers.get("content-type", ""))
        if found is None or not self.media_type.startswith(("text/", "application/xhtml")):
            return self.body
        try:
            plain = found[1].lower().replace("_", "-") in ("utf-8", "utf8")
            return self.body if plain else _BOM + self.body.decode(found[1], "replace").encode()
        except LookupError:
            return self.body


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches pages, one after the other or from several threads.

    Attributes:
        agent: The User-Agent header.
        timeout_s: For one page from the first byte to the last.
        most_bytes: Of one page, packed and unpacked.
        allow_private: Whether private addresses may be asked.
        resolver: Names to addresses; asked once for each page.
        trust: Whose certificates are believed; None for those of the system.
    """

    agent: str
    timeout_s: float
    most_bytes: int
    allow_private: bool = False
    resolver: Resolve = resolve
    trust: Callable[[], ssl.SSLContext] = field(default=ssl.create_default_context)

    def get(self, url: str) -> Page:
        """One page; a redirect is returned, not followed.

        Raises:
            Unreachable: nobody answers, or too slowly.
            SourceFailure: the address is not allowed, or the page is too large.
        """
        found = destination(url, allow_private=self.allow_private, resolver=self.resolver)
        connection = self._connected(found)
        assert connection.sock is not None
        sock = connection.sock
        late = threading.Event()

        def give_up() -> None:
            late.set()
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(self.timeout_s, give_up)
        timer.start()
        try:
            page = self._asked(connection, found)
            if late.is_set():
                raise TimeoutError  # A page without a length looks whole when the connection ends.
            return page
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"takes over {self.timeout_s:g} seconds" if late.is_set() else f"breaks off ({type(error).__name__})"
            raise Unreachable(f"{found.url} {why}") from error
        finally:
            timer.cancel()
            connection.close()

    def _connected(self, found: Destination) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(found.host, found.port, timeout=self.timeout_s)
        problem: OSError | None = None
        for address in found.addresses[:_MOST_ADDRESSES]:
            try:
                # By address: the name is not resolved again.
                sock = socket.create_connection((address, found.port), timeout=self.timeout_s)
                try:
                    if found.scheme == "https":
                        sock = self.trust().wrap_socket(sock, server_hostname=found.host)
                except BaseException:
                    sock.close()
                    raise
                connection.sock = sock
                return connection
            except OSError as error:
                problem = error
        reason = problem.strerror or type(problem).__name__ if problem is not None else "no address"
        raise Unreachable(f"{found.url} cannot be reached: {reason}") from problem

    def _asked(self, connection: http.client.HTTPConnection, found: Destination) -> Page:
        parts = urlsplit(found.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.putrequest("GET", _quoted(target), skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Host", parts.netloc),
            ("User-Agent", self.agent),
            ("Accept", "text/html,application/xhtml+xml,text/*;q=0.9,*/*;q=0.8"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ):
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        body = b"" if answer.status in REDIRECTS else self._body(answer, headers, found.url)
        return Page(found.url, answer.status, headers, body)

    def _body(self, answer: http.client.HTTPResponse, headers: Mapping[str, str], url: str) -> bytes:
        coding = headers.get("content-encoding", "").strip().lower()
        if coding not in ("", "identity", "gzip", "x-gzip"):
            raise SourceFailure(f"{url} comes packed as {coding[:40]!r}, which was not asked for")
        unpack = zlib.decompressobj(31) if coding.endswith("gzip") else None
        pieces: list[bytes] = []
        size = packed = 0
        while piece := answer.read(_PIECE):
            packed += len(piece)
            if unpack is not None:
                try:
                    piece = unpack.decompress(piece, self.most_bytes + 1 - size)
                except zlib.error as error:
                    raise SourceFailure(f"{url} comes packed, and broken") from error
            size += len(piece)
            if max(size, packed) > self.most_bytes:
                raise SourceFailure(f"{url} has over {self.most_bytes} bytes (setting knowledge.crawl_page_bytes)")
            pieces.append(piece)
        if answer.length:
            raise http.client.IncompleteRead(b"")
        return b"".join(pieces)


def _quoted(target: str) -> str:
    """A path that may stand in a request's first line: what it must not hold is percent-encoded."""
    return "".join(
        letter if "!" <= letter <= "~" else "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "replace"))
        for letter in target
    )
