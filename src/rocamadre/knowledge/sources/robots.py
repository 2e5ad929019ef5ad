"""robots.txt, as RFC 9309 has it, and the delay that many files name besides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_BYTES = 512_000
_MOST_RULES = 5_000
_MOST_DELAY_S = 60.0


@dataclass(frozen=True, slots=True)
class Robots:
    """What a host allows one crawler.

    Attributes:
        rules: Pattern and whether it allows; the longest that fits decides, and of two as long the one that allows.
        delay_s: Seconds between two pages; 0 for nothing said.
    """

    rules: tuple[tuple[str, bool], ...] = ()
    delay_s: float = 0.0

    def allows(self, url: str) -> bool:
        r"""Whether a page may be read.

        >>> read_robots(b"User-agent: *\nDisallow: /a\nAllow: /a/b$", ["bot"]).allows("https://x.org/a/b")
        True
        """
        parts = urlsplit(url)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        best, allowed = -1, True
        for pattern, allow in self.rules:
            if len(pattern) >= best and _fits(pattern, path):
                allowed = allow or (allowed if len(pattern) == best else False)
                best = len(pattern)
        return allowed


NOTHING = Robots((("/", False),))
"""What is assumed of a host whose file cannot be had."""


def read_robots(data: bytes, agents: Sequence[str]) -> Robots:
    """The rules for a crawler: those of the groups that name it, else those for all.

    Args:
        data: The file; what is beyond 500 kB is not read.
        agents: The crawler's names, without version.
    """
    names = {agent.lower() for agent in agents}
    mine: list[tuple[str, bool]] = []
    everybody: list[tuple[str, bool]] = []
    delays = {True: 0.0, False: 0.0}
    named = False
    group: set[str] = set()
    in_rules = False
    for line in data[:MOST_BYTES].decode("utf-8", "replace").removeprefix("\ufeff").splitlines():
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            group = {_product(value)} if in_rules else group | {_product(value)}
            in_rules = False
            named = named or _product(value) in names
            continue
        in_rules = True
        ours, all_ = bool(group & names), "*" in group
        if key in ("allow", "disallow") and value and len(mine) + len(everybody) < _MOST_RULES:
            rule = (value, key == "allow")
            mine += [rule] if ours else []
            everybody += [rule] if all_ else []
        elif key == "crawl-delay" and re.fullmatch(r"\d{1,6}(\.\d{1,6})?", value):
            for which, fits in ((True, ours), (False, all_)):
                delays[which] = min(_MOST_DELAY_S, float(value)) if fits else delays[which]
    return Robots(tuple(mine if named else everybody), delays[named])


def _product(value: str) -> str:
    return value.partition("/")[0].strip().lower()


def _fits(pattern: str, path: str) -> bool:
    """Whether a pattern fits the beginning of a path; `*` is anything, `$` at its end the path's end.

    Each part between stars is looked for from the one before on, which takes no longer than pattern times path.
    """
    anchored = pattern.endswith("$")
    first, *parts = (pattern[:-1] if anchored else pattern).split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for number, part in enumerate(parts):
        if anchored and number == len(parts) - 1:
            return len(path) - len(part) >= at and path.endswith(part)
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return not anchored or at == len(path)
