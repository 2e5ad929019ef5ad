"""Fields that keep what is being typed while the page around them changes.

A field with a `value` is set back to it whenever anything on the page is drawn again, as a stream does many times a
second. These have a beginning only; what they hold is the browser's, and the page is told of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from nicegui.events import GenericEventArguments

from rocamadre.console.parts.elements import Tag, begin_with, box, set_attributes, tag

Told: TypeAlias = Callable[[str], Awaitable[None] | None]

_PAUSE_S = 0.25
_SLIDE_S = 0.04
_SLIDE = """(event) => {
    event.target.closest(".slider").querySelector("input[type=number]").value = event.target.value;
    emit(event.target.value);
}"""
_NUMBER = """(event) => {
    const range = event.target.closest(".slider").querySelector("input[type=range]");
    range.value = event.target.value;
    if (event.type === "change") event.target.value = range.value;
    emit(range.value);
}"""


def free_text(
    label: str,
    on_input: Told,
    *,
    value: str = "",
    lines: int = 3,
    placeholder: str = "",
    hint: str = "",
    **attributes: Any,
) -> Tag:
    """A labelled text area; `on_input` gets its text a moment after it changes."""
    with box("field", name="label"):
        tag("span", label, classes="field-label")
        made = tag("textarea", value, rows=lines, placeholder=placeholder or None, spellcheck="false", **attributes)
        if hint:
            tag("span", hint, classes="faint small")
    listen(made, on_input)
    return made


def listen(field: Tag, on_input: Told, *, pause_s: float = _PAUSE_S) -> None:
    """Tell of a field's text: once in so many seconds, the last included, and at once when the field is left."""
    field.on("change", _told(on_input), js_handler="(event) => emit(event.target.value)")
    field.on(
        "input",
        _told(on_input),
        js_handler="(event) => emit(event.target.value)",
        throttle=pause_s,
        leading_events=False,
    )


def free_number(label: str, on_change: Told, *, value: str, least: float, most: float, placeholder: str = "") -> Tag:
    """A labelled number that may be left empty."""
    with box("field", name="label"):
        tag("span", label, classes="field-label")
        made = tag("input", type="number", min=least, max=most, step=1, placeholder=placeholder or None)
        begin_with(made, value)
    listen(made, on_change)
    return made


def slider(
    label: str, on_change: Told, *, value: float, least: float, most: float, step: float, hint: str = ""
) -> None:
    """A number to slide, or to write."""
    with box("slider"):
        name = tag("span", label, classes="field-label", title=hint or None)
        made = tag("input", type="range", min=least, max=most, step=step, aria_label=label)
        begin_with(made, f"{value:g}")
        number = tag("input", type="number", min=least, max=most, step=step, classes="slider-number", aria_label=label)
        begin_with(number, f"{value:g}")
    set_attributes(name, aria_hidden=True)
    told = _told(on_change)
    made.on("input", told, js_handler=_SLIDE, throttle=_SLIDE_S)
    number.on("input", told, js_handler=_NUMBER, throttle=_SLIDE_S)
    number.on("change", told, js_handler=_NUMBER)


def _told(on_input: Told) -> Callable[[GenericEventArguments], Awaitable[None] | None]:
    def handle(event: GenericEventArguments) -> Awaitable[None] | None:
        return on_input(str(event.args if event.args is not None else "")[:200_000])

    return handle
