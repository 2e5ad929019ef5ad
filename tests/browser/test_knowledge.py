"""Knowledge bases: made, filled with files, asked; each citation leads to its span."""

from __future__ import annotations

import re

import pytest

from rocamadre.testing.hostile_texts import PAYLOADS

pytestmark = pytest.mark.timeout(300)  # Documents are read by a worker that has to start.
LAMP = """# The lighthouse

The lamp turns once every twelve seconds. Its keeper is Amparo Ruiz.

# Visits

Visitors may climb the tower on Sundays between ten and noon. Bring good shoes.
"""


@pytest.fixture(scope="module")
def base(console, lamp_file, browser):
    """A knowledge base with one document, made as a visitor makes it."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(console.url + "/knowledge")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_label("Name", exact=True).fill("coast")
    page.get_by_label("Name", exact=True).press("Tab")
    page.get_by_role("button", name="Make it").click()
    page.wait_for_url("**/knowledge/*")
    page.wait_for_function("window.did_handshake === true")
    page.locator("input[type=file]").set_input_files([lamp_file])
    page.locator("tbody tr", has_text="lighthouse.md").get_by_text("INDEXED").wait_for(timeout=120_000)
    found = page.url.split("?")[0].rpartition("/")[2]
    context.close()
    return found


@pytest.fixture(scope="module")
def lamp_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("documents") / "lighthouse.md"
    path.write_text(LAMP)
    return path


def test_a_question_is_answered_with_citations_that_lead_to_their_span(tab, base):
    tab.open(f"/knowledge/{base}")
    field = tab.page.get_by_label("Question")
    field.fill("How often does the lamp turn?")
    field.press("Enter")
    tab.page.wait_for_url("**ask=*")
    tab.settled()
    answer = tab.page.locator(".answer")
    assert "twelve" in answer.inner_text()
    answer.get_by_role("link", name="lighthouse.md").first.click()
    tab.page.wait_for_url("**/document*")
    tab.settled()
    assert "twelve seconds" in "".join(tab.page.locator("mark").all_inner_texts())


def test_the_way_of_each_chunk_is_shown(tab, base):
    tab.open(f"/knowledge/{base}?ask=When+may+visitors+climb%3F")
    tab.settled()
    stages = tab.page.locator(".stage > summary")
    assert stages.count() >= 3
    stages.filter(has_text="lexical").first.click()
    assert re.search(r"\d", tab.page.locator(".stage", has_text="lexical").first.locator("table").inner_text())
    assert "Sundays" in tab.page.locator(".results").inner_text()


def test_what_the_documents_do_not_hold_is_not_cited(tab, base):
    tab.open(f"/knowledge/{base}?ask=What+is+the+capital+of+Mongolia%3F")
    tab.settled()
    assert tab.page.locator(".references").count() == 0


def test_chunks_are_drawn_on_the_document(tab, base):
    tab.open(f"/knowledge/{base}")
    tab.settled()
    tab.page.locator("tbody").get_by_role("link", name=re.compile("lighthouse.md")).first.click()
    tab.page.wait_for_url("**/document*")
    tab.settled()
    assert tab.page.locator(".document .chunk").count() >= 1
    assert "Amparo Ruiz" in tab.page.locator(".document").inner_text()


def test_documents_of_strangers_only_ever_stand_there(tab, console, base, tmp_path):
    hostile = tmp_path / "<img src=x onerror=xss(1)>.md"
    hostile.write_text("\n\n".join(PAYLOADS[:40]))
    tab.open(f"/knowledge/{base}")
    tab.page.locator("input[type=file]").set_input_files([hostile])
    row = tab.page.locator("tbody tr", has_text="onerror")
    row.get_by_text("INDEXED").wait_for(timeout=120_000)
    row.get_by_role("link").click()
    tab.page.wait_for_url("**/document*")
    tab.settled()
    tab.open(f"/knowledge/{base}?ask=script+alert+onerror")
    tab.settled()


def test_what_cannot_be_read_says_why(tab, base, tmp_path):
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7 and nothing more")
    tab.open(f"/knowledge/{base}")
    tab.page.locator("input[type=file]").set_input_files([broken])
    row = tab.page.locator("tbody tr", has_text="broken.pdf")
    row.get_by_text("FAILED").wait_for(timeout=120_000)
    assert row.locator(".wrong").inner_text()


def test_no_page_has_a_serious_fault(make_tab, console, base):
    from axe_playwright_python.sync_playwright import Axe

    for theme, viewport in (("light", {"width": 1280, "height": 900}), ("dark", {"width": 390, "height": 844})):
        tab = make_tab(console, theme=theme, viewport=viewport)
        for path in (f"/knowledge/{base}?ask=When+may+visitors+climb%3F", f"/knowledge/{base}"):
            tab.open(path)
            tab.settled()
            found = Axe().run(tab.page).response["violations"]
            assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_addresses_that_name_nothing_say_so(tab, base):
    tab.expected.append("404")
    tab.open("/knowledge/NOSUCHBASE")
    tab.settled()
    assert tab.page.get_by_role("alert").is_visible()
    tab.open(f"/knowledge/{base}/document?id=s3://nowhere/none.md")
    tab.settled()
    assert tab.page.get_by_role("alert").is_visible()


def test_all_of_it_is_deleted(tab, console):
    tab.open("/knowledge")
    tab.page.get_by_label("Name", exact=True).fill("short-lived")
    tab.page.get_by_label("Name", exact=True).press("Tab")
    tab.page.get_by_role("button", name="Make it").click()
    tab.page.wait_for_url("**/knowledge/*")
    tab.page.wait_for_function("window.did_handshake === true")
    tab.page.locator("summary", has_text="Delete").click()
    tab.page.get_by_role("button", name="Delete short-lived").click()
    tab.page.wait_for_url("**/knowledge")
    names = {each["name"] for each in console.client("bedrock-agent").list_knowledge_bases()["knowledgeBaseSummaries"]}
    assert "short-lived" not in names
