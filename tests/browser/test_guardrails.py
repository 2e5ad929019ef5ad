"""Guardrails: made, tried on texts and on a model's stream, changed, numbered, deleted; red-team reports."""

from __future__ import annotations

import json

import pytest

from rocamadre.guardrails.redteam.keeping import BUCKET
from rocamadre.testing.hostile_texts import PAYLOADS

pytestmark = pytest.mark.timeout(180)
MAIL = "ana.ruiz@example.org"
REFUSED = "Not with me."
SETTINGS = {
    "wordPolicyConfig": {"wordsConfig": [{"text": "Project Heron"}]},
    "sensitiveInformationPolicyConfig": {
        "piiEntitiesConfig": [{"type": "EMAIL", "action": "ANONYMIZE"}],
        "regexesConfig": [{"name": "invoice", "pattern": r"INV-\d{6}", "action": "ANONYMIZE"}],
    },
    "blockedInputMessaging": REFUSED,
    "blockedOutputsMessaging": "Nor that.",
}


@pytest.fixture(scope="module")
def guardrail(console):
    """A guardrail with a version."""
    bedrock = console.client("bedrock")
    made = bedrock.create_guardrail(name="harbour", **SETTINGS)["guardrailId"]
    bedrock.create_guardrail_version(guardrailIdentifier=made)
    return made


@pytest.fixture(scope="module")
def report():
    """A report as `roca redteam` writes it, whose every text is a stranger's."""
    hostile = " ".join(PAYLOADS)
    rate = {"passed": 1, "of": 2, "rate": 0.5, "interval_95": [0.1, 0.9], "outcomes": {"held": 1, "escaped": 1}}
    attempt = {
        "probe": "p", "condition": "guarded", "outcome": "escaped", "family": "leakage", "language": "en",
        "technique": hostile, "evidence": hostile, "attack": hostile, "answer": hostile,
    }  # fmt: skip
    return {
        "target": PAYLOADS[0], "guardrail": PAYLOADS[1], "made_at": "2026-11-21T10:00:00+00:00", "probes": 1,
        "attempts_due": 2, "attempts_made": 2, "escaped": ["p"], "attempts": [attempt],
        "families": {"leakage": {"plain": rate, "guarded": rate}, PAYLOADS[2]: {"plain": rate},
                     "ability": {"plain": rate | {"rate": 0.25}}},
        "languages": {"en": {"plain": rate}}, "owasp": {"LLM01": {"title": PAYLOADS[3], "plain": rate}},
    }  # fmt: skip


def typed(field, text):
    field.fill(text)
    field.press("Tab")


def test_one_is_made_and_tried(tab, console):
    page = tab.page
    tab.open("/guardrails")
    tab.settled()
    page.get_by_role("link", name="Begin: A blank one").click()
    page.wait_for_url("**/guardrails/new*")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("Give it a name.").wait_for()
    assert page.get_by_text("Nothing is looked for yet").is_visible()
    typed(page.get_by_label("Name", exact=True), "quay")
    typed(page.get_by_role("textbox", name="Words and phrases"), "Project Heron\nblue book")
    page.get_by_label("Add a type").select_option("EMAIL")
    page.get_by_role("button", name="Take away: E-mail").wait_for()
    page.locator(".wizard-code pre", has_text="EMAIL").wait_for()
    page.locator(".wizard-code pre", has_text="blue book").wait_for()
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url(lambda url: "/guardrails/" in url and "new" not in url)
    page.wait_for_function("window.did_handshake === true")
    tab.settled()
    typed(page.get_by_role("textbox", name="Text", exact=True), f"Write to {MAIL}, and to {MAIL} again.")
    page.get_by_role("button", name="Check").click()
    page.locator("mark").nth(1).wait_for()
    assert page.locator("mark").all_inner_texts() == [f"{MAIL}E-mail"] * 2
    assert page.get_by_text("Write to {EMAIL}, and to {EMAIL} again.", exact=True).is_visible()
    assert page.locator("tbody tr", has_text=MAIL).get_by_text("masked").is_visible()
    page.get_by_role("textbox", name="Text", exact=True).fill("The blue book is out.")
    page.get_by_role("textbox", name="Text", exact=True).press("Control+Enter")
    page.locator("mark", has_text="blue book").wait_for()
    assert page.locator("tbody tr", has_text="blue book").get_by_text("blocked").is_visible()
    assert page.get_by_text("Sorry, I cannot help with that.").is_visible()
    kept = console.client("bedrock").list_guardrails()["guardrails"]
    assert "quay" in {each["name"] for each in kept}


def test_what_is_looked_for_and_not_found_is_told_too(tab, guardrail):
    tab.open(f"/guardrails/{guardrail}?version=1&source=OUTPUT")
    tab.settled()
    typed(tab.page.get_by_role("textbox", name="Text", exact=True), "Nothing to see.")
    tab.page.get_by_role("button", name="Check").click()
    tab.page.get_by_text("Let through").wait_for()
    tab.page.get_by_text("Looked for and not found").click()
    assert tab.page.locator("tbody tr", has_text="E-mail").get_by_text("not found").is_visible()


def test_an_answer_is_masked_while_it_streams(tab, guardrail):
    page = tab.page
    for mode in ("sync", "async"):
        tab.open(f"/guardrails/{guardrail}?view=stream&model=rocamadre.fake-v1:0&mode={mode}")
        tab.settled()
        typed(page.get_by_role("textbox", name="Prompt", exact=True), f"Number INV-123456 for {MAIL}.")
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name="What the guardrail did").wait_for()
        assert page.locator("mark", has_text=MAIL).count() >= 1
        assert page.locator("tbody tr", has_text="INV-123456").count() >= 1
        if mode == "sync":
            assert MAIL not in page.locator(".told-here").first.inner_text()
    typed(page.get_by_role("textbox", name="Prompt", exact=True), "What is Project Heron?")
    page.get_by_role("button", name="Send").click()
    page.locator(".told-here", has_text=REFUSED).wait_for()
    page.get_by_text("guardrail_intervened").wait_for()


def test_a_conversation_goes_through_one(tab, guardrail):
    page = tab.page
    tab.open("/playground?models=rocamadre.fake-v1:0")
    tab.settled()
    page.locator("summary", has_text="Guardrail").click()
    page.get_by_role("combobox", name="Guardrail").select_option(f"{guardrail}:1")
    composer = page.locator(".composer textarea")
    composer.fill(f"Write to {MAIL}")
    composer.press("Enter")
    page.locator("summary", has_text="What the guardrail did").click()
    assert page.locator(".area-guardrail tbody tr", has_text=MAIL).first.is_visible()
    assert "{EMAIL}" in page.locator(".said").first.inner_text()
    page.get_by_role("button", name="View code").click()
    page.locator("dialog pre", has_text=f'"guardrailIdentifier": "{guardrail}"').wait_for()


def test_a_draft_is_changed_numbered_and_deleted(tab, console):
    bedrock, page = console.client("bedrock"), tab.page
    made = bedrock.create_guardrail(name="short-lived", **SETTINGS)["guardrailId"]
    tab.open(f"/guardrails/{made}?view=policies")
    tab.settled()
    page.get_by_role("button", name="Add a topic").click()
    typed(page.get_by_role("textbox", name="Topic", exact=True), "Tulips")
    typed(page.get_by_role("textbox", name="Definition", exact=True), "Anything about tulips.")
    page.get_by_role("button", name="Take away: E-mail").click()
    page.get_by_text("Changed, not saved yet").wait_for()
    page.locator(".wizard-code pre", has_text="Tulips").wait_for()
    page.get_by_role("button", name="Save the draft").click()
    page.get_by_text("Saved. The draft does this from now on.").wait_for()
    told = bedrock.get_guardrail(guardrailIdentifier=made)
    assert told["topicPolicy"]["topics"][0]["name"] == "Tulips"
    assert "piiEntities" not in told["sensitiveInformationPolicy"]
    assert told["sensitiveInformationPolicy"]["regexes"][0]["name"] == "invoice"
    tab.open(f"/guardrails/{made}?view=versions")
    tab.settled()
    typed(page.get_by_role("textbox", name="Description", exact=True), "the first")
    page.get_by_role("button", name="Make the version").click()
    page.locator("tbody tr", has_text="the first").wait_for()
    page.wait_for_function("window.did_handshake === true")
    tab.settled()
    page.locator(".region > details > summary, .section > details > summary", has_text="Delete").last.click()
    page.get_by_role("button", name="Delete short-lived").click()
    page.wait_for_url("**/guardrails")
    assert made not in {each["id"] for each in bedrock.list_guardrails()["guardrails"]}


def test_what_the_server_refuses_is_told_in_its_words(tab, guardrail):
    tab.expected += ["404", "400"]
    tab.open("/guardrails/nosuchguardrail")
    tab.settled()
    assert tab.page.get_by_role("alert").is_visible()
    tab.open(f"/guardrails/{guardrail}?view=policies")
    tab.settled()
    typed(tab.page.get_by_role("textbox", name="Expression", exact=True), "(unclosed")
    tab.page.get_by_role("button", name="Save the draft").click()
    tab.page.get_by_role("alert").get_by_text("unclosed").wait_for()


def test_a_server_that_is_gone(make_tab, lonely_console):
    for path in ("/guardrails", "/guardrails/abc", "/guardrails/red-team"):
        tab = make_tab(lonely_console)
        tab.open(path)
        tab.page.get_by_text("The server does not answer").wait_for()


def test_reports_are_kept_and_shown(tab, console, report, tmp_path):
    page = tab.page
    tab.open("/guardrails/red-team")
    tab.settled()
    page.get_by_text("roca redteam ").first.wait_for()
    (tmp_path / "wrong.json").write_text("[1]")
    page.locator("input[type=file]").set_input_files([tmp_path / "wrong.json"])
    page.get_by_role("alert").get_by_text("wrong.json").wait_for()
    (tmp_path / "report.json").write_text(json.dumps(report))
    page.locator("input[type=file]").set_input_files([tmp_path / "report.json"])
    page.wait_for_url("**report=2026*")
    page.wait_for_function("window.did_handshake === true")
    tab.settled()
    assert page.locator("tbody tr", has_text="Leak of the system prompt").first.is_visible()
    assert page.get_by_text("The model followed 1 of 2 plain orders").is_visible()
    for fold in page.locator("details").all():
        fold.locator("summary").click()
    assert page.locator("pre", has_text="onerror").first.is_visible()
    assert len(console.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]) == 1


def test_texts_of_strangers_are_shown_and_never_run(tab, console):
    bedrock = console.client("bedrock")
    words = list(dict.fromkeys(text.strip()[:100] for text in PAYLOADS if text.strip()))
    made = bedrock.create_guardrail(
        name="hostile",
        description=PAYLOADS[0][:200],
        wordPolicyConfig={"wordsConfig": [{"text": text} for text in words]},
        sensitiveInformationPolicyConfig={
            "regexesConfig": [{"name": text[:100], "pattern": "onerror", "action": "BLOCK"} for text in PAYLOADS[:9]]
        },
        blockedInputMessaging=PAYLOADS[4][:500],
        blockedOutputsMessaging=PAYLOADS[5][:500],
    )["guardrailId"]
    tab.open("/guardrails")
    tab.settled()
    for view in ("try", "policies", "versions"):
        tab.open(f"/guardrails/{made}?view={view}")
        tab.settled()
    tab.open(f"/guardrails/{made}")
    tab.settled()
    typed(tab.page.get_by_role("textbox", name="Text", exact=True), " ".join(PAYLOADS))
    tab.page.get_by_role("button", name="Check").click()
    tab.page.locator("mark").first.wait_for()
    assert tab.page.locator("tbody tr").count() > 20


def test_no_page_has_a_serious_fault(make_tab, console, guardrail, report):
    from axe_playwright_python.sync_playwright import Axe

    body = json.dumps(report).encode()
    s3 = console.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="axe.json", Body=body)
    here = f"/guardrails/{guardrail}"
    views = [f"{here}?{query}" for query in ("example=personal", "view=stream", "view=policies", "view=versions")]
    paths = ("/guardrails", "/guardrails/new", *views, "/guardrails/red-team?report=axe.json")
    found = {}
    for theme, viewport in (("light", {"width": 1280, "height": 900}), ("dark", {"width": 390, "height": 844})):
        tab = make_tab(console, theme=theme, viewport=viewport)
        for path in paths:
            tab.open(path)
            tab.settled()
            assert tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            faults = Axe().run(tab.page).response["violations"]
            found[path] = [
                (each["id"], [node["target"] for node in each["nodes"][:3]])
                for each in faults
                if each["impact"] in ("serious", "critical")
            ]
    assert {path: each for path, each in found.items() if each} == {}
