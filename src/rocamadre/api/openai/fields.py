"""Reading a request's parameters one by one, with OpenAI's sentences for what is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from rocamadre.api.http import HttpRequest
from rocamadre.api.openai.errors import BadParameter
from rocamadre.core.errors import InvalidRequest

MOST_LEVELS = 200
"""Objects and arrays inside each other that a body may hold."""

_GUARDRAILS = ("x-amzn-bedrock-guardrailidentifier", "x-amzn-bedrock-guardrailversion")
"""By which Bedrock's own OpenAI-shaped paths take a guardrail."""

_NAMES = {
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class Fields:
    """A JSON object's parameters; null counts as absent.

    Args:
        values: The object.
        prefix: What its keys are written after in errors, such as `stream_options.`.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def raw(self, name: str) -> Any:
        """A value as it stands."""
        return self._values.get(name)

    def only_of(self, *names: str) -> dict[str, Any]:
        """The values of these names that are there."""
        return {name: self._values[name] for name in names if name in self}

    def required(self, name: str) -> Any:
        """A value that must be there.

        Raises:
            BadParameter: it is not.
        """
        value = self._values.get(name)
        if value is None:
            param = self._prefix + name
            raise BadParameter(
                f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
            )
        return value

    def text(self, name: str) -> str | None:
        """A string."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, str):
            raise self.wrong_type(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false when absent."""
        value = self._values.get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self.wrong_type(name, "a boolean")
        return value

    def integer(self, name: str, least: int, most: int) -> int | None:
        """A whole number in a closed range."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong_type(name, "an integer")
        self._check_range(name, value, least, most, "integer")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """A finite number in a closed range."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.wrong_type(name, "a decimal")
        self._check_range(name, value, least, most, "decimal")
        return float(value)

    def choice(self, name: str, values: Iterable[str]) -> str | None:
        """One of some strings."""
        value = self.text(name)
        allowed = list(values)
        if value is not None and value not in allowed:
            raise self.wrong(name, f"Supported values are: {', '.join(repr(each) for each in allowed)}")
        return value

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """A string, or a list of up to `most` strings; empty when absent."""
        value = self._values.get(name)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong_type(name, "a string or an array of strings")
        if len(value) > most:
            raise self.wrong(name, f"at most {most} are taken, {len(value)} were given")
        return tuple(value)

    def record(self, name: str) -> Fields:
        """An object's parameters; empty when absent."""
        value = self._values.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.wrong_type(name, "an object")
        return Fields(value or {}, f"{self._prefix}{name}.")

    def records(self, name: str, most: int) -> list[Fields]:
        """An array of up to `most` objects, each as parameters; empty when absent."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong_type(name, "an array of objects")
        if len(value) > most:
            param = self._prefix + name
            raise BadParameter(
                f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array "
                f"with length {len(value)} instead.",
                param=param,
                code="array_above_max_length",
            )
        return [record_of(each, f"{self._prefix}{name}[{index}]") for index, each in enumerate(value)]

    def pattern(self, name: str, pattern: re.Pattern[str]) -> str | None:
        """A string of a form."""
        value = self.text(name)
        if value is not None and not pattern.fullmatch(value):
            param = self._prefix + name
            raise BadParameter(
                f"Invalid '{param}': string does not match pattern. Expected a string that matches the pattern "
                f"'{pattern.pattern}'.",
                param=param,
            )
        return value

    def at(self, name: str) -> str:
        """A parameter's whole name."""
        return self._prefix + name

    def only(self, known: Iterable[str]) -> None:
        """Refuse every key but these."""
        for name in self._values:
            if name not in known:
                param = self._prefix + name[:80]
                raise BadParameter(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")

    def refuse(self, later: Mapping[str, str]) -> None:
        """Refuse keys that come with a later part of Rocamadre, unless they hold nothing.

        Args:
            later: Key to the part.
        """
        for name, part in later.items():
            if self._values.get(name) not in (None, [], {}, False):
                raise self.unsupported(name, f"Rocamadre does not have {part} yet; leave it out")

    def unsupported(self, name: str, why: str) -> BadParameter:
        """The error of a parameter, or of a value, that is known but not taken here."""
        param = self._prefix + name
        return BadParameter(f"'{param}': {why}.", param=param, code="unsupported_parameter")

    def wrong(self, name: str, why: str) -> BadParameter:
        """The error of a value that is not allowed."""
        param = self._prefix + name
        shown = repr(self._values.get(name))
        return BadParameter(f"Invalid value for '{param}': {shown[:80]}. {why}.", param=param)

    def wrong_type(self, name: str, expected: str) -> BadParameter:
        """The error of a value of another type."""
        param = self._prefix + name
        found = _NAMES.get(type(self._values.get(name)), "null")
        return BadParameter(
            f"Invalid type for '{param}': expected {expected}, but got {found} instead.",
            param=param,
            code="invalid_type",
        )

    def _check_range(self, name: str, value: float, least: float, most: float, kind: str) -> None:
        if least <= value <= most:
            return
        param, low = self._prefix + name, value < least
        raise BadParameter(
            f"Invalid '{param}': {kind} {'below minimum' if low else 'above maximum'} value. Expected a value "
            f"{f'>= {least:g}' if low else f'<= {most:g}'}, but got {value} instead.",
            param=param,
            code=f"{kind}_{'below_min' if low else 'above_max'}_value",
        )


def record_of(value: Any, at: str) -> Fields:
    """An object's parameters.

    Raises:
        BadParameter: it is no object.
    """
    if not isinstance(value, dict):
        found = _NAMES.get(type(value), "null")
        raise BadParameter(
            f"Invalid type for '{at}': expected an object, but got {found} instead.", param=at, code="invalid_type"
        )
    return Fields(value, f"{at}.")


def check_levels(value: Any) -> None:
    """Refuse what is nested deeper than anything that reads it further on can follow.

    Raises:
        BadParameter: more than `MOST_LEVELS` levels.
    """
    level = [value]
    for _ in range(MOST_LEVELS):
        deeper: list[Any] = []
        for each in level:
            inside = each.values() if isinstance(each, dict) else each
            deeper.extend(one for one in inside if isinstance(one, dict | list))
        if not deeper:
            return
        level = deeper
    raise BadParameter(
        f"The body of the request is nested deeper than {MOST_LEVELS} levels.", param=None, code="invalid_value"
    )


def read_fields(request: HttpRequest, *, guarded: bool = False) -> Fields:
    """The body's parameters.

    Args:
        request: The request.
        guarded: Whether its headers may name a guardrail.

    Raises:
        BadParameter: it is no JSON object, or a header asks for what is not here.
    """
    for name in _GUARDRAILS:
        if name in request.headers and not guarded:
            raise BadParameter(f"The header {name}: guardrails do not apply here; leave it out.", param=None)
    try:
        body = request.json()
    except InvalidRequest as error:
        raise BadParameter(
            f"We could not parse the JSON body of your request: {error.message}", param=None, code=None
        ) from error
    if not isinstance(body, dict):
        raise BadParameter("The body of the request must be a JSON object.", param=None, code=None)
    if request.body.count(b"[") + request.body.count(b"{") > MOST_LEVELS:
        check_levels(body)
    return Fields(body)
