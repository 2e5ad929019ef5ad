"""What a reader sees of an HTML page, found in one pass.

The standard library's parser takes quadratic time on some broken pages, so it must not see documents of strangers.
"""

from __future__ import annotations

import re
from html import unescape

_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "textarea", "title"})
_BLOCKS = frozenset(
    "address article aside blockquote body br caption dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr html li main nav ol option p pre section table tbody tfoot thead tr ul".split()
)
_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]{0,31})")
_START = re.compile(r"<(?=[a-zA-Z/!?])")
_MARK = re.compile("[>\"']")


def html_text(markup: str) -> str:
    r"""The visible text: no tags, comments, scripts or styles; a line per block.

    >>> html_text("<h1>Roca</h1><script>x()</script><p>a &amp; b</p>")
    'Roca\na & b'
    """
    lower = markup.lower() if len(markup.lower()) == len(markup) else markup
    pieces: list[str] = []
    at = 0
    while (start := _START.search(markup, at)) is not None:
        opened = start.start()
        pieces.append(markup[at:opened])
        named = _NAME.match(markup, opened)
        if markup.startswith("<!--", opened):
            at = _after(markup, "-->", opened + 4)
        elif named is not None:
            at = _end_of_tag(markup, named.end())
            name = named[1].lower()
            if name in _BLOCKS:
                pieces.append("\n")
            elif name in ("td", "th"):
                pieces.append(" ")
            elif name in _HIDDEN and markup[opened + 1] != "/":
                at = _end_of_tag(markup, _after(lower, f"</{name}", at))
        else:
            at = _after(markup, ">", opened)
    pieces.append(markup[at:])
    lines = (" ".join(line.split()) for line in unescape("".join(pieces)).splitlines())
    return "\n".join(line for line in lines if line)


def _after(text: str, mark: str, start: int) -> int:
    """Behind the next mark, or the end."""
    found = text.find(mark, start)
    return len(text) if found < 0 else found + len(mark)


def _end_of_tag(markup: str, start: int) -> int:
    """Behind the `>` that closes a tag; those within quotes do not."""
    at = start
    while (found := _MARK.search(markup, at)) is not None:
        if found[0] == ">":
            return found.end()
        closed = markup.find(found[0], found.end())
        if closed < 0:  # A quote that never ends quotes nothing.
            return _after(markup, ">", found.end())
        at = closed + 1
    return len(markup)
