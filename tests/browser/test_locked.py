"""A console that wants a key: who gets in, what the cookie is, what stays out."""

from __future__ import annotations

import http.client
from urllib.parse import urlencode, urlsplit

import pytest

HEADERS = {"Content-Type": "application/x-www-form-urlencoded"}


def request(console, method, path, *, headers=None, body=None):
    """One request as a program makes it; returns status and headers."""
    parts = urlsplit(console.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.request(method, path, body, {"Host": parts.netloc, **(headers or {})})
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def post(console, path, cookie="", **form):
    headers = HEADERS | {"Origin": console.url} | ({"Cookie": cookie} if cookie else {})
    return request(console, "POST", path, headers=headers, body=urlencode(form))


@pytest.fixture
def cookie(locked_console):
    status, headers = post(locked_console, "/login", bearer=locked_console.bearer)
    assert status == 303
    return headers["set-cookie"].partition(";")[0]


def test_a_person_logs_in_and_out(make_tab, locked_console):
    tab = make_tab(locked_console)
    tab.expected.append("403")
    tab.open("/models")
    assert tab.page.url.endswith("/login")
    tab.page.get_by_label("Access key").fill(locked_console.access_key)
    tab.page.get_by_label("Secret key").fill("wrong")
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.get_by_role("alert").wait_for()
    tab.page.get_by_label("Access key").fill(locked_console.access_key)
    tab.page.get_by_label("Secret key").fill(locked_console.secret_key)
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.get_by_role("heading", name="Home").wait_for()
    tab.settled()
    assert tab.page.get_by_text("bedrock-runtime").is_visible()
    tab.open("/models")
    tab.settled()
    assert tab.page.get_by_role("alert").count() == 0
    found = next(each for each in tab.page.context.cookies() if each["name"] == "roca_console")
    assert (found["httpOnly"], found["sameSite"]) == (True, "Strict")
    tab.page.get_by_role("button", name="Log out").click()
    tab.page.wait_for_url("**/login")
    tab.page.context.add_cookies([found])
    tab.page.goto(tab.url + "/")
    assert tab.page.url.endswith("/login")


def test_the_bearer_key_lets_in(locked_console, cookie):
    status, headers = request(locked_console, "GET", "/", headers={"Cookie": cookie})
    assert status == 200
    assert "nonce-" in headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/models", "/activity/calls", "/nowhere", "/loginx", "/staticx"])
def test_pages_lead_to_the_login(locked_console, path):
    status, headers = request(locked_console, "GET", path)
    assert (status, headers["location"]) == (303, "/login")


@pytest.mark.parametrize("path", ["/_nicegui_ws/socket.io/?EIO=4&transport=polling", "/_nicegui/x", "/logout"])
def test_everything_else_is_refused(locked_console, path):
    status, _ = request(
        locked_console, "GET" if path != "/logout" else "POST", path, headers={"Origin": locked_console.url}
    )
    assert status == 401


@pytest.mark.parametrize("value", ["", "x", "x.y", "a." + "0" * 64, ".", "a.b.c", "é.x"])
def test_forged_cookies_are_no_use(locked_console, value):
    status, headers = request(locked_console, "GET", "/", headers={"Cookie": f"roca_console={value}".encode()})
    assert (status, headers["location"]) == (303, "/login")


def test_a_cookie_ends_with_the_log_out(locked_console, cookie):
    status, _ = post(locked_console, "/logout", cookie)
    assert status == 303
    assert request(locked_console, "GET", "/", headers={"Cookie": cookie})[0] == 303


UPGRADE = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip
SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


def test_websockets_need_a_cookie_and_our_origin(locked_console, cookie):
    ours = {"Origin": locked_console.url}
    assert request(locked_console, "GET", SOCKET, headers=UPGRADE | ours)[0] == 403
    assert request(locked_console, "GET", SOCKET, headers=UPGRADE | {"Cookie": cookie})[0] == 403
    foreign = {"Origin": "http://evil.example", "Cookie": cookie}
    assert request(locked_console, "GET", SOCKET, headers=UPGRADE | foreign)[0] == 403


def test_websockets_of_an_open_console_need_our_origin_too(console):
    assert request(console, "GET", SOCKET, headers=UPGRADE)[0] == 403
    assert request(console, "GET", SOCKET, headers=UPGRADE | {"Origin": "null"})[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:4600"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_foreign_pages_and_names_are_refused(console, headers):
    assert request(console, "GET", "/", headers=headers)[0] == 403


def test_what_changes_something_must_say_where_it_comes_from(locked_console):
    body = urlencode({"bearer": locked_console.bearer})
    assert request(locked_console, "POST", "/login", headers=HEADERS, body=body)[0] == 403
    assert (
        request(locked_console, "POST", "/login", headers=HEADERS | {"Origin": "http://evil.example"}, body=body)[0]
        == 403
    )


def test_answers_say_what_browsers_must_not_do(console):
    nonces = set()
    for path in ("/", "/", "/nowhere"):
        _, headers = request(console, "GET", path, headers={"X-Forwarded-Prefix": "/evil"})
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        scripts = policy.partition("script-src ")[2].partition(";")[0].split()
        assert "'unsafe-inline'" not in scripts
        nonces |= {each for each in scripts if each.startswith("'nonce-")}
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
    assert len(nonces) == 3


def test_logins_are_limited(locked_console):
    """Last of all: this address may not log in any more for a minute."""
    codes = [post(locked_console, "/login", bearer=f"wrong{number}")[0] for number in range(7)]
    assert codes[0] == 403
    assert codes[-1] == 429
    assert post(locked_console, "/login", bearer=locked_console.bearer)[0] == 429
