"""The main path of each page, as a person would go it."""

from __future__ import annotations

import re

import pytest

ALL = (
    "/", "/models", "/models/roca-mini", "/training", "/training/new", "/guardrails", "/jobs", "/activity",
    "/activity/calls", "/activity/requests",
)  # fmt: skip
NARROW = {"width": 390, "height": 844}
FAKE = "rocamadre.fake-v1:0"


def ask(console, text="hello"):
    message = {"role": "user", "content": [{"text": text}]}
    return console.client("bedrock-runtime").converse(modelId=FAKE, messages=[message])


def test_home_tells_what_runs_and_what_is_covered(tab, console):
    ask(console)
    tab.open("/")
    tab.settled()
    assert tab.page.inner_text("h1") == "Home"
    tab.page.get_by_role("link", name=FAKE).wait_for()
    assert tab.page.get_by_text("bedrock-runtime").is_visible()
    assert tab.page.get_by_role("img", name=re.compile(r"bedrock: \d+ full, \d+ partial, of \d+")).count() == 1


def test_home_asks_a_model(make_tab, console):
    tab = make_tab(console)
    tab.open("/")
    card = tab.page.locator(".trial").nth(0)
    card.get_by_label("Question").fill("Is this real?")
    card.get_by_role("button", name="Ask").click()
    # The first model that is no fake one answers; it is small, and what it says is its own business.
    told = card.get_by_role("status")
    tab.page.wait_for_function("document.querySelector('.told-here').innerText.includes('rocamadre.roca-mini-v1:0 · ')")
    assert "tokens" in told.inner_text()


def test_home_runs_a_batch_that_shows_among_the_jobs(tab):
    tab.open("/")
    card = tab.page.locator(".trial").nth(2)
    card.get_by_label("Questions, one per line").fill("One?\nTwo?")
    card.get_by_role("button", name="Start").click()
    tab.page.get_by_text(re.compile("has begun with 2 questions")).wait_for()
    item = tab.page.locator(".list-item").first
    item.get_by_text("Completed").wait_for(timeout=60_000)
    assert "2 of 2 records" in item.inner_text()


def test_models_are_listed_sorted_and_found(tab):
    tab.open("/models")
    tab.settled()
    names = tab.page.get_by_role("region", name="Models", exact=True).locator("tbody a")
    listed = names.all_inner_texts()
    assert {"Roca Mini", "Fake (no model)"} <= set(listed)
    tab.page.get_by_role("button", name="Name").click()
    tab.page.wait_for_url("**/models?sort=name")
    assert names.all_inner_texts() == sorted(listed, key=str.casefold)
    tab.page.get_by_role("button", name="Name").click()
    tab.page.wait_for_url("**/models?sort=name&down=1")
    tab.page.get_by_label("Search the list").fill("embedder")
    tab.page.get_by_label("Search the list").press("Enter")
    tab.page.wait_for_url("**find=embedder")
    assert names.all_inner_texts() == ["Fake embedder"]
    # The address says it all.
    again = tab.page.url.removeprefix(tab.url)
    tab.open(again)
    tab.settled()
    assert names.all_inner_texts() == ["Fake embedder"]


def test_the_line_to_pull_a_model_is_safe_in_a_shell(tab):
    tab.open("/models")
    field = tab.page.get_by_label("Folder, GGUF file")
    field.fill("owner/name; rm -rf '$HOME'")
    field.press("Enter")
    tab.page.get_by_text("The same as a command").click()
    code = tab.page.locator(".code-block pre")
    tab.page.wait_for_function("document.querySelector('.code-block pre').innerText.includes('rm')")
    assert code.inner_text() == "roca models pull 'owner/name; rm -rf '\"'\"'$HOME'\"'\"''"
    tab.page.get_by_role("button", name="Copy").click()
    tab.page.get_by_text("Copied").wait_for()
    assert tab.page.evaluate("navigator.clipboard.readText()") == code.inner_text()


def test_a_model_has_facts_and_a_card(tab):
    tab.open("/models/amazon.nova-lite-v1:0")
    tab.settled()
    assert tab.page.get_by_text("stands in for the name asked for").is_visible()
    tab.open("/models/roca-mini")
    tab.settled()
    facts = tab.page.locator(".facts").first.inner_text()
    assert "rocamadre.roca-mini-v1:0" in facts
    assert "7,344,384" in facts
    assert tab.page.locator(".prose strong", has_text="the beginning").is_visible()
    tab.page.get_by_role("link", name="All models").click()
    tab.page.wait_for_url("**/models")


def test_activity_counts_what_happens(tab, console, wait):
    tab.open("/activity?minutes=5")
    for _ in range(3):
        ask(console)
    tab.page.get_by_role("cell", name="Converse", exact=True).wait_for()
    tab.page.get_by_role("img", name=re.compile("^Requests per minute")).wait_for()
    tab.page.get_by_role("link", name="60 min").click()
    tab.page.wait_for_url("**/activity?minutes=60")


def test_calls_are_logged_found_and_opened(tab, console, wait):
    tab.open("/activity/calls")
    tab.page.get_by_role("button", name="Switch logging on").click()
    tab.page.get_by_text("No calls").wait_for()
    for number in range(30):
        ask(console, f"lily{number:02d}rose")
    s3 = console.client("s3")
    wait(lambda: s3.list_objects_v2(Bucket="model-calls").get("Contents"))

    def all_there():
        tab.open("/activity/calls?find=lily29rose")
        tab.settled()
        return tab.page.locator("tbody tr").count() == 1

    wait(all_there)
    tab.page.locator("tbody a").first.click()
    tab.page.wait_for_url("**at=*")
    tab.settled()
    assert "lily29rose" in tab.page.locator(".code-block pre").first.inner_text()
    tab.open("/activity/calls")
    tab.settled()
    first = tab.page.locator("tbody a").evaluate_all("all => all.map(each => each.href)")
    assert len(first) == 25
    tab.page.get_by_role("link", name="Older").click()
    tab.page.wait_for_url("**after=*")
    tab.settled()
    second = tab.page.locator("tbody a").evaluate_all("all => all.map(each => each.href)")
    assert len(second) == 5
    assert not set(first) & set(second)
    tab.page.get_by_role("button", name="Switch logging off").click()
    tab.page.get_by_role("button", name="Switch logging on").wait_for()


@pytest.mark.parametrize("path", ALL)
def test_a_narrow_screen_needs_no_sideways_scrolling(make_tab, console, path):
    tab = make_tab(console, viewport=NARROW)
    tab.open(path)
    tab.settled()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_keyboard_reaches_the_content_first_by_the_skip_link(tab):
    tab.open("/models")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.innerText") == "Skip to the content"
    tab.page.keyboard.press("Enter")
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.closest('main') !== null")


def test_theme_and_language_are_remembered(tab):
    tab.open("/")
    assert tab.page.evaluate("document.documentElement.lang") == "en-US"
    tab.page.get_by_role("button", name="Dark").click()
    dark = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.page.get_by_label("Language").select_option("pt")
    tab.page.get_by_role("heading", name="Início").wait_for()
    assert tab.page.evaluate("document.documentElement.lang") == "pt"
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    assert tab.page.get_by_role("button", name="Escuro").get_attribute("aria-pressed") == "true"
    tab.page.get_by_role("button", name="Claro").click()
    assert tab.page.evaluate("getComputedStyle(document.body).backgroundColor") != dark


def test_the_system_decides_on_the_theme_unless_asked(tab):
    colours = []
    for scheme in ("light", "dark"):
        tab.page.emulate_media(color_scheme=scheme)
        tab.open("/")
        colours.append(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(set(colours)) == 2


def test_an_address_that_leads_nowhere(tab):
    tab.expected.append("404")
    assert tab.open("/nowhere").status == 404
    assert tab.page.inner_text("h1") == "There is no such page"
    tab.open("/models/no-such-model")
    tab.page.get_by_role("alert").wait_for()
    assert "no-such-model" in tab.page.get_by_role("alert").inner_text()


@pytest.mark.parametrize("path", ALL)
def test_without_a_server_each_page_says_so(make_tab, lonely_console, path):
    tab = make_tab(lonely_console)
    tab.open(path)
    alert = tab.page.get_by_role("alert").first
    alert.wait_for()
    assert "The server does not answer" in alert.inner_text()
    assert "roca up" in alert.inner_text()
    alert.get_by_role("button", name="Try again").click()
    tab.page.get_by_role("alert").first.wait_for()


def test_a_card_of_the_home_page_tells_that_the_server_is_gone(make_tab, lonely_console):
    tab = make_tab(lonely_console)
    tab.open("/")
    card = tab.page.locator(".trial").nth(0)
    card.get_by_role("button", name="Ask").click()
    card.get_by_text("The server does not answer").wait_for()


def test_calls_in_a_log_group_are_found_paged_and_opened(tab, console, wait):
    logs, bedrock = console.client("logs"), console.client("bedrock")
    logs.create_log_group(logGroupName="console-calls")
    role = "arn:aws:iam::123456789012:role/logging"
    config = {"cloudWatchConfig": {"logGroupName": "console-calls", "roleArn": role}}
    bedrock.put_model_invocation_logging_configuration(loggingConfig=config)
    try:
        for number in range(27):
            ask(console, f"rose{number:02d}lily")
        wait(lambda: len(logs.filter_log_events(logGroupName="console-calls")["events"]) == 27)
        tab.open("/activity/calls")
        tab.settled()
        assert tab.page.locator("tbody tr").count() == 25
        tab.page.get_by_role("link", name="Older").click()
        tab.page.wait_for_url("**after=*")
        tab.settled()
        assert tab.page.locator("tbody tr").count() == 2
        tab.page.locator("tbody a").last.click()
        tab.page.wait_for_url("**at=*")
        tab.settled()
        assert "rose00lily" in tab.page.locator(".code-block pre").first.inner_text()
    finally:
        bedrock.delete_model_invocation_logging_configuration()
