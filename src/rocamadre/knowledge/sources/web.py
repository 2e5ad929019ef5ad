"""Pages of a web site, found by following links from seeds.

The crawler keeps to the scope, to robots.txt, to a rate for each host, and to limits of depth, number, size and time.
It does not go to private addresses unless the settings allow it: every address is checked, also after a redirect, and
the connection goes to the address that was checked (`addresses.py`). What it has read is kept, so that a crawl that was
killed goes on.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import re2

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.knowledge.sources.addresses import Resolve, resolve
from rocamadre.knowledge.sources.fetching import REDIRECTS, Fetcher, Page, Unreachable
from rocamadre.knowledge.sources.frontier import Frontier, Wish
from rocamadre.knowledge.sources.links import Scope, in_scope, join, plain, read_links
from rocamadre.knowledge.sources.place import Place
from rocamadre.knowledge.sources.protocol import Attributes, Item, SourceFailure
from rocamadre.knowledge.sources.robots import NOTHING, Robots, read_robots
from rocamadre.knowledge.sources.spool import Spool

AGENT = "rocamadrebot"
MOST_RATE = 300
"""Pages of a host in a minute, Amazon Bedrock's limit and default."""

_TRIES = 3
_MOST_REDIRECTS = 5
_GONE = frozenset({404, 410})
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_ERRORS = 400
_SERVER_ERRORS = 500
_LONGEST_NAP_S = 0.5
_LOOKED_AT = 4
"""Pages that are read at most for one that is kept."""
_HTML = ("text/html", "application/xhtml+xml")
_TYPES = {
    **dict.fromkeys(_HTML, ".html"),
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/pdf": ".pdf",
    "message/rfc822": ".eml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
}


@dataclass(frozen=True, slots=True)
class Crawl:
    """What is to be read.

    Attributes:
        seeds: Plain URLs.
        include: A page's URL holds one of these; empty for all. Seeds that do not are read for their links alone.
        exclude: A page's URL holds none of these; wins over `include`.
        rate: Pages of one host in a minute.
        most_pages: Pages that are kept.
        most_depth: Links between a seed and a page.
        names: Of the crawler, for robots.txt.
    """

    seeds: Sequence[str]
    scope: Scope = ""
    include: Sequence[Any] = ()
    exclude: Sequence[Any] = ()
    rate: int = MOST_RATE
    most_pages: int = 25_000
    most_depth: int = 20
    names: Sequence[str] = (AGENT,)

    def wants(self, url: str) -> bool:
        """Whether the filters let a page in."""
        if any(each.search(url) for each in self.exclude):
            return False
        return not self.include or any(each.search(url) for each in self.include)


class WebSource:
    """See `Source`. A document's id is its URL, its version a hash of its content.

    Args:
        crawl: What is to be read.
        fetcher: Reads it.
        scratch: Holds pages between listing and reading, and what is still to be read.
        check: Called before each page; raises when somebody wants it to stop.
        sleep: Between pages.
    """

    def __init__(
        self,
        crawl: Crawl,
        fetcher: Fetcher,
        scratch: Path,
        *,
        check: Callable[[], None] = lambda: None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._crawl = crawl
        self._fetcher = fetcher
        self._spool = Spool(scratch / "pages.sqlite")
        self._frontier = Frontier(scratch / "frontier.sqlite")
        self._check = check
        self._sleep = sleep
        self._monotonic = monotonic
        self._hosts: dict[str, _Host] = {}
        self.complete = True

    def listing(self) -> Iterator[Item]:
        """See `Source.listing`.

        Raises:
            Unavailable: none of the seeds can be read.
        """
        seeds = self._crawl.seeds
        for seed in seeds:
            self._frontier.add(seed, 0)
        most = self._crawl.most_pages
        while (wish := self._frontier.next()) is not None and self._spool.count() < most:
            if self._frontier.read() >= _LOOKED_AT * most + len(seeds):
                break
            self._check()
            if wish.tries:
                self._nap(2.0**wish.tries)
            self._take(wish)
        failed = self._frontier.failures()
        if all(seed in failed for seed in seeds):
            raise Unavailable(f"none of the seeds can be read: {failed[seeds[0]]}")
        # What hangs behind a page that cannot be read was not looked for; it is not gone.
        self.complete = not failed
        yield from self._spool.items()
        for url, reason in failed.items():
            if self._crawl.wants(url):
                yield Item(url, "", _name(url, ""), failure=reason)

    def fetch(self, item: Item) -> bytes | Path:
        """See `Source.fetch`."""
        return self._spool.content(item)

    def attributes(self, item: Item) -> Attributes:
        """See `Source.attributes`."""
        return Attributes()

    def close(self) -> None:
        """See `Source.close`."""
        self._spool.close()
        self._frontier.close()

    def _take(self, wish: Wish) -> None:
        """Read one page, or note why it cannot be read."""
        try:
            page = self._page(wish.url)
            if page is None or page.status in _GONE:
                if wish.url in self._crawl.seeds and page is not None:
                    raise SourceFailure(f"{wish.url} is not there (HTTP {page.status})")
                self._frontier.done(wish.url)
                return
            if page.status >= _ERRORS:
                raise SourceFailure(f"{page.url} answers HTTP {page.status}")
            self._keep(page, wish)
            self._frontier.done(wish.url)
        except Unreachable as error:
            self._frontier.failed(wish.url, str(error), again=wish.tries + 1 < _TRIES)
        except SourceFailure as error:
            self._frontier.failed(wish.url, str(error), again=False)

    def _page(self, url: str) -> Page | None:
        """A page, after redirects; None where nobody may go, or nothing is wanted."""
        for _ in range(_MOST_REDIRECTS):
            if not in_scope(url, self._crawl.seeds, self._crawl.scope) and url not in self._crawl.seeds:
                return None
            host = self._host(url)
            if host.robots is not None and not host.robots.allows(url):
                if url in self._crawl.seeds:
                    raise SourceFailure(f"the robots.txt of {urlsplit(url).netloc} forbids {url}")
                return None
            page = self._get(host, url)
            if page.status in _LATER:
                raise Unreachable(f"{url} answers HTTP {page.status}")
            if page.status not in REDIRECTS:
                return page
            target = join(url, page.headers.get("location", ""))
            if not target:
                raise SourceFailure(f"{url} leads to no page")
            if target != url and self._frontier.knows(target):
                return None
            url = target
        raise SourceFailure(f"{url} is behind more than {_MOST_REDIRECTS} redirects")

    def _keep(self, page: Page, wish: Wish) -> None:
        html = page.media_type in _HTML
        ending = _TYPES.get(page.media_type, "")
        keep = bool(ending) or (page.media_type in ("", "application/octet-stream") and _has_ending(page.url))
        if html:
            links = read_links(page.in_utf8(), page.url, header=page.headers.get("x-robots-tag", ""))
            keep = keep and links.index
            if wish.depth < self._crawl.most_depth:
                for link in links.urls:
                    if in_scope(link, self._crawl.seeds, self._crawl.scope) and self._crawl.wants(link):
                        self._frontier.add(link, wish.depth + 1)
        if keep and self._crawl.wants(page.url):
            content = page.in_utf8()
            version = hashlib.sha256(content).hexdigest()
            name = _name(page.url, ending)
            self._spool.add(Item(page.url, version, name, len(content), page.media_type), content)

    def _host(self, url: str) -> _Host:
        """What is known of a URL's host; its robots.txt is read first of all.

        Raises:
            Unreachable: that cannot be had, and nobody knows what is allowed.
        """
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        host = self._hosts.setdefault(origin, _Host())
        if host.robots is None:
            if host.problem is not None and host.tries >= _TRIES:
                raise host.problem
            try:
                host.robots = self._robots(host, origin)
            except Unreachable as error:
                host.tries += 1
                host.problem = error
                raise
        return host

    def _robots(self, host: _Host, origin: str) -> Robots:
        url, moved = f"{origin}/robots.txt", False
        try:
            for _ in range(_MOST_REDIRECTS):
                page = self._get(host, url)
                if page.status in REDIRECTS:
                    moved = True
                    url = join(url, page.headers.get("location", ""))
                elif page.status >= _SERVER_ERRORS:
                    raise Unreachable(f"{url} answers HTTP {page.status}")
                else:
                    return read_robots(page.body, self._crawl.names) if page.status < _ERRORS else Robots()
        except SourceFailure as error:
            if isinstance(error, Unreachable) or not moved:
                raise
        return NOTHING

    def _get(self, host: _Host, url: str) -> Page:
        wait_s = max(60 / self._crawl.rate, host.robots.delay_s if host.robots else 0.0)
        self._nap(host.last + wait_s - self._monotonic())
        host.last = self._monotonic()
        return self._fetcher.get(url)

    def _nap(self, wait_s: float) -> None:
        """Wait, in pieces: somebody may want it to stop."""
        until = self._monotonic() + wait_s
        while (left := until - self._monotonic()) > 0:
            self._check()
            self._sleep(min(left, _LONGEST_NAP_S))


@dataclass(slots=True)
class _Host:
    """A host: what it allows, None before it was asked, and when it was asked last."""

    robots: Robots | None = None
    last: float = float("-inf")
    tries: int = 0
    problem: Unreachable | None = None


def open_source(place: Place, configuration: Mapping[str, Any], *, resolver: Resolve = resolve) -> WebSource:
    """Of a wire `webConfiguration`.

    Raises:
        InvalidRequest: a seed is no URL, or a filter no pattern.
    """
    settings = place.settings
    fetcher = Fetcher(
        agent=agent_of(configuration),
        timeout_s=settings.crawl_timeout_s,
        most_bytes=settings.crawl_page_bytes,
        allow_private=settings.private_addresses,
        resolver=resolver,
    )
    crawl = crawl_of(configuration, most_pages=settings.crawl_pages, most_depth=settings.crawl_depth)
    return WebSource(crawl, fetcher, place.scratch, check=place.check)


def crawl_of(configuration: Mapping[str, Any], *, most_pages: int = 25_000, most_depth: int = 20) -> Crawl:
    """What a wire `webConfiguration` wants read.

    Raises:
        InvalidRequest: a seed is no URL, or a filter no pattern.
    """
    given = configuration.get("sourceConfiguration", {}).get("urlConfiguration", {}).get("seedUrls", [])
    crawler: Mapping[str, Any] = configuration.get("crawlerConfiguration") or {}
    limits: Mapping[str, Any] = crawler.get("crawlerLimits") or {}
    own = str(crawler.get("userAgent") or "")
    return Crawl(
        seeds=_seeds([str(each.get("url", "")) for each in given]),
        scope=crawler.get("scope") or "",
        include=_patterns(crawler.get("inclusionFilters") or ()),
        exclude=_patterns(crawler.get("exclusionFilters") or ()),
        rate=min(MOST_RATE, int(limits.get("rateLimit") or MOST_RATE)),
        most_pages=min(most_pages, int(limits.get("maxPages") or most_pages)),
        most_depth=most_depth,
        names=(AGENT, *([own] if own else [])),
    )


def agent_of(configuration: Mapping[str, Any]) -> str:
    """The User-Agent header of a wire `webConfiguration`.

    Raises:
        InvalidRequest: it cannot be one.
    """
    crawler: Mapping[str, Any] = configuration.get("crawlerConfiguration") or {}
    own = str(crawler.get("userAgent") or "")
    agent = str(crawler.get("userAgentHeader") or f"{AGENT}/1.0{f' ({own})' if own else ''}")
    if not agent.isprintable() or not agent.isascii():
        raise InvalidRequest("userAgent and userAgentHeader hold printable ASCII characters")
    return agent


def _seeds(given: Sequence[str]) -> tuple[str, ...]:
    seeds = [plain(url) for url in given]
    for url, seed in zip(given, seeds, strict=True):
        if not seed:
            raise InvalidRequest(f"the seed {url[:200]!r} is no http or https URL without user and password")
    if not seeds:
        raise InvalidRequest("a WEB data source needs at least one of urlConfiguration.seedUrls")
    return tuple(dict.fromkeys(seeds))


def _patterns(given: Sequence[str]) -> tuple[Any, ...]:
    options = re2.Options()
    options.log_errors = False
    found = []
    for pattern in given:
        try:
            found.append(re2.compile(pattern, options))
        except re2.error as error:
            raise InvalidRequest(f"the filter {pattern[:200]!r} is no regular expression of RE2: {error}") from error
    return tuple(found)


def _name(url: str, ending: str) -> str:
    last = urlsplit(url).path.rpartition("/")[2] or "index"
    return last if not ending or last.lower().endswith(ending) else last + ending


def _has_ending(url: str) -> bool:
    return re.search(r"\.[A-Za-z0-9]{1,5}$", urlsplit(url).path) is not None
