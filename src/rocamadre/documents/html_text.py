"""What a reader sees of an HTML page, found in one pass.

The standard library's parser takes quadratic time on some broken pages, so it must not see documents of strangers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "textarea", "title"})
BLOCKS = frozenset(
    "address article aside blockquote body br caption dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 "
    "h5 h6 header hr html li main nav ol option p pre section table tbody tfoot thead tr ul".split()
)
_NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]{0,31})")
_START = re.compile(r"<(?=[a-zA-Z/!?])")
_MARK = re.compile("[>\"']")


class Tag(NamedTuple):
    """A tag, and what comes right before and within it.

    Attributes:
        before: Markup since the tag before, without tags; character references are not resolved.
        name: In small letters; empty at the end of the document, and for comments and the like.
        closing: Whether it is an end tag.
        attributes: As they are written.
        hidden: All that is within, for elements whose content is not for reading (scripts, titles).
    """

    before: str
    name: str
    closing: bool
    attributes: str
    hidden: str


def html_tags(markup: str, *, hidden: frozenset[str] = HIDDEN) -> Iterator[Tag]:
    """All tags in order, in one pass over the page; those in comments, and in elements that are hidden, are no tags."""
    lower = markup.lower() if len(markup.lower()) == len(markup) else markup
    at = 0
    while (start := _START.search(markup, at)) is not None:
        opened = start.start()
        before = markup[at:opened]
        named = _NAME.match(markup, opened)
        if named is None:
            at = _after(markup, "-->" if markup.startswith("<!--", opened) else ">", opened + 2)
            yield Tag(before, "", False, "", "")
            continue
        at = _end_of_tag(markup, named.end())
        name, closing = named[1].lower(), markup[opened + 1] == "/"
        attributes, within = markup[named.end() : at], ""
        if name in hidden and not closing:
            closed = lower.find(f"</{name}", at)
            within = markup[at:closed] if closed >= 0 else markup[at:]
            at = _end_of_tag(markup, closed + len(name) + 2) if closed >= 0 else len(markup)
        yield Tag(before, name, closing, attributes, within)
    yield Tag(markup[at:], "", False, "", "")


def html_text(markup: str) -> str:
    r"""The visible text: no tags, comments, scripts or styles; a line per block.

    >>> html_text("<h1>Roca</h1><script>x()</script><p>a &amp; b</p>")
    'Roca\na & b'
    """
    pieces: list[str] = []
    for tag in html_tags(markup):
        pieces.append(tag.before)
        if tag.name in BLOCKS:
            pieces.append("\n")
        elif tag.name in ("td", "th"):
            pieces.append(" ")
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
