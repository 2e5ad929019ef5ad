"""Data and training: a file is put there, checked, looked at and trained on; nothing here needs torch."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest

from rocamadre.testing.hostile_texts import PAYLOADS

GOOD = {"prompt": "Say hello", "completion": "Hello there"}
NARROW = {"width": 390, "height": 844}


def rows(*found: object) -> bytes:
    return "\n".join(json.dumps(each) for each in found).encode() + b"\n"


def put(console, name: str, body: bytes) -> str:
    s3 = console.client("s3")
    if "rocamadre-data" not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket="rocamadre-data")
    s3.put_object(Bucket="rocamadre-data", Key=f"datasets/{name}", Body=body)
    return f"s3://rocamadre-data/datasets/{name}"


def test_a_file_is_put_there_and_every_problem_is_at_its_line(tab):
    tab.open("/training")
    tab.settled()
    files = tab.page.locator("input[type=file]")
    body = rows(GOOD, {"prompt": "only"}) + b'{"prompt": "torn\n' + rows(GOOD)
    files.set_input_files([{"name": "my rows.JSONL", "mimeType": "application/jsonl", "buffer": body}])
    tab.page.wait_for_url("**/training/data?uri=s3*my-rows.jsonl")
    tab.settled()
    assert tab.page.get_by_text("cannot be used yet").is_visible()
    table = tab.page.locator(".table")
    lines = table.locator("tbody td:first-child").all_inner_texts()
    assert {"2", "3"} <= set(lines)
    assert table.locator(".source-line", has_text='{"prompt": "only"}').is_visible()
    # What can be used is shown as the model sees it.
    learned = tab.page.locator(".preview-tokens").first.locator(".learned").first
    assert learned.inner_text().startswith("Hello there")


def test_a_file_of_another_kind_is_refused(tab):
    tab.open("/training")
    tab.settled()
    files = tab.page.locator("input[type=file]")
    files.set_input_files([{"name": "x.exe", "mimeType": "application/octet-stream", "buffer": b"MZ"}])
    tab.page.get_by_role("alert").get_by_text("Only files of these formats").wait_for()


def test_the_wizard_writes_the_program_and_starts_it(tab, console):
    uri = put(console, "wizard.jsonl", rows(*[GOOD | {"prompt": f"Say hello {n}"} for n in range(12)]))
    tab.open(f"/training/new?training={uri}")
    tab.settled()
    program = tab.page.locator(".wizard-code pre")
    assert "create_model_customization_job" in program.inner_text()
    assert uri in program.inner_text()
    tab.page.get_by_role("radio", name=re.compile("^LoRA")).check()
    tab.page.get_by_label("rank", exact=True).fill("4")
    tab.page.get_by_label("rank", exact=True).press("Tab")
    tab.page.get_by_label("epochs", exact=True).fill("1")
    tab.page.get_by_label("epochs", exact=True).press("Tab")
    tab.page.wait_for_function("document.querySelector('.wizard-code pre').innerText.includes('\"epochs\": \"1\"')")
    assert '"rank": "4"' in program.inner_text()
    tab.page.get_by_label("Name of the job").fill("nightingale")
    tab.page.get_by_label("Name of the job").press("Tab")
    tab.page.wait_for_function("document.querySelector('.wizard-code pre').innerText.includes('nightingale')")
    tab.page.get_by_role("button", name="Start the training").click()
    tab.page.wait_for_url("**/jobs/*")
    tab.page.get_by_role("heading", name="nightingale").wait_for()
    stop = tab.page.get_by_role("button", name="Stop")
    stop.click()
    tab.page.get_by_text(re.compile("^(Stopp(ed|ing)|Completed|Failed)$")).first.wait_for(timeout=60_000)
    tab.open("/training")
    tab.settled()
    tab.page.get_by_role("link", name="nightingale").wait_for()


def test_a_wrong_setting_is_said_by_the_server(tab, console):
    uri = put(console, "wrong.jsonl", rows(GOOD))
    tab.open(f"/training/new?training={uri}")
    tab.settled()
    tab.page.get_by_label("epochs", exact=True).fill("many")
    tab.page.get_by_label("epochs", exact=True).press("Tab")
    tab.page.wait_for_function("document.querySelector('.wizard-code pre').innerText.includes('many')")
    tab.page.get_by_role("button", name="Estimate").click()
    tab.page.get_by_role("alert").get_by_text("many").wait_for()
    tab.page.get_by_role("button", name="Start the training").click()
    tab.page.wait_for_function("document.querySelectorAll('[role=alert]').length === 2")


def test_what_it_will_take_is_shown(tab, console):
    uri = put(console, "estimate.jsonl", rows(*[GOOD] * 30))
    tab.open(f"/training/new?training={uri}&method=full")
    tab.settled()
    tab.page.get_by_role("button", name="Estimate").click()
    tab.page.get_by_text(re.compile("^(fits|does not fit) on this machine")).first.wait_for(timeout=60_000)
    assert "Memory" in tab.page.locator(".figures").inner_text()
    assert "30" in tab.page.locator(".facts").last.inner_text()


def test_ten_thousand_rows_are_looked_at_in_parts(tab, console):
    uri = put(console, "many.jsonl", rows(*[GOOD | {"prompt": f"Say hello {n}"} for n in range(10_000)]))
    tab.page.set_default_timeout(60_000)
    tab.open(f"/training/data?uri={uri}")
    tab.settled()
    assert "10,000" in tab.page.locator(".figures").inner_text()
    assert tab.page.get_by_text("first 2,000 good records").is_visible()
    assert tab.page.locator(".sample").count() == 3
    tab.page.get_by_role("button", name="Next").last.click()
    tab.page.get_by_text("Example 4").wait_for()
    assert tab.page.evaluate("document.querySelectorAll('main *').length") < 800


def test_data_of_strangers_only_ever_stands_there(tab, console):
    body = rows(*[{"prompt": text, "completion": text} for text in PAYLOADS]) + rows(
        *[{text: text} for text in PAYLOADS]
    )
    uri = put(console, "hostile <img src=x onerror=xss(1)>.jsonl", body)
    tab.open("/training")
    tab.settled()
    tab.page.get_by_role("link", name="hostile").first.wait_for()
    tab.open(f"/training/data?uri={quote(uri, safe='')}")
    tab.settled()
    for _ in range(8):
        tab.page.get_by_role("button", name="Next").last.click()
        tab.page.wait_for_timeout(150)
    assert tab.page.locator("main").locator("img, script, iframe, object, form, style").count() == 0


@pytest.mark.parametrize("path", ["/training/data", "/training/compare", "/training/compare?jobs=a,b"])
def test_addresses_that_name_nothing_say_what_to_do(tab, path):
    tab.open(path)
    tab.settled()
    assert tab.page.locator(".state").count() == 1
