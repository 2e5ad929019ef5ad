"""Which machines may be asked: names are resolved once, checked, and the connection goes to what was checked.

A name that is resolved anew for the connection could by then lead somewhere else (DNS rebinding). So whoever connects
takes the address from here, and asks no resolver.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from rocamadre.knowledge.sources.protocol import SourceFailure

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host name and port to addresses."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SHARED = ipaddress.IPv4Network("100.64.0.0/10")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL leads.

    Attributes:
        url: With a host name in lower case, without user, password and fragment.
        host: As the Host header and the certificate have it.
        addresses: All of them checked.
    """

    url: str
    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]


def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver.

    Raises:
        SourceFailure: it knows no address.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceFailure(f"the name {host} has no address") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def destination(url: str, *, allow_private: bool, resolver: Resolve = resolve) -> Destination:
    """Look where a URL leads, and whether anybody may go there.

    Raises:
        SourceFailure: it is no http or https URL, has no address, or one of its addresses is not public.
    """
    parts = split(url)
    host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
    addresses = tuple(resolver(host, port))
    if not addresses:
        raise SourceFailure(f"the name {host} has no address")
    # One private address among public ones is refused, too: which of them is taken would be chance.
    for address in addresses:
        if not allow_private and not is_public(address):
            raise SourceFailure(
                f"{url[:200]} leads to {address}, which is no public address; the setting "
                "knowledge.private_addresses allows such"
            )
    name = f"[{host}]" if ":" in host else host
    place = name if port == _PORTS[parts.scheme] else f"{name}:{port}"
    plain = parts._replace(netloc=place, fragment="", path=parts.path or "/").geturl()
    return Destination(plain, parts.scheme, host, port, addresses)


def split(url: str) -> SplitResult:
    """The parts of an http or https URL.

    Raises:
        SourceFailure: it is none, or carries a user name.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SourceFailure(f"{url[:200]!r} is no URL") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise SourceFailure(f"{url[:200]!r} is no http or https URL")
    if parts.username is not None:
        raise SourceFailure("URLs with a user name are not fetched")
    return parts


def is_public(text: str) -> bool:
    """Whether an address is one of the internet's: not private, loopback, link-local, shared, reserved or multicast.

    >>> [is_public(each) for each in ("93.184.215.14", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::a00:1")]
    [True, False, False, False]
    """
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        within = _within(address)
        if within is not None:
            return is_public(str(within))
    elif address in _SHARED:
        return False
    return address.is_global and not address.is_multicast


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for, by one of the ways there are."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None
