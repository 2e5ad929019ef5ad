"""The word policy: a customer's words and phrases, and the managed list of profanity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.guardrails.folding import Folded, fold, lower
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.profanity import find_profanity
from rocamadre.guardrails.text import Text
from rocamadre.guardrails.wordindex import Hit, WordIndex, longest_first

MOST_WORDS = 10_000
MOST_CHARACTERS = 100
MOST_FINDINGS = 10_000
"""Findings per text; one is enough to block it, and nothing is masked by this policy."""

_ACTIONS = {"BLOCK": Action.BLOCK, "NONE": Action.NONE}


@dataclass(frozen=True, slots=True)
class _Setting:
    """What is done about a word, by source; None where it is not looked for."""

    by_source: Mapping[Source, Action | None]

    @classmethod
    def read(cls, config: Mapping[str, Any], what: str) -> _Setting:
        actions: dict[Source, Action | None] = {}
        for source, name in ((Source.INPUT, "input"), (Source.OUTPUT, "output")):
            action = config.get(f"{name}Action", "BLOCK")
            if action not in _ACTIONS:
                raise InvalidRequest(f"{name}Action of {what} is {action!r}; a word policy takes BLOCK or NONE")
            actions[source] = _ACTIONS[action] if config.get(f"{name}Enabled", True) else None
        return cls(actions)


class WordChecker:
    """Words of one guardrail, ready to be looked for."""

    def __init__(self, words: list[tuple[str, _Setting]], profanity: _Setting | None) -> None:
        plain = [lower(word).text for word, _ in words]
        self._settings = [setting for _, setting in words]
        self._plain = WordIndex(plain)
        # Disguises are looked for in words long enough not to come about by chance.
        self._folded = WordIndex([form if len(form) > 3 and form.isalpha() else "" for form in plain])
        self._profanity = profanity
        self._longest = max((len(word) for word in plain), default=0)

    @property
    def longest_match(self) -> int | None:
        """Room for the longest word with its letters spaced out."""
        return 2 * max(self._longest, 40 if self._profanity else 0) + 8

    def check(self, text: Text, source: Source, around: Surroundings) -> list[Finding]:
        """Words and phrases in order of place, the longest where they overlap; at most `MOST_FINDINGS` of a kind."""
        plain, folded = lower(text.raw), text.folded
        found = self._custom(text.raw, plain, folded, source) + self._profane(text, plain, source)
        return sorted(found, key=lambda one: (one.start, one.kind))

    def _custom(self, raw: str, plain: Folded, folded: Folded, source: Source) -> list[Finding]:
        hits: list[Hit] = []
        for view, index in ((plain, self._plain), (folded, self._folded)):
            if view is folded and folded.text == plain.text:
                break
            for hit in index.find(view.text):
                if self._settings[hit.number].by_source[source] is not None:
                    hits.append(Hit(hit.number, *view.span(hit.start, hit.end)))
                    if len(hits) >= 2 * MOST_FINDINGS:
                        break
        return [
            Finding("customWords", "", action, start=hit.start, end=hit.end, match=raw[hit.start : hit.end])
            for hit in longest_first(hits)[:MOST_FINDINGS]
            if (action := self._settings[hit.number].by_source[source]) is not None
        ]

    def _profane(self, text: Text, plain: Folded, source: Source) -> list[Finding]:
        action = self._profanity.by_source[source] if self._profanity else None
        if action is None:
            return []
        hits: list[Hit] = []
        for span in find_profanity(text.folded, plain, text.language):
            hits.append(Hit(0, *span))
            if len(hits) >= 2 * MOST_FINDINGS:
                break
        return [
            Finding(
                "managedWordLists",
                "PROFANITY",
                action,
                start=hit.start,
                end=hit.end,
                match=text.raw[hit.start : hit.end],
            )
            for hit in longest_first(hits)[:MOST_FINDINGS]
        ]


class Words:
    """Words and phrases that are refused."""

    name = "wordPolicy"
    config = "wordPolicyConfig"

    def checker(self, config: Mapping[str, Any], tier: str) -> WordChecker:
        """The checker for words and managed lists.

        Raises:
            InvalidRequest: Too many words, one too long or without a visible character, or an unknown list or action.
        """
        words = config.get("wordsConfig") or []
        if len(words) > MOST_WORDS:
            raise InvalidRequest(f"wordsConfig has {len(words)} words; {MOST_WORDS} are allowed")
        managed = [_managed(each) for each in config.get("managedWordListsConfig") or []]
        return WordChecker(list(_read(words)), managed[0] if managed else None)


def _read(words: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, _Setting]]:
    for each in words:
        word = each["text"]
        if len(word) > MOST_CHARACTERS:
            raise InvalidRequest(f"the word {word[:40]!r}… has {len(word)} characters; {MOST_CHARACTERS} are allowed")
        visible = fold(word).text.strip()
        if not visible:
            raise InvalidRequest(f"the word {word!r} has no visible character; leave it out")
        yield word.strip(), _Setting.read(each, f"the word {word!r}")


def _managed(config: Mapping[str, Any]) -> _Setting:
    if config["type"] != "PROFANITY":
        raise InvalidRequest(f"there is no managed word list {config['type']!r}; there is PROFANITY")
    return _Setting.read(config, "the list PROFANITY")
