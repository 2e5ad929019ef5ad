"""Requests and their traces, models on their way, names for models, jobs."""

from __future__ import annotations

import json
import re

import pytest
from botocore.exceptions import ClientError

FAKE = "rocamadre.fake-v1:0"
NARROW = {"width": 390, "height": 844}


def ask(console, text="hello", model=FAKE):
    message = {"role": "user", "content": [{"text": text}]}
    return console.client("bedrock-runtime").converse(modelId=model, messages=[message])


def test_a_request_is_found_and_its_time_told(tab, console):
    request = ask(console)["ResponseMetadata"]["RequestId"]
    tab.open("/activity")
    tab.page.get_by_role("link", name="Look at the requests").click()
    tab.page.wait_for_url("**/activity/requests")
    tab.settled()
    row = tab.page.locator("tbody tr").first
    assert "Converse" in row.inner_text()
    row.get_by_role("link").first.click()
    tab.page.wait_for_url(f"**/activity/requests/{request}")
    tab.settled()
    waterfall = tab.page.get_by_role("list", name="Where the time went")
    assert waterfall.locator(".span-name").all_inner_texts() == [
        "The whole request", "Generation", "The model is made ready", "Until the first token", "Writing the rest",
    ]  # fmt: skip
    waterfall.locator("summary").nth(1).press("Enter")
    assert waterfall.get_by_text("gen_ai.request.model").is_visible()
    facts = tab.page.locator(".facts").first.inner_text()
    assert request in facts
    assert FAKE in facts


def test_requests_are_chosen_and_paged_by_address(tab, console):
    client = console.client("bedrock-runtime")
    for _ in range(26):
        client.converse(modelId=FAKE, messages=[{"role": "user", "content": [{"text": "hi"}]}])
    with pytest.raises(ClientError, match="no-such-model"):
        ask(console, model="no-such-model")
    tab.open("/activity/requests")
    tab.settled()
    assert tab.page.locator("tbody tr").count() == 25
    tab.page.get_by_role("link", name="Older").click()
    tab.page.wait_for_url("**after=*")
    tab.settled()
    assert tab.page.locator("tbody tr").count() >= 2
    tab.page.get_by_label("Which").select_option("failed")
    tab.page.wait_for_url("**/activity/requests?which=failed")
    tab.settled()
    results = set(tab.page.locator("tbody td:last-child").all_inner_texts())
    assert "ValidationException" in results
    assert "200" not in results


def test_a_logged_call_leads_to_its_trace(tab, console, wait):
    s3, bedrock = console.client("s3"), console.client("bedrock")
    s3.create_bucket(Bucket="traced-calls")
    bedrock.put_model_invocation_logging_configuration(loggingConfig={"s3Config": {"bucketName": "traced-calls"}})
    try:
        request = ask(console, "iris")["ResponseMetadata"]["RequestId"]

        def arrived():
            tab.open("/activity/calls?find=iris")
            tab.settled()
            return tab.page.locator("tbody a").count() == 1

        wait(arrived)
        tab.page.locator("tbody a").first.click()
        tab.page.wait_for_url("**at=*")
        tab.page.get_by_role("link", name="Where its time went").click()
        tab.page.wait_for_url(f"**/activity/requests/{request}")
        tab.page.get_by_text("Until the first token").wait_for()
    finally:
        bedrock.delete_model_invocation_logging_configuration()


def test_a_trace_that_is_gone_says_so(tab):
    tab.open("/activity/requests/none")
    alert = tab.page.get_by_role("alert")
    alert.wait_for()
    assert "log.recent_traces" in alert.inner_text()


def test_a_model_is_brought_here_and_shows(tab, checkout, tmp_path):
    source = tmp_path / "small.gguf"
    source.symlink_to(checkout / "models" / "roca-mini" / "roca-mini-q8_0.gguf")
    tab.open("/models")
    tab.page.get_by_role("button", name="Bring it").click()
    tab.page.get_by_text("Say which model").wait_for()
    tab.page.get_by_label("Folder, GGUF file").fill(str(source))
    tab.page.get_by_label("Name here").fill("brought")
    tab.page.get_by_role("button", name="Bring it").click()
    pulls = tab.page.get_by_role("list", name="Models on their way")
    pulls.get_by_text("brought").first.wait_for()
    pulls.get_by_role("link", name="Look at it").first.wait_for(timeout=60_000)
    # The table above has it without being asked.
    there = tab.page.get_by_role("region", name="Models", exact=True)
    there.get_by_role("link", name=re.compile("brought", re.IGNORECASE)).wait_for()
    pulls.get_by_role("link", name="Look at it").first.click()
    tab.page.wait_for_url("**/models/*brought*")


def test_a_model_that_is_none_says_why(tab, tmp_path):
    bad = tmp_path / "bad <img src=x onerror=xss(1)>.gguf"
    bad.write_bytes(b"no model at all")
    tab.open("/models")
    tab.page.get_by_label("Folder, GGUF file").fill(str(tmp_path / "nothing here"))
    tab.page.get_by_role("button", name="Bring it").click()
    tab.page.get_by_role("alert").get_by_text("no folder or file here").wait_for()
    tab.page.get_by_label("Folder, GGUF file").fill(str(bad))
    tab.page.get_by_role("button", name="Bring it").click()
    pulls = tab.page.get_by_role("list", name="Models on their way")
    pulls.get_by_text("failed").first.wait_for(timeout=60_000)
    assert pulls.get_by_role("button", name="Go on").first.is_visible()


def test_a_name_is_set_and_taken_away(tab, console):
    tab.open("/models?aliases=1")
    tab.page.get_by_label("Name or pattern").fill("acme.rocket-*")
    tab.page.get_by_label("Stands for").select_option(FAKE)
    tab.page.get_by_role("button", name="Set").click()
    tab.page.get_by_role("cell", name="acme.rocket-*", exact=True).wait_for()
    assert ask(console, model="acme.rocket-v1")["output"]["message"]["content"][0]["text"]
    tab.page.get_by_label("Name or pattern").fill("not a name")
    tab.page.get_by_role("button", name="Set").click()
    tab.page.get_by_role("alert").get_by_text("is no model id").wait_for()
    tab.page.get_by_role("button", name="Take acme.rocket-* away").click()
    tab.page.get_by_role("cell", name="acme.rocket-*", exact=True).wait_for(state="detached")


def test_answers_under_a_name_of_aws_tell_its_price(tab):
    tab.open("/playground?models=amazon.nova-lite-v1:0&max_tokens=8")
    tab.page.wait_for_selector("#composer")
    tab.page.fill("#composer", "hello")
    tab.page.press("#composer", "Enter")
    tab.page.locator(".turn-foot").wait_for()
    assert re.search(r"\$0\.0\d+ at AWS's list price", tab.page.locator(".turn-foot").inner_text())
    tab.page.get_by_label("Model").first.select_option(FAKE)
    tab.page.fill("#composer", "again")
    tab.page.press("#composer", "Enter")
    tab.page.wait_for_function("document.querySelectorAll('.turn-foot').length === 2")
    assert "$" not in tab.page.locator(".turn-foot").last.inner_text()


def begin_batch(console, name: str, records: int = 2) -> None:
    s3, bedrock = console.client("s3"), console.client("bedrock")
    if "job-batches" not in {each["Name"] for each in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket="job-batches")
    body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    lines = [json.dumps({"recordId": f"r{number}", "modelInput": body}) for number in range(records)]
    s3.put_object(Bucket="job-batches", Key=f"{name}.jsonl", Body="\n".join(lines).encode())
    bedrock.create_model_invocation_job(
        jobName=name,
        roleArn="arn:aws:iam::123456789012:role/batch",
        modelId=FAKE,
        modelInvocationType="Converse",
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://job-batches/{name}.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://job-batches/out/"}},
    )


def test_jobs_of_every_kind_are_listed_and_opened(tab, console):
    begin_batch(console, "swallow")
    tab.open("/jobs")
    tab.settled()
    row = tab.page.locator("tbody tr", has_text="swallow")
    row.get_by_text(re.compile("completed", re.IGNORECASE)).wait_for(timeout=60_000)
    assert "batch" in row.inner_text()
    row.get_by_role("link", name="swallow").click()
    tab.page.wait_for_url("**/jobs/*")
    tab.settled()
    assert tab.page.get_by_role("heading", name="swallow").is_visible()
    assert "batch" in tab.page.locator(".facts").inner_text()


def test_jobs_are_found_and_chosen_by_address(tab, console):
    begin_batch(console, "heron-one")
    begin_batch(console, "heron-two")
    tab.open("/jobs")
    tab.page.get_by_label("Search names").fill("HERON")
    tab.page.get_by_label("Search names").press("Enter")
    tab.page.wait_for_url("**/jobs?find=HERON")
    tab.settled()
    names = tab.page.locator("tbody td:first-child a")
    assert names.all_inner_texts() == ["heron-two", "heron-one"]
    tab.page.get_by_role("button", name="Began").click()
    tab.page.wait_for_url("**order=oldest")
    tab.settled()
    assert names.all_inner_texts() == ["heron-one", "heron-two"]
    tab.page.get_by_label("Kind").select_option("model-pull")
    tab.page.wait_for_url("**kind=model-pull*")
    tab.page.get_by_text("None is of this kind.").wait_for()


def test_a_job_that_is_not_there_says_so(tab):
    tab.open("/jobs/none")
    tab.page.get_by_role("alert").first.wait_for()
    assert "none" in tab.page.get_by_role("alert").first.inner_text()
