"""Markdown of strangers, as HTML that can do nothing but look like text."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from nicegui import ui

_TAGS = frozenset(
    "p br hr h1 h2 h3 h4 h5 h6 ul ol li blockquote pre code em strong del s table thead tbody tr th td a".split()
)
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_LONGEST = 200_000

_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("image")


def to_safe_html(source: str, *, below: int = 2) -> str:
    r"""Markdown to HTML of a few tags: no images, no scripts, no styles, links to http(s) and mail only.

    Raw HTML in the source is shown as text. What comes out of the parser is cleaned once more by a sanitiser that knows
    how browsers read HTML, so that a fault of the one is caught by the other.

    Args:
        source: Any text; what is beyond 200,000 characters is left out.
        below: Level of the heading above it; its own begin one deeper.

    >>> to_safe_html("**a** <b onclick=x>b</b>")
    '<p><strong>a</strong> &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n'
    >>> to_safe_html("[l](javascript:alert(1))")
    '<p>[l](javascript:alert(1))</p>\n'
    """
    tokens = _PARSER.parse(source[:_LONGEST])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + below)}"
    return nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=set(_TAGS),
        attributes={name: set(names) for name, names in _ATTRIBUTES.items()},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
        # What is wider than the page is scrolled, with the keyboard too.
        set_tag_attribute_values={"pre": {"tabindex": "0"}, "table": {"tabindex": "0"}},
    )


def markdown(source: str, *, classes: str = "prose", below: int = 2) -> ui.html:
    """An element that shows Markdown; `set_content(to_safe_html(…))` changes it."""
    return ui.html(to_safe_html(source, below=below), sanitize=False).classes(classes)
