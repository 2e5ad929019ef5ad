r"""Bodies in `aws-chunked` encoding: chunks, each perhaps signed, then trailers with a checksum.

```
400;chunk-signature=5d4e…\r\n        the chunk's size in hexadecimal; the signature only where chunks are signed
<1,024 bytes>\r\n
0;chunk-signature=1a2b…\r\n
x-amz-checksum-crc32:rfPzYw==\r\n    only where the payload's word ends in TRAILER
x-amz-trailer-signature:9f8e…\r\n    only where chunks are signed
\r\n
```
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache

from rocamadre.core.errors import CommonError

_EMPTY = hashlib.sha256(b"").hexdigest()
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})(?:;chunk-signature=([0-9a-f]{64}))?")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"
_LONGEST_LINE = 4096


class ChunkSigner:
    """Follows the chain of signatures from the request's own through its chunks.

    Args:
        key: The derived signing key.
        scope: Timestamp and credential scope, a line each.
        seed: The request's signature.
    """

    def __init__(self, key: bytes, scope: str, seed: str) -> None:
        self._key = key
        self._scope = scope
        self._previous = seed

    def chunk(self, data: bytes) -> str:
        """The signature that the next chunk must carry."""
        return self.chunk_hash(hashlib.sha256(data).hexdigest())

    def chunk_hash(self, sha256: str) -> str:
        """The same, from the hash of the chunk's data."""
        return self._next("AWS4-HMAC-SHA256-PAYLOAD", f"{_EMPTY}\n{sha256}")

    def trailer(self, canonical: bytes) -> str:
        """The signature that the trailers must carry, given as `name:value` lines."""
        return self._next("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(canonical).hexdigest())

    def _next(self, algorithm: str, content: str) -> str:
        text = f"{algorithm}\n{self._scope}{self._previous}\n{content}"
        self._previous = hmac.digest(self._key, text.encode(), "sha256").hex()
        return self._previous


def decode_chunked(body: bytes, kind: str, signer: ChunkSigner, headers: Mapping[str, list[bytes]]) -> bytes:
    """Free a body of its chunks and check everything that they carry.

    Args:
        body: As sent.
        kind: The payload's word in `x-amz-content-sha256`.
        signer: Knows the request's signature; not asked when the chunks are unsigned.
        headers: By lower-case name; `x-amz-decoded-content-length` and `x-amz-trailer` count.

    Raises:
        CommonError: InvalidSignatureException (403), IncompleteBody, MalformedTrailerError or BadDigest (400).
    """
    signed = not kind.startswith("STREAMING-UNSIGNED")
    data, position = _chunks(body, signer if signed else None)
    declared = headers.get("x-amz-decoded-content-length")
    if declared is not None and declared[-1] != str(len(data)).encode():
        raise _incomplete("the chunks hold another number of bytes than x-amz-decoded-content-length says")
    if kind.endswith("-TRAILER"):
        _check_trailers(body[position:], data, signer if signed else None, headers)
    elif body[position:] != b"\r\n":
        raise _incomplete("the last chunk must be followed by an empty line, and by nothing else")
    return data


def _incomplete(reason: str) -> CommonError:
    return CommonError("IncompleteBody", 400, f"The request body is no well-formed aws-chunked body: {reason}")


def _chunks(body: bytes, signer: ChunkSigner | None) -> tuple[bytes, int]:
    """The data, and where the last chunk's own line ends."""
    pieces: list[bytes] = []
    position = 0
    while True:
        end = body.find(b"\r\n", position, position + _LONGEST_LINE)
        match = _SIZE.fullmatch(body, position, end) if end >= 0 else None
        if match is None:
            raise _incomplete(f"no chunk begins at byte {position}")
        size, position = int(match[1], 16), end + 2
        piece = body[position : position + size]
        if len(piece) != size:
            raise _incomplete("it ends within a chunk")
        if signer is not None:
            expected = signer.chunk(piece)
            if match[2] is None or not hmac.compare_digest(expected.encode(), match[2]):
                raise CommonError(
                    "InvalidSignatureException", 403, "The chunk signature does not match the one we calculated."
                )
        elif match[2] is not None:
            raise _incomplete("it carries chunk signatures though its headers say it has none")
        if size == 0:
            return b"".join(pieces), position
        position += size
        if body[position : position + 2] != b"\r\n":
            raise _incomplete("a chunk does not end in a line break")
        position += 2
        pieces.append(piece)


def _check_trailers(text: bytes, data: bytes, signer: ChunkSigner | None, headers: Mapping[str, list[bytes]]) -> None:
    announced = ",".join(value.decode("latin-1") for value in headers.get("x-amz-trailer", []))
    for checksum, claimed in read_trailers(text, signer, announced).items():
        digest = _DIGESTS.get(checksum)
        if digest is None:
            raise _malformed(f"the trailer {checksum[:60]!r} is not known; checksums are {', '.join(sorted(_DIGESTS))}")
        if not hmac.compare_digest(base64.b64encode(digest(data)), claimed):
            raise CommonError("BadDigest", 400, f"The {checksum} you specified did not match the calculated checksum.")


def read_trailers(text: bytes, signer: ChunkSigner | None, announced: str) -> dict[str, bytes]:
    """The trailers behind the last chunk, by lower-case name, their signature verified and left out.

    Args:
        text: All that follows the last chunk's own line.
        signer: None where they are not signed, or signatures are not verified.
        announced: The `x-amz-trailer` header.

    Raises:
        CommonError: MalformedTrailerError (400) or InvalidSignatureException (403).
    """
    trailers = _parse_trailers(text)
    signature = trailers.pop(_TRAILER_SIGNATURE, None)
    if set(trailers) != {name.strip().lower() for name in announced.split(",")} - {""}:
        raise _malformed("the trailers are not those that the x-amz-trailer header announces")
    if signer is not None:
        canonical = b"".join(name.encode("latin-1") + b":" + value + b"\n" for name, value in sorted(trailers.items()))
        if signature is None or not hmac.compare_digest(signer.trailer(canonical).encode(), signature):
            raise CommonError(
                "InvalidSignatureException", 403, "The trailer signature does not match the one we calculated."
            )
    return trailers


def _parse_trailers(text: bytes) -> dict[str, bytes]:
    """Trailers by lower-case name, the signature's included."""
    if not text.endswith(b"\r\n"):
        raise _malformed("the trailers must end in an empty line")
    trailers: dict[str, bytes] = {}
    # Some signers end a trailer in `\n\r\n`: what they sign is `name:value\n`.
    for line in text.replace(b"\n\r\n", b"\n").replace(b"\r\n", b"\n").split(b"\n"):
        if line:
            name, colon, value = line.partition(b":")
            key = name.decode("latin-1").strip().lower()
            if not colon or key in trailers:
                raise _malformed("a trailer must be one `name:value` line")
            trailers[key] = value.strip()
    return trailers


def _malformed(reason: str) -> CommonError:
    return CommonError(
        "MalformedTrailerError", 400, f"The request contained trailing data that was not well-formed: {reason}"
    )


@cache
def _crc_table(polynomial: int) -> tuple[int, ...]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    return tuple(table)


def _reflected_crc(data: bytes, polynomial: int, bits: int) -> bytes:
    table = _crc_table(polynomial)
    mask = (1 << bits) - 1
    value = mask
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return (value ^ mask).to_bytes(bits // 8, "big")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "x-amz-checksum-crc32": lambda data: zlib.crc32(data).to_bytes(4, "big"),
    "x-amz-checksum-crc32c": lambda data: _reflected_crc(data, 0x82F63B78, 32),
    "x-amz-checksum-crc64nvme": lambda data: _reflected_crc(data, 0x9A6C9329AC4BC9B5, 64),
    "x-amz-checksum-sha1": lambda data: hashlib.sha1(data, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda data: hashlib.sha256(data).digest(),
}
