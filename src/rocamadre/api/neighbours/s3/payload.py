"""An upload's body on its way to the disk: freed of its framing, verified, and never whole in memory.

What must hold before an object becomes visible: the signatures of its chunks and trailers or the hash of its payload,
as far as signatures are verified at all (`server.auth = "required"`); the number of bytes that was announced; and every
checksum that the client sent, in a header or behind the content.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from rocamadre.api.neighbours.dispatch import NeighbourRequest
from rocamadre.api.neighbours.s3.calls import bad_argument
from rocamadre.api.wire.chunked import ChunkSigner, read_trailers
from rocamadre.api.wire.sigv4 import STREAMING, UNSIGNED
from rocamadre.core.errors import CommonError
from rocamadre.store.objects.blobs import Written
from rocamadre.store.objects.checksums import ALGORITHMS, SIZES_BYTES
from rocamadre.store.objects.errors import BadDigest, TooLarge

MOST_BYTES = 5 * 2**30
"""Of a put or a part."""

PREFIX = "x-amz-checksum-"

_ABOUT = {"algorithm", "mode", "type"}
"""Headers that say something about checksums, but none themselves."""

_HASH = re.compile(r"[0-9a-f]{64}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?")
_LONGEST_LINE = 4096
_LONGEST_TRAILERS = 16_384


class Payload:
    """What a request says about its body, and the checking of it.

    Args:
        request: Its headers count, and where its signature was verified, its seed.

    Raises:
        CommonError: the headers contradict each other, or leave out the length.
    """

    def __init__(self, request: NeighbourRequest) -> None:
        headers = request.headers
        word = headers.get("x-amz-content-sha256") or UNSIGNED
        if word != UNSIGNED and word not in STREAMING and not _HASH.fullmatch(word):
            raise bad_argument(
                f"x-amz-content-sha256 must be {UNSIGNED}, {', '.join(sorted(STREAMING))} or a valid sha256 value."
            )
        self._is_verified = request.seed is not None
        self._trailer_headers = headers.get("x-amz-trailer", "")
        self.content_md5 = _base64(headers, "content-md5", 16)
        self.claimed = _claimed(headers)
        self.algorithm = next(iter(self.claimed), "") or _announced(self._trailer_headers)
        self._chunks: _Chunks | None = None
        if word in STREAMING:
            signer = request.seed.signer() if request.seed and not word.startswith("STREAMING-UNSIGNED") else None
            self._chunks = _Chunks(signer, is_signed=not word.startswith("STREAMING-UNSIGNED"))
            self._has_trailers = word.endswith("-TRAILER")
        self._sha256 = word if _HASH.fullmatch(word) else ""
        # Without verified signatures the hash of the payload still says whether it came whole, if nothing else does.
        self._wants_hash = bool(self._sha256) and (self._is_verified or not (self.claimed or self.content_md5))
        self.size_bytes = _length(headers, is_chunked=self._chunks is not None)
        if (self.size_bytes or 0) > MOST_BYTES:
            raise TooLarge(f"the body has {self.size_bytes} bytes; a put or a part has at most {MOST_BYTES}")
        self._seen = 0

    @property
    def algorithms(self) -> list[str]:
        """The checksums that must be computed."""
        names = [self.algorithm] if self.algorithm else []
        return [*names, "sha256"] if self._wants_hash and "sha256" not in names else names

    def decode(self, pieces: Sequence[bytes]) -> Sequence[bytes | memoryview]:
        """What of these pieces of the body is content; the content is not copied.

        Raises:
            CommonError: a chunk is malformed or its signature wrong, or there is more than was announced.
        """
        content = pieces if self._chunks is None else list(self._chunks.feed(pieces))
        self._seen += sum(len(piece) for piece in content)
        if self._seen > (MOST_BYTES if self.size_bytes is None else self.size_bytes):
            if self.size_bytes is None:
                raise TooLarge(f"a put or a part has at most {MOST_BYTES} bytes")
            raise _incomplete("there is more of it than was announced")
        return content

    def finish(self, written: Written) -> dict[str, str]:
        """Check what is known only at the end.

        Returns:
            The checksum to keep, by algorithm.

        Raises:
            CommonError: the body is incomplete, or its hash is another (XAmzContentSHA256Mismatch).
            BadDigest: a checksum is another.
        """
        claimed = dict(self.claimed)
        if self._chunks is not None:
            claimed |= self._trailers()
        if self.size_bytes is not None and self._seen != self.size_bytes:
            raise _incomplete("there is less of it than was announced")
        if self._wants_hash:
            found = base64.b64decode(written.checksums["sha256"]).hex()
            if not hmac.compare_digest(found, self._sha256):
                raise CommonError(
                    "XAmzContentSHA256Mismatch",
                    400,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                )
        if self.content_md5 and self.content_md5 != base64.b64encode(bytes.fromhex(written.md5)).decode():
            raise BadDigest("The Content-MD5 you specified did not match what we received.")
        for name, value in claimed.items():
            if not hmac.compare_digest(written.checksums[name].encode(), value.encode()):
                raise BadDigest(f"The {name.upper()} you specified did not match the calculated checksum.")
        return {name: written.checksums[name] for name in claimed}

    def _trailers(self) -> dict[str, str]:
        assert self._chunks is not None
        text = self._chunks.finish()
        if not self._has_trailers:
            if text != b"\r\n":
                raise _incomplete("the last chunk must be followed by an empty line, and by nothing else")
            return {}
        found = read_trailers(text, self._chunks.signer, self._trailer_headers)
        claimed = {}
        for name, value in found.items():
            algorithm = name.removeprefix(PREFIX)
            if algorithm not in ALGORITHMS:
                raise bad_argument(f"the trailer {name[:60]!r} is none of S3's checksums")
            claimed[algorithm] = value.decode("latin-1")
        return claimed


def _claimed(headers: Mapping[str, str]) -> dict[str, str]:
    said = {name.removeprefix(PREFIX) for name in headers if name.startswith(PREFIX)} - _ABOUT
    if unknown := said - set(ALGORITHMS):
        raise CommonError(
            "NotImplemented", 501, f"the checksum {min(unknown)[:40]} is not built; there are {', '.join(ALGORITHMS)}"
        )
    names = [name for name in ALGORITHMS if name in said]
    if len(names) > 1:
        raise CommonError(
            "InvalidRequest",
            400,
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        )
    return {name: _base64(headers, PREFIX + name, SIZES_BYTES[name]) for name in names}


def _announced(trailer: str) -> str:
    names = [name.strip().lower().removeprefix(PREFIX) for name in trailer.split(",") if name.strip()]
    if len(names) > 1 or (names and names[0] not in ALGORITHMS):
        raise bad_argument(f"x-amz-trailer is {trailer[:80]!r}; it may name one x-amz-checksum- header")
    return names[0] if names else ""


def _base64(headers: Mapping[str, str], name: str, size_bytes: int) -> str:
    """A header's digest, canonical; empty where there is none."""
    text = headers.get(name, "")
    if not text:
        return ""
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != size_bytes:
        if name == "content-md5":
            raise CommonError("InvalidDigest", 400, "The Content-MD5 you specified is not valid.")
        raise CommonError("InvalidRequest", 400, f"Value for {name} header is invalid.")
    return base64.b64encode(digest).decode()


def _length(headers: Mapping[str, str], *, is_chunked: bool) -> int | None:
    text = headers.get("x-amz-decoded-content-length" if is_chunked else "content-length", "")
    if not text and is_chunked and "content-length" in headers:
        return None
    if not text and not is_chunked and "transfer-encoding" not in headers:
        return 0
    if not text:
        raise CommonError("MissingContentLength", 411, "You must provide the Content-Length HTTP header.")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise bad_argument(f"the length {text[:40]!r} is not a number of bytes")
    return int(text)


def _incomplete(reason: str) -> CommonError:
    return CommonError("IncompleteBody", 400, f"The request body is not what its headers say: {reason}")


class _Chunks:
    """Takes `aws-chunked` framing off, however the body was cut on its way; see `api/wire/chunked.py` for the form.

    Args:
        signer: Computes the signatures to compare with; None verifies none.
        is_signed: Whether chunks carry signatures.
    """

    def __init__(self, signer: ChunkSigner | None, *, is_signed: bool) -> None:
        self.signer = signer
        self._is_signed = is_signed
        self._line = bytearray()
        self._left = 0
        self._signature = b""
        self._hash = hashlib.sha256()
        self._state: Callable[[memoryview], Iterator[memoryview]] = self._size
        self._step = 0

    def feed(self, pieces: Sequence[bytes]) -> Iterator[memoryview]:
        """The content in these pieces."""
        for piece in pieces:
            view = memoryview(piece)
            while view:
                yield from self._state(view)
                view = view[self._step :]

    def finish(self) -> bytes:
        """What follows the last chunk.

        Raises:
            CommonError: IncompleteBody: there was no last chunk.
        """
        if self._state != self._tail:
            raise _incomplete("it ends within a chunk")
        return bytes(self._line)

    def _size(self, view: memoryview) -> Iterator[memoryview]:
        """A chunk's own line."""
        if not self._take_line(view):
            return
        match = _CHUNK.fullmatch(self._line)
        if match is None or (match[2] is not None) != self._is_signed:
            raise _incomplete("a chunk does not begin as x-amz-content-sha256 says")
        self._left = int(match[1], 16)
        self._signature = match[2] or b""
        self._line = bytearray()
        if self.signer is not None:
            self._hash = hashlib.sha256()
        if self._left:
            self._state = self._content
        else:
            self._check()
            self._state = self._tail
        yield from ()

    def _content(self, view: memoryview) -> Iterator[memoryview]:
        self._step = min(self._left, len(view))
        self._left -= self._step
        part = view[: self._step]
        if self.signer is not None:
            self._hash.update(part)
        if not self._left:
            self._check()
            self._state = self._break
        yield part

    def _break(self, view: memoryview) -> Iterator[memoryview]:
        """The line break after a chunk."""
        if self._take_line(view):
            if self._line:
                raise _incomplete("a chunk does not end in a line break")
            self._state = self._size
        yield from ()

    def _tail(self, view: memoryview) -> Iterator[memoryview]:
        self._step = len(view)
        self._line += view
        if len(self._line) > _LONGEST_TRAILERS:
            raise _incomplete("its trailers do not end")
        yield from ()

    def _take_line(self, view: memoryview) -> bool:
        """Add to the line; whether it is whole, and then without its break."""
        data = bytes(view[: _LONGEST_LINE + 2])
        end = data.find(b"\n")
        self._step = len(data) if end < 0 else end + 1
        self._line += data[: self._step]
        if len(self._line) > _LONGEST_LINE:
            raise _incomplete("the line of a chunk does not end")
        if end < 0:
            return False
        if not self._line.endswith(b"\r\n"):
            raise _incomplete("a line does not end in a line break")
        del self._line[-2:]
        return True

    def _check(self) -> None:
        if self.signer is None:
            return
        expected = self.signer.chunk_hash(self._hash.hexdigest())
        if not hmac.compare_digest(expected.encode(), self._signature):
            raise CommonError(
                "InvalidSignatureException", 403, "The chunk signature does not match the one we calculated."
            )
