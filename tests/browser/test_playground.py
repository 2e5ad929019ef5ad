"""The playground, as a person uses it, and with texts of strangers in every place they can get to."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from urllib.parse import parse_qs, urlsplit

import pytest

from rocamadre.cli.process import start_server, stop_server
from rocamadre.testing.hostile_texts import PAYLOADS

FAKE, MINI = "rocamadre.fake-v1:0", "rocamadre.roca-mini-v1:0"
NARROW = {"width": 390, "height": 844}
TOOL = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
SCHEMA = {"type": "object", "properties": {"fruit": {"type": "string"}}, "required": ["fruit"]}
RULES = [
    {"match": "slow", "answer": " ".join(["word"] * 400), "delay_s": 0.05},
    {"match": "rain", "tool": {"name": "weather", "input": {"city": "Sucre", "note": " ".join(PAYLOADS)}}},
    {"match": "break", "error": "model_failure", "error_after": 3, "error_message": "<img src=x onerror=xss(1)> broke"},
    {"match": "json", "answer": json.dumps({"text": PAYLOADS[:40]}), "mark": False},
]


@pytest.fixture(scope="module")
def scripted(console, tmp_path_factory):
    """A console whose fake model follows the rules above."""
    home = tmp_path_factory.mktemp("scripted") / "home"
    home.mkdir()
    (home / "rules.json").write_text(json.dumps({"rules": RULES}))
    names = {name: value for name, value in os.environ.items() if not name.startswith(("ROCA_", "AWS_"))}
    names |= {"ROCA_SERVER__PORT": "0", "ROCA_CONSOLE__PORT": "0", "ROCA_CONFIG": str(home / "none.toml")}
    names |= {"ROCA_CATALOG__FAKE_RULES": str(home / "rules.json")}
    server = start_server(home, names)
    yield dataclasses.replace(console, url=server.console, server=server.address, home=home)
    stop_server(home, server)


@pytest.fixture
def desk(make_tab, scripted):
    """`desk(query)`: the playground of the scripted console, ready to write to; with the fake model if none is said."""

    def open_(query: str = f"models={FAKE}", console=scripted, **options):
        tab = make_tab(console, **options)
        tab.open(f"/playground?{query}")
        tab.page.wait_for_selector("#composer")
        tab.settled()
        return tab

    return open_


def send(tab, text: str) -> None:
    """Write and send, and wait until all have answered."""
    before = tab.page.locator(".exchange").count()
    tab.page.fill("#composer", text)
    tab.page.press("#composer", "Enter")
    if before and "mode=prompt" not in tab.page.url:
        tab.page.wait_for_function("before => document.querySelectorAll('.exchange').length > before", arg=before)
    answered(tab)


def answered(tab) -> None:
    tab.page.wait_for_function(
        "!document.getElementById('composer').dataset.busy && !document.querySelector('.live')"
        " && document.querySelector('.turn-foot')"
    )


def query(tab) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(tab.page.url).query).items()}


def rows(scripted, key: str):
    body = scripted.client("s3").get_object(Bucket="rocamadre-feedback", Key=key)["Body"].read()
    return [json.loads(line) for line in body.splitlines()]


def test_a_conversation(desk):
    tab = desk()
    field = tab.page.locator("#composer")
    field.fill("first")
    field.press("Shift+Enter")
    field.type("second")
    field.press("Enter")
    answered(tab)
    assert tab.page.locator(".question").inner_text() == "first\nsecond"
    assert field.input_value() == ""
    send(tab, "and **again**")
    said = tab.page.locator(".said").nth(1)
    assert said.inner_text() == "[fake] You said: and again"
    assert said.locator("strong").inner_text() == "again"
    assert re.search(r"first token after .* · .* tokens/s · \d+ tokens in, \d+ out", tab.page.inner_text(".turn-foot"))
    # Only the last answer can be asked for again.
    assert tab.page.get_by_role("button", name="Answer again").count() == 1
    tab.page.get_by_role("button", name="Answer again").click()
    answered(tab)
    assert tab.page.locator(".exchange").count() == 2
    tab.page.get_by_role("button", name="Copy the answer").first.click()
    tab.page.wait_for_selector("[data-action=copy].done")
    assert tab.page.evaluate("navigator.clipboard.readText()").startswith("[fake] You said: first")
    tab.page.get_by_role("button", name="Start over").click()
    tab.page.get_by_role("heading", name="Ask a model something").wait_for()
    tab.page.get_by_role("button", name="What is a language model?").click()
    tab.page.get_by_text("You said: What is a language model?").wait_for()


def test_escape_stops_and_what_is_being_written_stays(desk):
    tab = desk()
    tab.page.fill("#composer", "a slow one")
    tab.page.press("#composer", "Enter")
    tab.page.wait_for_function("(document.querySelector('.live')?.innerText ?? '').split('word').length > 5")
    tab.page.type("#composer", "next question")
    tab.page.press("#composer", "Enter")
    tab.page.keyboard.press("Escape")
    answered(tab)
    assert "stopped" in tab.page.inner_text(".turn-foot")
    assert 5 < tab.page.inner_text(".said").count("word") < 400
    assert tab.page.input_value("#composer") == "next question"
    tab.page.press("#composer", "Enter")
    tab.page.get_by_text("You said: next question").wait_for()


def test_models_side_by_side(desk):
    tab = desk(f"models={MINI},{FAKE}&max_tokens=8&temperature=0")
    assert tab.page.locator(".lane").count() == 2
    tab.page.get_by_role("button", name="Compare").click()
    tab.page.wait_for_function("document.querySelectorAll('.lane').length === 3")
    assert tab.page.get_by_role("button", name="Compare").is_disabled()
    tab.page.locator(".lane-model select").nth(2).select_option(FAKE)
    tab.page.wait_for_function("location.search.split('fake-v1').length === 3")
    send(tab, "hello")
    assert tab.page.locator(".lane .turn-foot").count() == 3
    assert tab.page.get_by_text("[fake] You said: hello").count() == 2
    tab.page.get_by_role("button", name="Remove this model").first.click()
    tab.page.wait_for_function("document.querySelectorAll('.lane').length === 2")
    tab.page.wait_for_function("!location.search.includes('roca-mini')")
    assert query(tab)["models"] == f"{FAKE},{FAKE}"
    # A model that is added takes the conversation over.
    tab.page.get_by_role("button", name="Compare").click()
    tab.page.wait_for_function("document.querySelectorAll('.lane .turn-foot').length === 3")


def test_the_address_holds_the_settings_and_never_a_prompt(desk):
    tab = desk(f"models={FAKE}&temperature=0.25&top_k=7&seed=11&stop=END&max_tokens=99999&mode=nothing")
    page = tab.page
    assert page.get_by_label("Temperature").nth(1).input_value() == "0.25"
    assert page.get_by_label("Most tokens").nth(1).input_value() == "4096"
    assert page.get_by_label("Seed").input_value() == "11"
    page.get_by_label("Top-p").nth(0).fill("0.5")
    page.get_by_label("How the model should behave").fill("secret system")
    page.wait_for_function("location.search.includes('top_p=0.5')")
    send(tab, "secret prompt")
    assert "(seed 11)" in page.inner_text(".said")
    expected = {"models": FAKE, "temperature": "0.25", "top_k": "7", "seed": "11", "stop": "END", "top_p": "0.5"}
    assert query(tab) == {**expected, "max_tokens": "4096"}
    page.reload()
    page.wait_for_selector("#composer")
    assert page.get_by_label("Top-p").nth(1).input_value() == "0.5"


def test_the_distribution_follows_the_sliders(desk):
    tab = desk(f"models={MINI}")
    tab.page.fill("#composer", "What is a rock?")
    chances = tab.page.get_by_role("list", name="What could come next")
    chances.get_by_text("%").first.wait_for()
    assert tab.page.locator(".chance.removed").count() == 0
    tab.page.get_by_label("Top-k").nth(0).fill("1")
    tab.page.get_by_text("1 of the 20 likeliest").wait_for()
    assert "→ 100.0 %" in chances.inner_text()
    assert "top-k" in chances.inner_text()
    tab.page.get_by_label("Top-k").nth(0).fill("0")
    tab.page.get_by_label("Temperature").nth(0).fill("0")
    tab.page.get_by_text("temperature 0").first.wait_for()


def test_tokens_are_looked_at_and_changed(desk):
    tab = desk(f"mode=prompt&models={MINI}&max_tokens=6&seed=3&temperature=0")
    send(tab, "El gato")
    pieces = tab.page.locator(".token")
    pieces.first.wait_for()
    said = tab.page.inner_text(".said")
    assert "".join(pieces.all_text_contents()) == tab.page.locator(".said").text_content()
    detail = tab.page.locator(".token-detail")
    pieces.first.focus()
    tab.page.keyboard.press("ArrowRight")
    assert pieces.nth(1).evaluate("each => each === document.activeElement")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector(".token[aria-pressed=true]")
    assert re.search(r"Number\s+\d+\s+Probability\s+[\d.<]+ ?[\d.]* %\s+Rank\s+1\b", detail.inner_text())
    other = detail.get_by_role("button", name=re.compile("^Put .* here and go on$")).first
    piece = other.inner_text().replace("␣", " ")
    kept = pieces.first.text_content()
    other.click()
    tab.page.get_by_text("you chose a token").wait_for()
    answered(tab)
    changed = tab.page.locator(".said").text_content()
    assert changed.startswith(kept + piece)
    assert changed != said


def test_tokens_of_an_answer_in_a_conversation(desk):
    tab = desk()
    send(tab, "hello there")
    tab.page.get_by_role("button", name="Show its tokens").click()
    tab.page.locator(".token", has_text="there").hover()
    detail = tab.page.locator(".token-detail")
    detail.locator("dd", has_text="there").wait_for()
    detail.get_by_role("button", name=re.compile("fake2 here")).click()
    tab.page.get_by_text("you chose a token").wait_for()
    assert "hello fake2" in tab.page.inner_text(".said")
    tab.page.locator(".token", has_text="fake2").first.wait_for()


def test_the_program_is_shown_and_copied(desk):
    tab = desk()
    send(tab, "It's a rock")
    tab.page.get_by_role("button", name="View code").click()
    dialog = tab.page.get_by_role("dialog")
    for language, words in (("boto3", "converse_stream"), ("OpenAI", "chat.completions"), ("curl", "curl -sS")):
        dialog.get_by_role("button", name=language, exact=True).click()
        dialog.get_by_text(words).first.wait_for()
    dialog.get_by_role("button", name="Copy").click()
    dialog.get_by_text("Copied").wait_for()
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert copied == dialog.locator("pre").text_content()
    assert "rock" in copied
    tab.page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")


def test_tools_are_called_and_answered(desk):
    tab = desk()
    tab.page.get_by_text("Tools", exact=True).click()
    field = tab.page.get_by_label("Tools as JSON (toolSpec)")
    field.fill('[{"toolSpec": ')
    tab.page.get_by_text("These tools cannot be read").wait_for()
    assert field.get_attribute("aria-invalid") == "true"
    tab.page.fill("#composer", "Will it rain?")
    tab.page.press("#composer", "Enter")
    tab.page.get_by_text("nothing was sent").wait_for()
    assert tab.page.input_value("#composer") == "Will it rain?"
    field.fill(json.dumps([TOOL]))
    tab.page.wait_for_function("!document.querySelector('textarea[aria-invalid=true]')")
    send(tab, "Will it rain?")
    call = tab.page.locator(".tool-call")
    assert '"city": "Sucre"' in call.locator("pre").inner_text()
    call.get_by_label("Its result").fill('{"wet": false}')
    call.get_by_role("button", name="Send the result").click()
    tab.page.wait_for_function("document.querySelectorAll('.exchange').length === 2")
    answered(tab)
    assert '{"wet": false}' in tab.page.locator(".tool-result").inner_text()
    assert "wet" in tab.page.locator(".said").last.inner_text()


def test_a_schema_is_followed_and_its_faults_are_said_where_they_are(desk):
    tab = desk()
    tab.page.get_by_text("Form of the answer", exact=True).click()
    field = tab.page.get_by_label("JSON Schema that the answer follows")
    field.fill(json.dumps(SCHEMA))
    send(tab, "A fruit")
    assert '"fruit":' in tab.page.locator(".said code").inner_text()
    field.fill(json.dumps({**SCHEMA, "$dynamicRef": "x"}))
    send(tab, "A fruit")
    tab.page.locator("#wrong-schema", has_text="$dynamicRef").wait_for()
    tab.page.locator(".turn-failed", has_text="$dynamicRef").wait_for()


def test_documents_go_with_a_question(desk):
    tab = desk()
    files = tab.page.locator("input[type=file]")
    files.set_input_files([{"name": "a <b>.md", "mimeType": "text/markdown", "buffer": b"It stands on a hill."}])
    tab.page.locator(".chip", has_text="a <b>.md").wait_for()
    files.set_input_files([{"name": "x.exe", "mimeType": "text/plain", "buffer": b"x"}])
    tab.page.get_by_text("Only files of these formats").wait_for()
    files.set_input_files([{"name": "large.txt", "mimeType": "text/plain", "buffer": b"x" * 4_718_593}])
    assert tab.page.locator(".chip").count() == 1
    send(tab, "Where?")
    assert "It stands on a hill." in tab.page.inner_text(".said")
    assert tab.page.locator(".question .chip").count() == 1
    assert tab.page.locator(".composer .chip").count() == 0
    tab.page.get_by_role("button", name="Show its tokens").click()
    tab.page.get_by_text("nothing but text").wait_for()


def test_ratings_and_rows_are_kept_in_the_bucket_of_the_account(desk, scripted):
    tab = desk()
    send(tab, "hello")
    tab.page.get_by_role("button", name="Bad answer").click()
    told = tab.page.get_by_text(re.compile("Kept in s3://"))
    told.wait_for()
    key = told.inner_text().removeprefix("Kept in s3://rocamadre-feedback/").removesuffix(".")
    assert [(row["rating"], row["reason"]) for row in rows(scripted, key)] == [("down", "")]
    tab.page.get_by_label("Why?").fill("it only repeats")
    tab.page.get_by_role("button", name="Keep the reason").click()
    tab.page.get_by_label("Why?").wait_for(state="detached")
    tab.page.get_by_text(re.compile("Kept in s3://")).wait_for()
    (row,) = rows(scripted, key)
    assert (row["reason"], row["model"]) == ("it only repeats", FAKE)
    assert row["messages"][1]["content"] == [{"text": "[fake] You said: hello"}]
    tab.page.get_by_role("button", name="Bad answer").click()
    tab.page.get_by_text("The rating was deleted.").wait_for()
    assert "Contents" not in scripted.client("s3").list_objects_v2(Bucket="rocamadre-feedback", Prefix="ratings/")
    for count in (1, 2):
        tab.page.get_by_role("button", name="Save the conversation").click()
        tab.page.get_by_text(f"Row {count} of s3://").wait_for()
    assert len(rows(scripted, "datasets/playground.jsonl")) == 2


def test_what_goes_wrong_is_said_beside_what_had_come(desk):
    tab = desk(f"models={FAKE},no.such-model")
    send(tab, "please break")
    first, second = tab.page.locator(".lane").all()
    assert "[fake]" in first.locator(".said").inner_text()
    assert "<img src=x onerror=xss(1)> broke" in first.get_by_role("alert").inner_text()
    assert "no.such-model" in second.get_by_role("alert").inner_text()
    # The conversation goes on.
    second.locator(".lane-model select").select_option(FAKE)
    send(tab, "hello")
    assert tab.page.get_by_text("You said: ").count() >= 2


def test_a_long_conversation_stays_light(desk):
    tab = desk()
    for number in range(12):
        send(tab, f"question {number}")
    past = tab.page.locator(".exchange").first
    assert past.evaluate("each => each.querySelectorAll('[id^=c]').length") <= 6
    assert tab.page.locator(".exchange").count() == 12
    bottom = "document.documentElement.scrollHeight - document.documentElement.scrollTop - innerHeight"
    assert tab.page.evaluate(bottom) < 200


def test_narrow_pages_hide_the_settings_until_they_are_wanted(desk):
    tab = desk(f"models={FAKE},{FAKE}", viewport=NARROW)
    send(tab, "hello " * 40 + "x" * 300)
    tab.page.locator(".lane").first.get_by_role("button", name="Show its tokens").click()
    tab.page.locator(".token").first.wait_for()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    switch = tab.page.get_by_role("button", name="Settings")
    assert not tab.page.locator(".settings").is_visible()
    switch.click()
    tab.page.locator(".settings").wait_for()
    assert switch.get_attribute("aria-expanded") == "true"
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_texts_of_strangers_only_ever_stand_there(desk):
    tab = desk()
    tab.page.get_by_text("Tools", exact=True).click()
    tab.page.get_by_label("Tools as JSON (toolSpec)").fill(json.dumps([TOOL]))
    for begin in range(0, len(PAYLOADS), 60):
        send(tab, "\n\n".join(PAYLOADS[begin : begin + 60]))
    send(tab, "as json")
    send(tab, "Will it rain?")
    harm = "img, script, iframe, object, embed, form, style, svg:not(.icon svg), base, meta, link"
    assert tab.page.locator(".turns").locator(harm).count() == 0
    addresses = tab.page.locator(".turns a").evaluate_all("all => all.map(each => each.protocol)")
    assert set(addresses) <= {"http:", "https:", "mailto:"}
    name = "<img src=x onerror=xss(1)>'\"`${xss(1)}.md"
    tab.page.locator("input[type=file]").set_input_files([{"name": name, "mimeType": "text/plain", "buffer": b"x"}])
    tab.page.locator(".composer .chip").wait_for()
    tab.page.get_by_role("button", name="View code").click()
    tab.page.get_by_role("dialog").get_by_text("converse_stream").first.wait_for()


def test_tokens_of_strangers_only_ever_stand_there(desk):
    tab = desk(f"mode=prompt&models={FAKE}&max_tokens=400")
    for begin in range(0, len(PAYLOADS), 60):
        send(tab, " ".join(PAYLOADS[begin : begin + 60]))
        tab.page.locator(".token").nth(5).click()
        tab.page.locator(".token-detail .alternatives li").first.wait_for()
    assert tab.page.locator(".turns").locator("img, script, iframe, object, form, style").count() == 0


@pytest.mark.parametrize("text", PAYLOADS[:: max(1, len(PAYLOADS) // 8)])
def test_addresses_of_strangers(make_tab, scripted, text):
    from urllib.parse import quote

    tab = make_tab(scripted)
    given = quote(text, safe="")
    tab.open(f"/playground?models={given}&mode={given}&stop={given}&seed={given}&temperature={given}")
    tab.page.wait_for_selector("#composer")


@pytest.mark.parametrize(("theme", "viewport"), [("light", {"width": 1280, "height": 900}), ("dark", NARROW)])
def test_nothing_serious_for_people_who_cannot_see_or_point(desk, theme, viewport):
    from axe_playwright_python.sync_playwright import Axe

    tab = desk(f"models={FAKE},{FAKE}", theme=theme, viewport=viewport)

    def faults():
        found = Axe().run(tab.page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        return [(each["id"], [node["target"] for node in each["nodes"][:3]]) for each in serious]

    assert faults() == []
    send(tab, "hello")
    tab.page.get_by_role("button", name="Show its tokens").first.click()
    tab.page.locator(".token").first.wait_for()
    tab.page.get_by_role("button", name="Good answer").first.click()
    tab.page.get_by_text(re.compile("Kept in s3://")).wait_for()
    assert faults() == []
    tab.page.get_by_role("button", name="View code").click()
    tab.page.get_by_role("dialog").wait_for()
    assert faults() == []


def test_without_a_server_it_says_so(make_tab, lonely_console):
    tab = make_tab(lonely_console)
    tab.open("/playground")
    alert = tab.page.get_by_role("alert").first
    alert.wait_for()
    assert "The server does not answer" in alert.inner_text()


@pytest.mark.parametrize("kind", ["pair", "bearer"])
def test_with_a_key_answers_come_and_ratings_are_kept(make_tab, locked_console, kind):
    tab = make_tab(locked_console)
    tab.open("/login")
    if kind == "pair":
        tab.page.get_by_label("Access key").fill(locked_console.access_key)
        tab.page.get_by_label("Secret key").fill(locked_console.secret_key)
    else:
        tab.page.get_by_label("Bearer key").fill(locked_console.bearer)
    tab.page.get_by_role("button", name="Log in").click()
    tab.page.get_by_role("heading", name="Home").wait_for()
    tab.open(f"/playground?models={FAKE}")
    tab.page.wait_for_selector("#composer")
    send(tab, "hello")
    assert tab.page.inner_text(".said") == "[fake] You said: hello"
    tab.page.get_by_role("button", name="Show its tokens").click()
    tab.page.locator(".token").first.wait_for()
    tab.page.get_by_role("button", name="Good answer").click()
    tab.page.get_by_text(re.compile("Kept in s3://")).wait_for()
    tab.page.get_by_role("button", name="View code").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_text("AWS_ACCESS_KEY_ID").first.wait_for()
    shown = dialog.inner_text()
    assert locked_console.access_key not in shown
    assert locked_console.bearer not in shown
