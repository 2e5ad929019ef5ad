"""Texts of strangers are shown and never run: in the browser, wherever they can get to."""

from __future__ import annotations

import gzip
from urllib.parse import quote

import pytest

from rocamadre.testing.hostile_texts import PAYLOADS

FAKE = "rocamadre.fake-v1:0"


def printable(text: str) -> str:
    """What may stand in an input field or an address."""
    return "".join(letter if letter >= " " else " " for letter in text)


def test_there_are_enough_of_them():
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 100


def test_the_watch_sees_what_runs(make_tab, console):
    tab = make_tab(console)
    tab.page.goto("about:blank")
    tab.page.evaluate("document.body.innerHTML = '<img src=x onerror=xss(1)>'")
    tab.page.wait_for_function("window.ran.length === 1")
    tab.page.evaluate("window.ran = []")
    tab.wrong.clear()


def test_the_policy_stops_what_gets_into_the_page_all_the_same(make_tab, console):
    """The second wall: even HTML that our code let through by mistake cannot run its handlers."""
    tab = make_tab(console)
    tab.open("/")
    for html in ("<img src=x onerror=xss(1)>", "<iframe srcdoc='<script>xss(1)</script>'></iframe>"):
        tab.page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", html)
    tab.page.evaluate("const link = document.createElement('a'); link.href = 'javascript:xss(1)'; link.click();")
    tab.page.wait_for_timeout(300)
    assert any("Content Security Policy" in text for text in tab.wrong)
    tab.expected += ["Content Security Policy", "404"]


def test_a_card_of_a_model(make_tab, console):
    tab = make_tab(console)
    tab.open("/models/roca-mini")
    tab.settled()
    prose = tab.page.locator(".prose")
    assert prose.get_by_text("the beginning").is_visible()
    assert prose.locator("img, script, iframe, object, embed, form, style, svg, base, meta, link").count() == 0
    addresses = prose.locator("a").evaluate_all("all => all.map(each => each.protocol)")
    assert set(addresses) <= {"http:", "https:", "mailto:"}


def test_answers_of_a_model(make_tab, locked_console):
    """The card on the home page; the only text model there is the fake one, which repeats what it was told."""
    tab = make_tab(locked_console)
    tab.page.goto(tab.url + "/login")
    tab.page.get_by_label("Bearer key").fill(locked_console.bearer)
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.wait_for_function("window.did_handshake === true")
    card = tab.page.locator(".trial").nth(0)
    for begin in range(0, len(PAYLOADS), 40):
        asked = printable(" ".join(PAYLOADS[begin : begin + 40]))
        card.get_by_label("Question").fill(asked)
        card.get_by_role("button", name="Ask").click()
        mark = " ".join(asked.split()[:2])
        tab.page.wait_for_function(
            "mark => document.querySelector('.told-here').textContent.includes('You said: ' + mark)", arg=mark
        )


@pytest.mark.parametrize(
    "path",
    [
        "/activity/calls", "/activity/calls?at={}", "/models?find={}&sort={}", "/{}", "/guardrails/{}?view={}",
        "/guardrails/red-team?report={}",
    ],
)  # fmt: skip
def test_addresses(make_tab, console, path):
    tab = make_tab(console)
    tab.expected += ["404", "400"]
    for text in PAYLOADS[:: max(1, len(PAYLOADS) // 12)]:
        tab.page.goto(tab.url + path.format(*[quote(text, safe="")] * 2))
        tab.page.wait_for_load_state()
    tab.open("/")


def test_messages_of_errors(make_tab, console):
    tab = make_tab(console)
    tab.expected += ["404", "400"]
    shown = 0
    for text in PAYLOADS[:: max(1, len(PAYLOADS) // 25)]:
        tab.page.goto(f"{tab.url}/models/{quote(printable(text), safe='')}")
        tab.page.wait_for_function("window.did_handshake === true")
        tab.settled()
        shown += tab.page.get_by_role("alert").count()
    assert shown > 5


def test_records_of_calls(make_tab, console, record):
    """Records are objects in a bucket: whoever may write there decides what is in them."""
    s3, bedrock = console.client("s3"), console.client("bedrock")
    s3.create_bucket(Bucket="hostile-calls")
    folder = "AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2026/01/01/00"
    for place, begin in enumerate(range(0, len(PAYLOADS), 25)):
        lines = b"\n".join(map(record, PAYLOADS[begin : begin + 25]))
        s3.put_object(Bucket="hostile-calls", Key=f"{folder}/{place:04d}.json.gz", Body=gzip.compress(lines))
    s3.put_object(Bucket="hostile-calls", Key=f"{folder}/0000<img src=x onerror=xss(1)>.json.gz", Body=b"no gzip")
    s3.put_object(Bucket="hostile-calls", Key=f"{folder}/9999.json.gz", Body=gzip.compress(b"[1]\n{\nnull\n"))
    bedrock.put_model_invocation_logging_configuration(loggingConfig={"s3Config": {"bucketName": "hostile-calls"}})
    tab = make_tab(console)
    seen = 0
    try:
        tab.open("/activity/calls")
        tab.settled()
        while True:
            seen += tab.page.locator("tbody tr").count()
            tab.page.locator("tbody a").first.click()
            tab.page.wait_for_url("**at=*")
            tab.page.wait_for_function("window.did_handshake === true")
            tab.settled()
            assert tab.page.get_by_role("heading", name="What was asked").is_visible()
            tab.page.go_back()
            tab.page.wait_for_function("window.did_handshake === true")
            tab.settled()
            older = tab.page.get_by_role("link", name="Older")
            if seen >= len(PAYLOADS) or not older.count():
                break
            older.click()
            tab.page.wait_for_function("window.did_handshake === true")
            tab.settled()
    finally:
        bedrock.delete_model_invocation_logging_configuration()
    assert seen == len(PAYLOADS)
