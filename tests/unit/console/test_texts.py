"""Every language says everything, and no page says anything of its own."""

from __future__ import annotations

import ast
import re
import string
import tomllib

import pytest

from rocamadre.console.pages.registry import PAGES
from rocamadre.console.parts.icons import ICONS
from rocamadre.console.translation import LANGUAGES, Translator, catalog, choose_language

SHOWING = frozenset(
    "badge button chart code_block choice_field copy_button empty heading link tag text text_field".split()
) | {"Column", "Series"}
METHODS = frozenset({"set_text", "notify"})
SHOWN_KEYWORDS = {"label", "placeholder", "aria_label", "title", "done", "copied", "content"}


def sources(checkout):
    folder = checkout / "src" / "rocamadre" / "console"
    return [*sorted((folder / "pages").glob("*.py")), *sorted((folder / "parts").glob("*.py"))]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_each_language_has_the_same_texts_with_the_same_blanks(language):
    english, other = catalog("en"), catalog(language)
    assert set(other) == set(english)
    assert [name for name in english if fields(other[name]) != fields(english[name])] == []
    assert [name for name, text in other.items() if not text.strip()] == []


def test_catalogs_are_in_the_same_order(checkout):
    folder = checkout / "src" / "rocamadre" / "console" / "texts"
    tables = [tomllib.loads((folder / f"{name}.toml").read_text()) for name in LANGUAGES]
    orders = [[(table, *texts) for table, texts in each.items()] for each in tables]
    assert orders[0] == orders[1] == orders[2]


def test_translations_are_translated():
    for language in ("es", "pt"):
        english, other = catalog("en"), catalog(language)
        long = [name for name, text in english.items() if len(text) > 20 and "{" not in text]
        same = [name for name in long if english[name] == other[name]]
        assert same == []


def test_pages_say_nothing_of_their_own(checkout):
    """Words in a call that shows them come from the catalog: a literal there holds no word."""
    found = []
    for path in sources(checkout):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            method = isinstance(node.func, ast.Attribute)
            name = node.func.attr if method else getattr(node.func, "id", "")
            if name not in (METHODS if method else SHOWING):
                continue
            shown = node.args[1:2] if name in ("tag", "Column") else node.args[:1]
            shown += [each.value for each in node.keywords if each.arg in SHOWN_KEYWORDS]
            for each in shown:
                if isinstance(each, ast.Constant) and re.search(r"[A-Za-z]{2}", str(each.value)):
                    found.append((path.name, node.lineno, each.value))
    assert found == []


def test_every_text_that_is_named_is_there(checkout):
    known = catalog("en")
    missing = []
    for path in sources(checkout):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("t", "page.t", "self._page.t") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and first.value not in known:
                    missing.append((path.name, node.lineno, first.value))
    assert missing == []


def test_every_page_has_a_title_and_those_in_the_navigation_a_name():
    for entry in PAGES:
        assert f"{entry.name}.title" in catalog("en")
        assert callable(entry.load())
        assert not entry.icon or (entry.icon in ICONS and f"navigation.{entry.name}" in catalog("en"))
        assert entry.icon or entry.below in {each.name for each in PAGES if each.icon}


@pytest.mark.parametrize(
    ("wish", "accepted", "language"),
    [
        ("", "", "en"),
        ("pt", "es", "pt"),
        ("../x", "es-MX,en;q=0.5", "es"),
        ("", "de, pt;q=0.4, es;q=0.6", "es"),
        ("", "en;q=x,es", "es"),
        ("", ";;;,,,q=1", "en"),
    ],
)
def test_the_language_is_the_chosen_or_the_browsers(wish, accepted, language):
    assert choose_language(wish, accepted) == language


def test_numbers_follow_the_language():
    english, spanish = Translator("en"), Translator("es")
    assert [english.number(1234.5, digits=1), spanish.number(1234.5, digits=1)] == ["1,234.5", "1\xa0234,5"]
    sizes = [0, 999, 1000, 7_949_920, 250_000_000, 3.2e12]
    assert [english.size(each) for each in sizes] == ["0 B", "999 B", "1.0 kB", "7.9 MB", "250 MB", "3.2 TB"]
    times = [0.0004, 0.25, 3.14, 42, 60, 90, 4000, 200_000]
    assert [english.duration(each) for each in times] == [
        "0 ms", "250 ms", "3.1 s", "42 s", "1 min", "1 min 30 s", "1 h 6 min", "2 d 7 h",
    ]  # fmt: skip
