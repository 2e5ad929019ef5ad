"""Checks of InvokeModel bodies, failing in the words that Amazon Bedrock uses.

A check takes a value, its JSON pointer and a list that it adds sentences to. They are put together like a schema:

>>> body = record({"prompt": string(), "temperature": number(0, 1)}, required=("prompt",))
>>> read_body({"temperature": 2}, body)
Traceback (most recent call last):
rocamadre.core.errors.InvalidRequest: Malformed input request: #: required key [prompt] not found#/temperature: 2 is \
not less or equal to 1, please reformat your input and try again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rocamadre.core.errors import InvalidRequest, NotBuilt

Check: TypeAlias = Callable[[Any, str, list[str]], None]

_NAMES: dict[type, str] = {
    type(None): "Null",
    bool: "Boolean",
    int: "Integer",
    float: "Number",
    str: "String",
    list: "JSONArray",
    dict: "JSONObject",
}
_MOST_SENTENCES = 10


def read_body(body: Any, check: Check) -> Any:
    """The body, if the check has nothing against it.

    Raises:
        InvalidRequest: what is wrong, with each place.
        NotBuilt: it asks for something that Rocamadre lacks.
    """
    wrong: list[str] = []
    check(body, "#", wrong)
    if wrong:
        raise malformed(*wrong)
    return body


def malformed(*sentences: str) -> InvalidRequest:
    """The error of a body that breaks its family's format."""
    more = len(sentences) - _MOST_SENTENCES
    text = "".join(sentences[:_MOST_SENTENCES]) + (f" and {more} more" if more > 0 else "")
    return InvalidRequest(f"Malformed input request: {text}, please reformat your input and try again.")


def anything(value: Any, at: str, wrong: list[str]) -> None:
    """Takes every value; what it holds is checked elsewhere."""


def number(least: float | None = None, most: float | None = None, *, above: float | None = None) -> Check:
    """A number in a closed range; `above` excludes its lower end."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            wrong.append(_expected("Number", value, at))
        else:
            wrong.extend(_outside(value, at, least=least, most=most, above=above))

    return check


def integer(least: int | None = None, most: int | None = None) -> Check:
    """A whole number in a closed range."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            wrong.append(_expected("Integer", value, at))
        else:
            wrong.extend(_outside(value, at, least=least, most=most, above=None))

    return check


def string(least: int = 0, most: int | None = None) -> Check:
    """Text of so many characters."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if not isinstance(value, str):
            wrong.append(_expected("String", value, at))
        elif len(value) < least:
            wrong.append(f"{at}: expected minLength: {least}, actual: {len(value)}")
        elif most is not None and len(value) > most:
            wrong.append(f"{at}: expected maxLength: {most}, actual: {len(value)}")

    return check


def choice(*values: Any) -> Check:
    """One of these values."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if not any(value == each and type(value) is type(each) for each in values):
            allowed = ", ".join(str(each) for each in values)
            wrong.append(f"{at}: {str(value)[:80]} is not a valid enum value ({allowed})")

    return check


def boolean(value: Any, at: str, wrong: list[str]) -> None:
    """True or false."""
    if not isinstance(value, bool):
        wrong.append(_expected("Boolean", value, at))


def array(item: Check, least: int = 0, most: int | None = None) -> Check:
    """A list of so many items."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if not isinstance(value, list):
            wrong.append(_expected("JSONArray", value, at))
            return
        if len(value) < least:
            wrong.append(f"{at}: expected minimum item count: {least}, found: {len(value)}")
        if most is not None and len(value) > most:
            wrong.append(f"{at}: expected maximum item count: {most}, found: {len(value)}")
            return
        for index, each in enumerate(value):
            item(each, f"{at}/{index}", wrong)

    return check


@dataclass(frozen=True, slots=True)
class Record:
    """An object with these keys and no others; see `record`."""

    fields: Mapping[str, Check]
    required: tuple[str, ...] = ()
    later: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, value: Any, at: str, wrong: list[str]) -> None:
        """Check a value."""
        if not isinstance(value, dict):
            wrong.append(_expected("JSONObject", value, at))
            return
        for key in self.required:
            if key not in value:
                wrong.append(f"{at}: required key [{key}] not found")
        for key, each in value.items():
            check = self.fields.get(key)
            if check is not None:
                check(each, f"{at}/{key}", wrong)
            elif key not in self.later:
                wrong.append(f"{at}: extraneous key [{key[:80]}] is not permitted")
            elif each not in (None, [], {}, False):
                raise NotBuilt(f"{at}/{key}: Rocamadre does not have {self.later[key]} yet; leave it out")


def record(
    fields: Mapping[str, Check], *, required: tuple[str, ...] = (), later: Mapping[str, str] | None = None
) -> Record:
    """An object with these keys and no others.

    Args:
        fields: The check of each key's value.
        required: Keys that must be there.
        later: Keys that the family has and Rocamadre lacks, with what they are; refused unless empty.
    """
    return Record(fields, required, later or {})


def mapping(value: Any, at: str, wrong: list[str]) -> None:
    """Any object."""
    if not isinstance(value, dict):
        wrong.append(_expected("JSONObject", value, at))


def optional(check: Check) -> Check:
    """Takes null too, which means that the key is not there."""

    def checked(value: Any, at: str, wrong: list[str]) -> None:
        if value is not None:
            check(value, at, wrong)

    return checked


def only(*values: Any, why: str) -> Check:
    """Of what the family allows, only these values are honoured here; null counts as the first.

    Args:
        values: The values taken.
        why: What any other would ask for, as the object of "Rocamadre does not have".
    """

    def check(value: Any, at: str, wrong: list[str]) -> None:
        if value is not None and not any(value == each and type(value) is type(each) for each in values):
            allowed = " or ".join(repr(each) for each in values)
            raise NotBuilt(f"{at}: Rocamadre does not have {why} yet; {allowed} is taken, or leave it out")

    return check


def either(*checks: tuple[type, Check]) -> Check:
    """One of several checks, by the value's type."""

    def check(value: Any, at: str, wrong: list[str]) -> None:
        for kind, inner in checks:
            if type(value) is kind:
                inner(value, at, wrong)
                return
        names = " or ".join(_NAMES[kind] for kind, _ in checks)
        wrong.append(_expected(names, value, at))

    return check


def _expected(name: str, value: Any, at: str) -> str:
    found = _NAMES.get(type(value), "JSONObject")
    return f"{at}: expected type: {name}, found: {found}"


def _outside(value: float, at: str, *, least: float | None, most: float | None, above: float | None) -> list[str]:
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{at}: {value} is not a finite number"]
    if above is not None and value <= above:
        return [f"{at}: {value} is not greater than {above}"]
    if least is not None and value < least:
        return [f"{at}: {value} is not greater or equal to {least}"]
    if most is not None and value > most:
        return [f"{at}: {value} is not less or equal to {most}"]
    return []
