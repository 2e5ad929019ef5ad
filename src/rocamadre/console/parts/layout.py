"""What is around every page: navigation, theme, language, and the place for its content."""

from __future__ import annotations

from rocamadre.console.page import THEMES, Page
from rocamadre.console.pages.registry import PAGES, Entry
from rocamadre.console.parts.elements import Tag, box, choice_field, heading, icon, link, set_attributes, tag, text
from rocamadre.console.translation import LANGUAGES

THEME_COOKIE = "roca_theme"
LANGUAGE_COOKIE = "roca_language"

_YEAR_S = 31_536_000
_THEME_ICONS = {"auto": "screen", "light": "sun", "dark": "moon"}

# The choice is kept by the browser; the page only changes colours, so that nothing typed is lost.
_CHOOSE_THEME = f"""(event) => {{
    const theme = event.currentTarget.dataset.theme;
    document.cookie = `{THEME_COOKIE}=${{theme}}; path=/; max-age={_YEAR_S}; samesite=lax`;
    const dark = theme === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : theme === "dark";
    Quasar.Dark.set(theme === "auto" ? "auto" : dark);
    document.documentElement.dataset.theme = theme;
    for (const each of event.currentTarget.parentElement.children)
        each.setAttribute("aria-pressed", String(each === event.currentTarget));
}}"""


_SHOW_PLACE = """
const place = document.querySelector(".place[aria-current]"), strip = place?.parentElement;
if (strip) strip.scrollLeft = place.offsetLeft - (strip.clientWidth - place.clientWidth) / 2 - strip.offsetLeft;
"""


def build_layout(page: Page, entry: Entry | None) -> Tag:
    """Draw what surrounds a page.

    Args:
        page: The visit.
        entry: The page's; None for an address that leads nowhere.

    Returns:
        The element that the page's content goes into.
    """
    t = page.t
    shown = entry.below or entry.name if entry else ""
    tag("a", t("layout.skip"), classes="skip", href="#main")
    with box("side", name="header"):
        with tag("a", classes="brand", href="/", aria_label=t("layout.home")):
            tag("span", classes="brand-mark", aria_hidden=True)
            tag("span", t("layout.name"), classes="brand-name")
        with box("navigation", name="nav", aria_label=t("layout.navigation")):
            for each in PAGES:
                if each.icon:
                    with tag("a", classes="place", href=each.path, aria_current="page" if each.name == shown else None):
                        icon(each.icon)
                        tag("span", t(f"navigation.{each.name}"))
        with box("side-end"):
            _theme(page)
            _language(page)
            if page.locked:
                with tag("form", method="post", action="/logout"), tag("button", classes="button quiet", type="submit"):
                    icon("leave")
                    tag("span", t("layout.log_out"))
    # On a narrow screen the places are a strip; the one that is open should be seen.
    page.client.run_javascript(_SHOW_PLACE)
    main = box("main", name="main", id_="main", tabindex="-1")
    with main, box("title-row"):
        heading(page.t(f"{entry.name}.title") if entry else t("states.not_found"), level=1)
    return main


def _theme(page: Page) -> None:
    t = page.t
    with box("switch", role="group", aria_label=t("layout.theme")):
        for theme in THEMES:
            made = tag("button", classes="button quiet square", type="button", aria_pressed=theme == page.theme)
            name = t(f"layout.theme_{theme}")
            set_attributes(made, data_theme=theme, aria_label=name, title=name)
            with made:
                icon(_THEME_ICONS[theme])
            made.on("click", js_handler=_CHOOSE_THEME)


def _language(page: Page) -> None:
    def choose(language: str) -> None:
        if language in LANGUAGES:
            page.client.run_javascript(
                f'document.cookie = "{LANGUAGE_COOKIE}={language}; path=/; max-age={_YEAR_S}; samesite=lax";'
                "location.reload();"
            )

    choice_field(
        page.t("layout.language"), LANGUAGES, value=page.t.language, on_change=choose, classes="language compact"
    )


def not_found(page: Page) -> None:
    """The content of an address that leads nowhere."""
    text(page.t("states.not_found_hint"))
    link(page.t("layout.home"), "/")
