"""Which files of a tree are documents, by their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rocamadre.core.errors import InvalidRequest
from rocamadre.knowledge.sources.sidecar import ENDING


@dataclass(frozen=True)
class Wanted:
    """Patterns of relative paths with `/`, as in a shell; `*` also crosses `/`.

    Attributes:
        include: A document fits one of them; empty for all.
        exclude: A document fits none of them.
        hidden: Whether names that begin with a dot are taken, too.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    hidden: bool = False

    @cached_property
    def _patterns(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        including, excluding = (
            [re.compile(fnmatch.translate(each)) for each in patterns] for patterns in (self.include, self.exclude)
        )
        return including, excluding

    def takes(self, path: str) -> bool:
        """Whether this is a document.

        >>> Wanted(include=("*.md",)).takes("docs/a.md"), Wanted().takes(".git/config")
        (True, False)
        """
        if path.endswith(ENDING):
            return False
        if not self.hidden and any(part.startswith(".") for part in path.split("/")):
            return False
        including, excluding = self._patterns
        if including and not any(each.match(path) for each in including):
            return False
        return not any(each.match(path) for each in excluding)


def wanted_of(configuration: Mapping[str, Any]) -> Wanted:
    """Of a loader's `include`, `exclude` and `hidden`.

    Raises:
        InvalidRequest: they are no lists of patterns.
    """
    return Wanted(
        _texts(configuration.get("include", ()), "include"),
        _texts(configuration.get("exclude", ()), "exclude"),
        bool(configuration.get("hidden", False)),
    )


def only_known(configuration: Mapping[str, Any], known: Sequence[str], loader: str) -> None:
    """Refuse members that mean nothing.

    Raises:
        InvalidRequest: there are such.
    """
    unknown = sorted(set(configuration) - {"type", *known})
    if unknown:
        raise InvalidRequest(f"a {loader} loader has no {unknown[0]!r}; it has {', '.join(known)}")


def text_of(configuration: Mapping[str, Any], name: str, loader: str, default: str | None = None) -> str:
    """A member that is text.

    Raises:
        InvalidRequest: it is missing and has no default, or is no text.
    """
    value = configuration.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise InvalidRequest(f"a {loader} loader needs {name!r}, a text; {value!r:.100} was given")
    return value


def _texts(given: Any, name: str) -> tuple[str, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or not all(isinstance(each, str) for each in given):
        raise InvalidRequest(f"{name!r} is a list of patterns such as *.md; {given!r:.100} was given")
    return tuple(given)
