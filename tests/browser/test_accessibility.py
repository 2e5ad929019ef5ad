"""No page has a fault that axe-core calls serious or critical, in either theme, wide or narrow."""

from __future__ import annotations

import pytest

PAGES = (
    "/", "/playground", "/models?aliases=1", "/models/roca-mini", "/training", "/training/new", "/knowledge", "/jobs",
    "/guardrails", "/activity", "/activity/calls", "/activity/requests", "/nowhere",
)  # fmt: skip
NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1280, "height": 900}


def faults(page) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']} ({fault['impact']}): {[node['target'] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]


@pytest.mark.timeout(300)  # A training is waited for.
@pytest.mark.parametrize(("theme", "viewport"), [("light", WIDE), ("dark", NARROW)])
def test_pages(make_tab, console, tuned, theme, viewport):
    tab = make_tab(console, theme=theme, viewport=viewport)
    tab.expected.append("404")
    found = {}
    compared = f"/training/compare?jobs={tuned.job},{tuned.job}"
    for path in (*PAGES, f"/jobs/{tuned.job}", compared, f"/models/{tuned.model}"):
        tab.open(path)
        tab.settled()
        found[path] = faults(tab.page)
    assert {path: each for path, each in found.items() if each} == {}


def test_logging_in_and_a_server_that_is_gone(make_tab, locked_console, lonely_console):
    for console, path in ((locked_console, "/login"), (lonely_console, "/")):
        for theme in ("light", "dark"):
            tab = make_tab(console, theme=theme)
            tab.open(path)
            assert faults(tab.page) == []
