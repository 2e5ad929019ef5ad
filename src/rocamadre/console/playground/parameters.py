"""The playground's settings: read from an address, bounded, and written for each wire."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from rocamadre.core.explanation import Settings

MOST_MODELS = 3
"""Models side by side."""
MODES = ("chat", "prompt")
MOST_STOPS = 4
"""Stop sequences; both wires take as many."""
MOST_SEED = 2**31 - 1

_LONGEST_STOP = 100
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")


class Bounds(NamedTuple):
    """What a number may be."""

    least: float
    most: float
    step: float


BOUNDS = {
    "temperature": Bounds(0, 1, 0.05),
    "top_k": Bounds(0, 100, 1),
    "top_p": Bounds(0.01, 1, 0.01),
    "min_p": Bounds(0, 1, 0.01),
    "max_tokens": Bounds(1, 4096, 1),
}
"""Of the sliders; `top_k` 0 keeps all. Converse takes no temperature over 1."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """How tokens are picked; what is shown is what is sent."""

    temperature: float = 0.7
    top_k: int = 0
    top_p: float = 0.9
    min_p: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    stop: tuple[str, ...] = ()

    def changed(self, name: str, written: str) -> Parameters:
        """These with one value as somebody wrote it; what is no number changes nothing, others are brought into bounds.

        >>> Parameters().changed("top_p", "7").top_p, Parameters().changed("seed", "x").seed
        (1, None)
        """
        if name == "seed":
            value = _number(written)
            return replace(self, seed=None if value is None else round(min(max(value, 0), MOST_SEED)))
        if name == "stop":
            lines = [line[:_LONGEST_STOP] for line in written.split("\n") if line]
            return replace(self, stop=tuple(dict.fromkeys(lines))[:MOST_STOPS])
        number = _number(written)
        if name not in BOUNDS or number is None:
            return self
        bounds = BOUNDS[name]
        number = min(max(number, bounds.least), bounds.most)
        known: dict[str, Any] = {name: round(number) if bounds.step == 1 else number}
        return replace(self, **known)

    def query(self) -> dict[str, str]:
        """Those that are not as usual, for an address."""
        plain = Parameters()
        found = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value != getattr(plain, each.name):
                found[each.name] = "\n".join(value) if isinstance(value, tuple) else f"{value:g}"
        if self.seed is not None:
            found["seed"] = str(self.seed)
        return found

    def converse(self) -> dict[str, Any]:
        """Members of Converse; a setting that does nothing is left out, so that models without it can be asked."""
        config: dict[str, Any] = {"maxTokens": self.max_tokens, "temperature": self.temperature, "topP": self.top_p}
        if self.stop:
            config["stopSequences"] = list(self.stop)
        found: dict[str, Any] = {"inferenceConfig": config}
        if more := self._more():
            found["additionalModelRequestFields"] = more
        return found

    def openai(self) -> dict[str, Any]:
        """Parameters of `/v1`; those that OpenAI does not have are under the names in which this server takes them."""
        found: dict[str, Any] = {
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            **self._more(),
        }
        if self.stop:
            found["stop"] = list(self.stop)
        return found

    def settings(self) -> Settings:
        """For the arithmetic of one step."""
        return Settings(temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, min_p=self.min_p)

    def _more(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.top_k:
            found["top_k"] = self.top_k
        if self.min_p:
            found["min_p"] = self.min_p
        if self.seed is not None:
            found["seed"] = self.seed
        return found


class View(NamedTuple):
    """What an address of the playground says; never a prompt.

    Attributes:
        mode: Of `MODES`.
        models: Those side by side; empty for the first there is.
    """

    mode: str = MODES[0]
    models: tuple[str, ...] = ()
    parameters: Parameters = Parameters()

    def query(self) -> dict[str, str]:
        """For an address."""
        mode = "" if self.mode == MODES[0] else self.mode
        return {"mode": mode, "models": ",".join(self.models), **self.parameters.query()}


def read_view(query: Mapping[str, str]) -> View:
    """What an address asks for; whatever cannot be is left out.

    >>> read_view({"models": "a,b,<b>", "temperature": "9", "seed": "4"}).query()
    {'mode': '', 'models': 'a,b', 'temperature': '1', 'seed': '4'}
    """
    parameters = Parameters()
    for each in fields(Parameters):
        if each.name in query:
            parameters = parameters.changed(each.name, query[each.name])
    named = dict.fromkeys(name for name in query.get("models", "").split(",") if _MODEL.fullmatch(name))
    mode = query.get("mode", "")
    return View(mode if mode in MODES else MODES[0], tuple(named)[:MOST_MODELS], parameters)


def _number(written: str) -> float | None:
    try:
        value = float(written.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
