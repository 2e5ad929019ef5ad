"""The web console: `python -m benchmarks.console [--runs 5] [--seconds 5]`.

First page: from the address being opened in a new browser profile, nothing cached, to the heading and the figures on
the screen. Memory: of the console's process, after all pages were opened and with ten of them open. Gateway: Converse
on the fake engine, the server alone on a core, with no console and with one whose activity page is open, in turns.
The bars: first page under 1.5 s, memory under 200 MB, the gateway's rate unchanged (within a tenth). Needs chromium
and wrk.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import psutil

from benchmarks.harness import report, server, spread
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
    arguments.add_argument("--seconds", type=float, default=5.0)
    options = arguments.parse_args()
    figures = pages_and_memory(options.runs)
    report("console", figures | gateway(options.seconds, min(3, options.runs)))


if __name__ == "__main__":
    main()
