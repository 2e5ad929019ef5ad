"""The web console: `python -m benchmarks.console [--runs 5] [--seconds 5]`.

First page: from the address being opened in a new browser profile, nothing cached, to the heading and the figures on
the screen. Memory: of the console's process, after all pages were opened and with ten of them open. Gateway: Converse
on the fake engine, the server alone on a core (load, console and browser on the other), with no console and with one
whose activity page is open, in turns. Smoothness: a conversation of 200 turns that is written to and answered, a data
set of 10,000 rows, a list of 1,000 jobs; what the browser calls a long task (over 50 ms in one piece), and the time
from a key to what it wrote.
The bars: first page under 1.5 s, memory under 200 MB, the gateway's rate unchanged (within a tenth). Needs chromium
and wrk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import ClientError

from benchmarks.harness import client, report, server, spread
from benchmarks.load import wrk
from benchmarks.screenshots import PATHS, chromium, console

CONVERSE = json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}).encode()
_OPEN_TABS = 10
_SETTLING_MS = 5000  # The browser's own start is no part of what an open page costs.
_SHOWN = "document.querySelector('h1') !== null && document.querySelector('.figure-value') !== null"


def console_of(pid: int) -> psutil.Process:
    """The console's process of a server."""
    children = psutil.Process(pid).children(recursive=True)
    return next(child for child in children if "rocamadre.console" in child.cmdline())


def first_page_s(browser, url: str) -> float:
    """Seconds until the first page shows, in a profile that has never seen it."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_function(_SHOWN)
    took = time.perf_counter() - began
    context.close()
    return took


def pages_and_memory(runs: int) -> dict[str, object]:
    """First page and memory."""
    with console() as (url, _, pid, _), chromium() as browser:
        process = console_of(pid)
        fresh = process.memory_info().rss
        opened = [first_page_s(browser, url) for _ in range(runs + 1)]
        context = browser.new_context()
        pages = [context.new_page() for _ in range(_OPEN_TABS)]
        for place, page in enumerate(pages):
            for path in PATHS.values():
                page.goto(url + path)
            page.goto(url + list(PATHS.values())[place % len(PATHS)])
        return {
            # The very first visit also imports what pages need; it is told apart.
            "first_visit_s": round(opened[0], 3),
            "first_page_s": spread(opened[1:]),
            "memory_fresh_bytes": fresh,
            f"memory_with_{_OPEN_TABS}_tabs_bytes": process.memory_info().rss,
        }


def smoothness() -> dict[str, object]:
    """Long tasks and keys with much on the page."""
    with console(SERVER__REQUEST_TIMEOUT_S="120") as (url, address, pid, _), chromium() as browser:
        uri = put_rows(address, 10_000)
        make_jobs(address, 1_000)
        found = {
            "conversation_200_turns": _conversation(browser, url),
            "rows_10000": _opened(browser, f"{url}/training/data?uri={uri}", turn="Next"),
            "jobs_1000": _opened(browser, f"{url}/jobs", turn=None),
        }
        return found | {"memory_with_much_bytes": console_of(pid).memory_info().rss}


def put_rows(address: str, count: int) -> str:
    """A data set; its URI."""
    s3 = client("s3", address)
    s3.create_bucket(Bucket="rocamadre-data")
    rows = (json.dumps({"prompt": f"Question {n}?", "completion": f"Answer {n}."}) for n in range(count))
    s3.put_object(Bucket="rocamadre-data", Key="datasets/many.jsonl", Body="\n".join(rows).encode())
    return "s3://rocamadre-data/datasets/many.jsonl"


def make_jobs(address: str, count: int) -> None:
    """Batch jobs of one record each; asked to stop at once, so that they cost the machine little."""
    s3, bedrock = client("s3", address), client("bedrock", address)
    s3.create_bucket(Bucket="many-jobs")
    body = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    s3.put_object(Bucket="many-jobs", Key="in.jsonl", Body=json.dumps({"recordId": "r", "modelInput": body}).encode())
    for number in range(count):
        job = bedrock.create_model_invocation_job(
            jobName=f"job-{number:04d}",
            roleArn="arn:aws:iam::123456789012:role/batch",
            modelId="rocamadre.fake-v1:0",
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": "s3://many-jobs/in.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://many-jobs/out/"}},
        )["jobArn"]
        with contextlib.suppress(ClientError):  # Some are done by then.
            bedrock.stop_model_invocation_job(jobIdentifier=job)


_WATCH = """
window.longTasks = [];
new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map((each) => each.duration)))
    .observe({type: "longtask", buffered: true});
window.frames_ = [];
const frame = (before) => requestAnimationFrame((now) => { window.frames_.push(now - before); frame(now); });
requestAnimationFrame(frame);
"""
_FIGURES = """() => {
    const frames = window.frames_.slice(1).sort((a, b) => a - b);
    const tasks = window.longTasks;
    return {
        long_tasks: tasks.length, longest_task_ms: Math.round(Math.max(0, ...tasks)),
        frame_p95_ms: Math.round(frames[Math.floor(frames.length * 0.95)] ?? 0),
        elements: document.querySelectorAll("*").length,
    };
}"""
_KEY = """async () => {
    const field = document.getElementById("composer");
    field.focus();
    const waits = [];
    for (let n = 0; n < 40; n++) {
        const began = performance.now();
        document.execCommand("insertText", false, "x");
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        waits.push(performance.now() - began);
    }
    waits.sort((a, b) => a - b);
    return {median_ms: Math.round(waits[20]), worst_ms: Math.round(waits[39])};
}"""


def _conversation(browser: Any, url: str) -> dict[str, object]:
    """200 turns, then keys are typed and one more answer is streamed, both watched."""
    page = browser.new_page()
    page.goto(f"{url}/playground?models=rocamadre.fake-v1:0&max_tokens=200")
    page.wait_for_selector("#composer")
    for number in range(100):
        _send(page, f"Question {number}: say a few words about the rocks of this valley")
    page.evaluate(_WATCH)
    keys = page.evaluate(_KEY)
    page.fill("#composer", "")
    _send(page, "word " * 120)
    found: dict[str, object] = page.evaluate(_FIGURES)
    page.close()
    return {"turns": 200, "key_to_screen": keys, **found}


def _send(page: Any, text: str) -> None:
    before = page.locator(".turn-foot").count()
    page.fill("#composer", text)
    page.press("#composer", "Enter")
    page.wait_for_function("n => document.querySelectorAll('.turn-foot').length > n", arg=before)


def _opened(browser: Any, address: str, *, turn: str | None) -> dict[str, object]:
    """A page with much behind it: how long until it shows, and how smooth it is for five seconds."""
    page = browser.new_page()
    page.add_init_script(_WATCH)
    began = time.perf_counter()
    page.goto(address)
    page.wait_for_function("document.querySelector('[aria-busy=true], .skeleton') === null", timeout=120_000)
    shown = time.perf_counter() - began
    if turn:
        for _ in range(5):
            page.get_by_role("button", name=turn).last.click()
            page.wait_for_timeout(300)
    page.wait_for_timeout(5000)
    found: dict[str, object] = page.evaluate(_FIGURES)
    page.close()
    return {"shown_s": round(shown, 2), **found}


def gateway(seconds: float, runs: int) -> dict[str, object]:
    """Converse per second without a console, and with one that is looked at."""
    rates: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(runs):
        with server(core=0) as (address, _, _):
            rates["without"].append(_rate(address, seconds))
        wished = {"CONSOLE__ENABLED": "true", "CONSOLE__PORT": "0"}
        with server(core=0, settings=wished) as (address, pid, home), chromium() as browser:
            _move_away(pid)
            page = browser.new_page()
            page.goto(json.loads((Path(home) / "server.json").read_text())["console"] + "/activity")
            page.wait_for_selector("h1")
            page.wait_for_timeout(_SETTLING_MS)
            for process in psutil.Process().children(recursive=True):
                if process.pid != pid and "chrom" in process.name():
                    process.cpu_affinity([1])
            rates["with"].append(_rate(address, seconds))
    return {
        "requests_per_s": {name: spread(found) for name, found in rates.items()},
        "with_of_without": round(max(rates["with"]) / max(rates["without"]), 3),
    }


def _move_away(pid: int) -> None:
    """Children inherit the server's core; the console's work is to be beside it, as it would be."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            console_of(pid).cpu_affinity([1])
            return
        except StopIteration:
            time.sleep(0.1)
    raise SystemExit("the console did not start")


def _rate(address: str, seconds: float) -> float:
    url = f"{address}/model/rocamadre.fake-v1%3A0/converse"
    headers = {"Content-Type": "application/json", "Authorization": "Bearer benchmark"}
    wrk(url, headers=headers, body=CONVERSE, connections=16, seconds=1, core=1)
    return wrk(url, headers=headers, body=CONVERSE, connections=16, seconds=seconds, core=1).requests_per_s


def main() -> None:
    """Run and report."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each run of the gateway; 0: none")
    options = arguments.parse_args()
    figures = pages_and_memory(options.runs) | smoothness()
    if options.seconds:
        figures |= gateway(options.seconds, min(3, options.runs))
    report("console", figures)


if __name__ == "__main__":
    main()
