"""Whether a text has as many tokens as its words one by one: then each word is counted once, and a text never."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakKeyDictionary

from rocamadre.knowledge.chunkers.registry import CountTokens

_PROBE = (
    "The house by the river is green, la casa del río es verde. A casa é verde: 'tis so!  Two  spaces,\ttabs\tand\n"
    "lines.\n\nParagraphs -- of U.S.A. (1,234.56) “quotes” don't l'eau; e-mail a@b.org http://x.org/?q=1&r=2 #tag C++\n"
    "\r\n- item\n* item\n1. one\n| a | b |\nÄÖü ñandú coração e\u0301te\u0301 naïve İstanbul straße\u00a0hard"
    "\u2003wide\u2028line soft\u00adhyphen zero\u200bwidth 👍🏽 👩‍👧 🇪🇸 中文句子。日本語 한국어 العربية हिन्दी ไทย "
    "ABC123def __init__ x=y+z; <b>bold</b> &amp; \\\\ ... … !!! "
    "½ ² ﬁ １２ ① ℃ ~ ` ^ $5 €6 100% 3/4 12:30 2024-01-02 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa Donaudampfschifffahrt"
)
_known: WeakKeyDictionary[CountTokens, tuple[str, bool]] = WeakKeyDictionary()


def additivity(count_tokens: CountTokens) -> tuple[str, bool]:
    """How to count words one by one, and whether their sum is what a text has, at least.

    Tokenizers that split at white space first are additive; those that count line breaks, or join words, are not. It
    is found out once, by a text of many sorts of words, so that it never depends on a document.

    Returns:
        What to put before a word, a space or nothing, for it to cost what it costs in a text; and whether no text has
        more tokens than its words.
    """
    with suppress(KeyError, TypeError):  # not every callable can be referred to weakly
        return _known[count_tokens]
    marks = count_tokens("")
    whole = count_tokens(_PROBE) - marks
    words = _PROBE.split()
    sums = {before: sum(count_tokens(before + word) - marks for word in words) for before in ("", " ")}
    before = min(sums, key=lambda each: abs(sums[each] - whole))
    found = before, sums[before] >= whole
    with suppress(TypeError):
        _known[count_tokens] = found
    return found
