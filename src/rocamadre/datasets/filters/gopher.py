"""Gopher's rules of quality.

Source: Rae et al. 2021, arXiv:2112.11446, appendix A.1.1 (quality), table A1 (repetition). Small words are looked for
in English, Spanish and Portuguese; answers are short, so the least number of words is a setting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from rocamadre.datasets.content import plain_text
from rocamadre.datasets.types import Example

_SMALL = {
    *("the", "be", "to", "of", "and", "that", "have", "with", "is", "a", "in"),
    *("el", "la", "de", "que", "y", "en", "los", "un", "una", "con"),
    *("o", "os", "do", "da", "e", "em", "um", "uma", "não", "com"),
}
_BULLETS = ("-", "*", "•", "‣", "●")
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_REPEATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_ENOUGH_TO_REPEAT = 30


class Gopher(BaseModel):
    """Drop texts that are no prose: odd words, symbols, lists, repetition (Gopher's rules)."""

    model_config = ConfigDict(extra="forbid")

    least_words: int = Field(default=3, ge=0, description="Fewest words; the paper has 50, for web pages.")
    most_words: int = Field(default=100_000, ge=1, description="Most words.")
    small_words: int = Field(default=2, ge=0, description="Fewest of the commonest words, in texts of 20 and more.")

    def drop(self, example: Example) -> str:
        """See `Filter.drop`."""
        text = plain_text(example)
        words = text.split()
        if not self.least_words <= len(words) <= self.most_words:
            return "too few or too many words"
        lengths = [len(word) for word in words]
        if len(words) >= 5 and not 3 <= sum(lengths) / len(words) <= 10:
            return "words of unlikely length"
        if (text.count("#") + text.count("...") + text.count("…")) / len(words) > 0.1:
            return "too many symbols"
        lettered = sum(any(letter.isalpha() for letter in word) for word in words)
        if lettered / len(words) < 0.8 and len(words) >= 5:
            return "too few words with letters"
        return _lines(text) or self._prose(words) or _repetition(words)

    def _prose(self, words: Sequence[str]) -> str:
        if len(words) < 20 or not self.small_words:
            return ""
        found = {word.strip(".,;:!?¿¡()\"'").lower() for word in words} & _SMALL
        return "" if len(found) >= self.small_words else "none of the commonest words"


def _lines(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 5:
        return ""
    if sum(line.startswith(_BULLETS) for line in lines) / len(lines) > 0.9:
        return "nearly all lines are points of a list"
    if sum(line.endswith(("...", "…")) for line in lines) / len(lines) > 0.3:
        return "too many lines that break off"
    return "too many repeated lines" if 1 - len(set(lines)) / len(lines) > 0.3 else ""


def _repetition(words: Sequence[str]) -> str:
    if len(words) < _ENOUGH_TO_REPEAT:
        return ""
    total = sum(map(len, words))
    for size, most in _TOP.items():
        runs = Counter(tuple(words[at : at + size]) for at in range(len(words) - size + 1))
        run, count = runs.most_common(1)[0]
        if count > 1 and sum(map(len, run)) * count / total > most:
            return "one phrase again and again"
    for size, most in _REPEATED.items():
        if _repeated_share(words, size, total) > most:
            return "too much that is repeated"
    return ""


def _repeated_share(words: Sequence[str], size: int, total: int) -> float:
    """Share of the letters that stand in runs of `size` words that came before."""
    seen: set[tuple[str, ...]] = set()
    letters, covered = 0, 0
    for at in range(len(words) - size + 1):
        run = tuple(words[at : at + size])
        if run in seen:
            begin = max(at, covered)
            letters += sum(map(len, words[begin : at + size]))
            covered = at + size
        seen.add(run)
    return letters / max(1, total)
