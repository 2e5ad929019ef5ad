"""The crawler goes where it may, no further, and nowhere private; what it cannot read is not taken for deleted."""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.knowledge.sources.addresses import destination, is_public
from rocamadre.knowledge.sources.fetching import Fetcher, Unreachable
from rocamadre.knowledge.sources.links import in_scope, read_links
from rocamadre.knowledge.sources.protocol import SourceFailure
from rocamadre.knowledge.sources.robots import read_robots
from rocamadre.knowledge.sources.web import WebSource, crawl_of


class Site:
    """A web site on loopback: paths to what answers there, and what was asked for."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append((self.headers["Host"].partition(":")[0], self.path, self.headers["User-Agent"]))
                found = site.pages.get(
                    f"{self.headers['Host'].partition(':')[0]}{self.path}", site.pages.get(self.path)
                )
                if callable(found):
                    found = found(self)
                if found is None:
                    found = (404, {}, b"no")
                status, headers, body = found
                self.send_response(status)
                for name, value in {"content-type": "text/html", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                with suppress(OSError):
                    self.end_headers()
                with suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # Clients that leave are what is tested.
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def url(self, path="/", host="site.example"):
        return f"http://{host}:{self.port}{path}"

    def page(self, path, *links, text="Text.", head="", **headers):
        anchors = "".join(f'<a href="{link}">link</a>' for link in links)
        body = f"<html><head>{head}</head><body><p>{path} {text}</p>{anchors}</body></html>".encode()
        self.pages[path] = (200, {name.replace("_", "-"): value for name, value in headers.items()}, body)

    def paths(self):
        return [path for _, path, _ in self.asked if path != "/robots.txt"]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def site():
    made = Site()
    yield made
    made.close()


def to_loopback(host, port):
    return ["127.0.0.1"]


def fetcher(**more):
    known = {"agent": "test/1.0", "timeout_s": 5.0, "most_bytes": 1_000_000, "allow_private": True,
             "resolver": to_loopback}  # fmt: skip
    return Fetcher(**{**known, **more})


def source(site, folder, *seeds, depth=20, pages=25_000, fetch=None, **crawler):
    configuration = {
        "sourceConfiguration": {
            "urlConfiguration": {
                "seedUrls": [{"url": seed if "://" in seed else site.url(seed)} for seed in seeds or ("/",)]
            }
        },
        "crawlerConfiguration": crawler,
    }
    clock = iter(range(10**9))
    return WebSource(
        crawl_of(configuration, most_pages=pages, most_depth=depth),
        fetch or fetcher(),
        folder,
        sleep=lambda _: None,
        monotonic=lambda: float(next(clock)),
    )


def crawled(found):
    """Paths of what was read, and of what could not be."""
    items = list(found.listing())
    read = {re.sub(r"^http://[^/]*", "", item.id) for item in items if not item.failure}
    return read, {re.sub(r"^http://[^/]*", "", item.id): item.failure for item in items if item.failure}


def test_links_are_followed_and_pages_kept(site, tmp_path):
    site.page("/", "a", "/a#part", "sub/b.html", "https://elsewhere.example/", "mailto:x@y.z", "javascript:x()")
    site.page("/a", "/")
    site.page("/sub/b.html", "c")
    site.page("/sub/c", text="Last.")
    found = source(site, tmp_path)
    items = {item.id: item for item in found.listing()}
    assert sorted(items) == [site.url(path) for path in ("/", "/a", "/sub/b.html", "/sub/c")]
    assert sorted(site.paths()) == ["/", "/a", "/sub/b.html", "/sub/c"]
    last = items[site.url("/sub/c")]
    assert b"Last." in found.fetch(last)
    assert (last.name, last.media_type) == ("c.html", "text/html")
    assert found.complete
    assert site.asked[0][1] == "/robots.txt"


def test_a_crawl_goes_on_where_it_was_killed(site, tmp_path):
    for n in range(10):
        site.page(f"/{n}" if n else "/", f"/{n + 1}")
    site.page("/10")

    def die():
        if len(site.paths()) >= 4:
            raise KeyboardInterrupt

    first = source(site, tmp_path)
    first._check = die
    with pytest.raises(KeyboardInterrupt):
        list(first.listing())
    first.close()
    second = source(site, tmp_path)
    assert len(crawled(second)[0]) == 11
    assert len(site.paths()) == 11
    second.close()


def test_scopes(site, tmp_path):
    site.page("/docs/", "/docs/a", "/other", site.url("/x", "www.site.example"), site.url("/y", "notsite.example"))
    for path in ("/docs/a", "/other", "/x", "/y"):
        site.page(path)

    def hosts(**crawler):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return {item.id.partition("://")[2].replace(f":{site.port}", "") for item in source(
            site, folder, "/docs/", **crawler).listing()}  # fmt: skip

    assert hosts() == {"site.example/docs/", "site.example/docs/a"}
    assert hosts(scope="HOST_ONLY") == {"site.example/docs/", "site.example/docs/a", "site.example/other"}
    assert hosts(scope="SUBDOMAINS") == {
        "site.example/docs/", "site.example/docs/a", "site.example/other", "www.site.example/x",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("url", "seed", "scope", "fits"),
    [
        ("https://a.org/docs", "https://a.org/docs/x.html", "", False),
        ("https://a.org/docs/y", "https://a.org/docs/x.html", "", True),
        ("https://a.org/docsy", "https://a.org/docs", "", False),
        ("http://a.org/docs", "https://a.org/docs", "", True),
        ("https://a.org:8443/", "https://a.org/", "HOST_ONLY", False),
        ("https://evil-a.org/", "https://a.org/", "SUBDOMAINS", False),
        ("https://b.com.br/", "https://a.com.br/", "SUBDOMAINS", False),
        ("https://x.a.com.br/", "https://www.a.com.br/", "SUBDOMAINS", True),
    ],
)
def test_what_belongs_to_a_seed(url, seed, scope, fits):
    assert in_scope(url, [seed], scope) is fits


def test_filters_and_limits(site, tmp_path):
    site.page("/", *(f"/{kind}/{n}" for kind in ("en", "es") for n in range(4)), "/en/secret")
    for kind in ("en", "es"):
        for n in range(4):
            site.page(f"/{kind}/{n}")
    site.page("/en/secret")
    read, _ = crawled(source(site, tmp_path, inclusionFilters=[r"/en/.*"], exclusionFilters=["secret"]))
    assert read == {"/en/0", "/en/1", "/en/2", "/en/3"}
    assert not any("es" in path or "secret" in path for path in site.paths())
    folder = tmp_path / "few"
    folder.mkdir()
    assert len(crawled(source(site, folder, crawlerLimits={"maxPages": 3}))[0]) == 3
    with pytest.raises(InvalidRequest, match="RE2"):
        source(site, folder, inclusionFilters=["(?=x)"])


def test_depth(site, tmp_path):
    for n in range(6):
        site.page(f"/{n}", f"/{n + 1}")
    assert crawled(source(site, tmp_path, "/0", depth=2, scope="HOST_ONLY"))[0] == {"/0", "/1", "/2"}


def test_robots_txt_is_obeyed(site, tmp_path):
    site.pages["/robots.txt"] = (200, {"content-type": "text/plain"}, b"User-agent: *\nDisallow: /private\n")
    site.page("/", "/private/a", "/a", "/b", "/c")
    site.page("/a", "/hidden", head='<meta name="robots" content="noindex, nofollow">')
    site.page("/b", x_robots_tag="noindex")
    site.page("/c", "/d")
    site.page("/d")
    assert crawled(source(site, tmp_path))[0] == {"/", "/c", "/d"}
    assert not any("private" in path or "hidden" in path for path in site.paths())


def test_a_host_whose_robots_txt_fails_is_left_alone(site, tmp_path):
    site.pages["/robots.txt"] = (500, {}, b"")
    site.page("/")
    with pytest.raises(Unavailable, match=r"robots\.txt"):
        crawled(source(site, tmp_path))
    assert site.paths() == []


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: RocamadreBot/2.0\nAllow: /", "/x", True),
        ("User-agent: a\nUser-agent: rocamadrebot\nDisallow: /x", "/x", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/a/b.pdf?x", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),
        ("User-agent: *\nAllow: /a\nDisallow: /a", "/a", True),
        ("\ufeffUser-agent: * # all\r\nDISALLOW: /x # no", "/x?y", False),
        ("User-agent: *\nDisallow: /" + "*a" * 400 + "$", "/" + "a" * 1000 + "b", True),
    ],
)
def test_rules_of_robots_txt(text, path, allowed):
    assert read_robots(text.encode(), ["rocamadrebot"]).allows(f"https://x.org{path}") is allowed


def test_a_page_that_fails_is_listed_with_its_reason_and_nothing_is_taken_for_deleted(site, tmp_path):
    site.page("/", "/slow", "/busy", "/forbidden", "/gone", "/good")
    site.pages["/busy"] = (503, {}, b"")
    site.pages["/forbidden"] = (403, {}, b"")
    site.page("/good")
    site.pages["/slow"] = lambda handler: time.sleep(1.0) or (200, {}, b"late")
    found = source(site, tmp_path, fetch=fetcher(timeout_s=0.3))
    read, failed = crawled(found)
    assert read == {"/", "/good"}
    assert sorted(failed) == ["/busy", "/forbidden", "/slow"]
    assert "403" in failed["/forbidden"]
    assert not found.complete
    assert site.paths().count("/busy") == 3


def test_when_no_seed_can_be_read_the_listing_fails(site, tmp_path):
    with pytest.raises(Unavailable, match="404"):
        crawled(source(site, tmp_path, "/nothing"))


def test_redirects_stay_in_scope(site, tmp_path):
    site.page("/", "/moved", "/out", "/loop", "/to-a")
    site.pages["/moved"] = (301, {"location": "/a"}, b"")
    site.pages["/to-a"] = (302, {"location": "/a"}, b"")
    site.pages["/out"] = (302, {"location": site.url("/x", "other.example")}, b"")
    site.pages["/loop"] = (302, {"location": "/loop"}, b"")
    site.page("/a")
    site.page("/x")
    read, failed = crawled(source(site, tmp_path))
    assert read == {"/", "/a"}
    assert list(failed) == ["/loop"]
    assert "/x" not in site.paths()


def test_kinds_of_content(site, tmp_path):
    site.page("/", "/text", "/latin", "/packed", "/bomb", "/big", "/picture.png", "/data.csv", "/script.js")
    site.pages["/text"] = (200, {"content-type": "text/plain; charset=utf-8"}, "Plain ñ".encode())
    site.pages["/latin"] = (200, {"content-type": "text/plain; charset=iso-8859-1"}, "año".encode("latin-1"))
    site.pages["/packed"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"<p>packed</p>"))
    site.pages["/bomb"] = (200, {"content-encoding": "gzip"}, gzip.compress(b"0" * 50_000_000))
    site.pages["/big"] = (200, {}, b"0" * 2_000_000)
    site.pages["/picture.png"] = (200, {"content-type": "image/png"}, b"png")
    site.pages["/data.csv"] = (200, {"content-type": "application/octet-stream"}, b"a,b")
    site.pages["/script.js"] = (200, {"content-type": "text/javascript"}, b"x")
    found = source(site, tmp_path)
    items = {re.sub(r"^http://[^/]*", "", item.id): item for item in found.listing()}
    assert sorted(path for path, item in items.items() if not item.failure) == [
        "/", "/data.csv", "/latin", "/packed", "/text",
    ]  # fmt: skip
    assert found.fetch(items["/latin"]).decode("utf-8-sig") == "año"
    assert found.fetch(items["/packed"]) == b"<p>packed</p>"
    assert "over 1000000 bytes" in items["/bomb"].failure
    assert "over 1000000 bytes" in items["/big"].failure


def test_the_rate_is_kept(site, tmp_path):
    site.page("/", *(f"/{n}" for n in range(5)))
    for n in range(5):
        site.page(f"/{n}")
    slept = []
    now = [0.0]
    found = source(site, tmp_path, crawlerLimits={"rateLimit": 30})

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    found._sleep, found._monotonic = sleep, lambda: now[0]
    assert len(crawled(found)[0]) == 6
    assert sum(slept) == pytest.approx(6 * 2.0)  # robots.txt and six pages, two seconds apart.


# -- private addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "198.18.0.1", "192.0.2.1",
        "nonsense",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(address)
    with pytest.raises(SourceFailure, match="no public address"):
        destination("http://name.example/", allow_private=False, resolver=lambda host, port: [address])


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::6810:84e5", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
        "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://localhost/", "http://LOCALHOST:80/",
        "file:///etc/passwd", "ftp://x/", "gopher://x/", "http://user@example.org/", "http:///x", "http://[::1",
    ],
)  # fmt: skip
def test_urls_that_are_never_asked(url):
    with pytest.raises(SourceFailure):
        destination(url, allow_private=False)


def test_one_private_address_among_public_ones_is_refused():
    with pytest.raises(SourceFailure, match=r"10\.0\.0\.1"):
        destination("http://x.example/", allow_private=False, resolver=lambda *_: ["8.8.8.8", "10.0.0.1"])


def test_a_private_site_is_not_crawled(site, tmp_path):
    with pytest.raises(Unavailable, match=r"knowledge\.private_addresses"):
        crawled(source(site, tmp_path, fetch=fetcher(allow_private=False)))
    assert site.asked == []


def test_a_name_that_changes_its_address_gains_nothing(site, monkeypatch):
    """DNS rebinding: the connection goes to the address that was checked, not to what the name means by then."""
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    went = []

    def connect(address, timeout=None):
        went.append(address[0])
        raise OSError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)
    asked = []

    def resolver(host, port):
        asked.append(host)
        return next(answers)

    with pytest.raises(Unreachable):
        fetcher(allow_private=False, resolver=resolver).get(site.url("/"))
    assert (went, asked) == (["93.184.215.14"], ["site.example"])


def test_a_redirect_into_the_house_is_refused(site, tmp_path, monkeypatch):
    """The first host is public by the resolver's word, though it is here; the second is not."""
    site.page("/", "/moved")
    site.pages["/moved"] = (302, {"location": site.url("/inside", "www.site.example")}, b"")
    site.page("/inside")

    def resolver(host, port):
        return ["10.0.0.7"] if host.startswith("www") else ["93.184.215.14"]

    connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, timeout=None: connect(("127.0.0.1", address[1]) if address[0] == "93.184.215.14" else address,
                                              timeout=timeout),
    )  # fmt: skip
    read, failed = crawled(
        source(site, tmp_path, scope="SUBDOMAINS", fetch=fetcher(allow_private=False, resolver=resolver))
    )
    assert read == {"/"}
    assert "no public address" in failed["/moved"]
    assert "/inside" not in site.paths()


def test_a_server_that_drips_is_left(site):
    def drip(handler):
        handler.send_response(200)
        handler.send_header("content-length", "1000")
        handler.end_headers()
        for _ in range(20):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)
        return None

    site.pages["/"] = lambda handler: drip(handler) or (200, {}, b"")
    began = time.monotonic()
    with pytest.raises(Unreachable, match="takes over"):
        fetcher(timeout_s=0.5).get(site.url("/"))
    assert time.monotonic() - began < 5


def test_links_of_a_broken_page():
    found = read_links(
        b"<a href=' /x y '>a<a href=/z><a href='//other/q'><a href><A HREF=\"?q=1&amp;r=2\">", "http://h/a"
    )
    assert found.urls == ("http://h/x y", "http://h/z", "http://other/q", "http://h/a?q=1&r=2")
