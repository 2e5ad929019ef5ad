"""The links of an HTML page, and which pages belong to a site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Literal, TypeAlias
from urllib.parse import urljoin, urlsplit

Scope: TypeAlias = Literal["", "HOST_ONLY", "SUBDOMAINS"]

MOST_LINKS = 10_000
MOST_CHARACTERS = 5_000_000
_LONGEST = 2_000
_SECOND_LEVEL = frozenset("ac co com edu gob gov go ltd me mil ne net nom or org plc sch".split())
_META = re.compile(rb"<meta[^>]{0,500}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_TAG = re.compile(
    r"<(a|area|base|meta)(?=[\s/])((?:[^<>\"']{1,4096}+|\"[^\"]{0,4096}+\"|'[^']{0,4096}+'){0,200}+)>", re.IGNORECASE
)
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]{1,100}+)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'<>`]++)))?")
_HIDDEN = re.compile(r"<!--|<(script|style|textarea|title|template|noscript)(?=[\s/>])")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Links:
    """What a page says to crawlers.

    Attributes:
        urls: Whole, plain, each once, in the order of the page.
        index: Whether it may be kept.
    """

    urls: tuple[str, ...]
    index: bool = True


def read_links(body: bytes, url: str, *, header: str = "") -> Links:
    """The links of a page.

    Args:
        body: HTML in UTF-8, or as its own `meta` says.
        url: Of the page.
        header: `X-Robots-Tag`.
    """
    named = _META.search(body[:4096])
    try:
        text = body.decode(named[1].decode() if named and not body.startswith(b"\xef\xbb\xbf") else "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    base, told, given = "", header, list[str]()
    for tag, values in _tags(text[:MOST_CHARACTERS]):
        if tag == "base":
            base = base or values.get("href", "")
        elif tag == "meta":
            told += f",{values.get('content', '')}" if values.get("name", "").lower() == "robots" else ""
        elif values.get("href") and len(given) < MOST_LINKS and "nofollow" not in values.get("rel", "").lower().split():
            given.append(values["href"])
    words = {word.strip() for word in re.split(r"[,:]", told.lower())}
    index = not words & {"noindex", "none"}
    if words & {"nofollow", "none"}:
        return Links((), index)
    found: dict[str, None] = {}
    base = join(url, base) or url
    for link in given:
        whole = join(base, link)
        if whole:
            found[whole] = None
    return Links(tuple(found), index)


def join(base: str, link: str) -> str:
    """A link as a plain URL; empty for what is no http or https page, or too long.

    >>> join("https://x.org/a/b", "../c#top"), join("https://x.org/", "mailto:a@x.org")
    ('https://x.org/c', '')
    """
    try:
        return plain(urljoin(base, link.strip()))
    except ValueError:
        return ""


def plain(url: str) -> str:
    """A URL in the one form in which it is compared: lower-case host, no default port, no fragment; or nothing.

    >>> plain("HTTPS://Example.org:443#a")
    'https://example.org/'
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower().rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in _PORTS or not host or parts.username is not None or len(url) > _LONGEST:
        return ""
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        return ""
    name = f"[{host}]" if ":" in host else host
    place = name if port in (None, _PORTS[parts.scheme]) else f"{name}:{port}"
    return parts._replace(netloc=place, fragment="", path=parts.path or "/").geturl()


def in_scope(url: str, seeds: Sequence[str], scope: Scope) -> bool:
    """Whether a page belongs to a seed's site.

    Args:
        url: Plain.
        seeds: Plain.
        scope: `HOST_ONLY`: the seed's host. `SUBDOMAINS`: all hosts of the seed's domain. Empty: the seed's host, below
            the seed's path.

    >>> [in_scope(f"https://x.org/{path}", ["https://x.org/docs/"], "") for path in ("docs/a", "b")]
    [True, False]
    """
    at = urlsplit(url)
    for seed in map(urlsplit, seeds):
        if scope == "SUBDOMAINS":
            if primary_domain(at.hostname or "") == primary_domain(seed.hostname or ""):
                return True
        elif at.netloc == seed.netloc:
            folder = _folder(seed.path)
            if scope == "HOST_ONLY" or at.path == seed.path or at.path.startswith(folder):
                return True
    return False


def primary_domain(host: str) -> str:
    """The part of a host name that its owner has registered, by the usual forms of such names.

    >>> primary_domain("docs.example.co.uk"), primary_domain("a.b.example.org"), primary_domain("127.0.0.1")
    ('example.co.uk', 'example.org', '127.0.0.1')
    """
    labels = host.split(".")
    if ":" in host or labels[-1].isdecimal():
        return host
    two_letters = len(labels[-1]) == 2  # A country's.
    count = 3 if len(labels) > 2 and two_letters and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-count:])


def _folder(path: str) -> str:
    """What pages below a path begin with: of a file its folder."""
    if path.endswith("/"):
        return path
    above, _, last = path.rpartition("/")
    return f"{above}/" if "." in last else f"{path}/"


def _tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The tags that matter, with their attributes; in time linear in the text, whatever is in it."""
    lower = text.lower()
    for start, end in _shown(lower):
        for match in _TAG.finditer(text, start, end):
            found: dict[str, str] = {}
            for name, double, single, bare in _ATTRIBUTE.findall(match[2]):
                found.setdefault(name.lower(), unescape(double or single or bare).strip())
            yield match[1].lower(), found


def _shown(lower: str) -> Iterator[tuple[int, int]]:
    """The stretches of a page that are neither comments nor scripts nor styles."""
    at = 0
    for match in _HIDDEN.finditer(lower):
        if match.start() < at:
            continue
        yield at, match.start()
        end = "-->" if match[0] == "<!--" else f"</{match[1]}"
        found = lower.find(end, match.end())
        if found < 0:
            return
        at = found + len(end)
    yield at, len(lower)
