"""The few elements that pages are made of: plain HTML, labelled, without any words of their own.

Nothing here makes HTML of a text: Vue sets it as text, and attributes are set one by one. Names of attributes that
would run code are refused, so that hostile text can only ever be shown.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from nicegui.events import GenericEventArguments

from rocamadre.console.parts.icons import ICONS

Handler: TypeAlias = Callable[[], Awaitable[None] | None]
ValueHandler: TypeAlias = Callable[[Any], Awaitable[None] | None]

_FORBIDDEN = frozenset({"innerhtml", "srcdoc", "style", "textcontent", "outerhtml", "is", "ref", "key", "formaction"})
_ADDRESSES = frozenset({"href", "src", "action"})


class Tag(TextElement):
    """One HTML element. Made with `tag`; usable with `with` to put others into it."""


def tag(name: str, text: str = "", *, classes: str = "", **attributes: Any) -> Tag:
    """An HTML element with a text and attributes.

    Args:
        name: For example `section`.
        text: Shown as it is.
        classes: Of `static/console.css`.
        **attributes: `aria_label` sets `aria-label`, `for_` sets `for`; None leaves one out; a bool of `aria_…` is
            written as a word.

    Raises:
        ValueError: an attribute or address that could run code.
    """
    made = Tag(tag=name, text=text)
    if classes:
        made.classes(classes)
    set_attributes(made, **attributes)
    return made


def set_attributes(element: ui.element, **attributes: Any) -> None:
    """Set attributes of an element; see `tag`.

    Raises:
        ValueError: an attribute or address that could run code.
    """
    for written, value in attributes.items():
        name = written.rstrip("_").replace("_", "-")
        if name.startswith((":", "on", "v-", ".", "^")) or name.lower() in _FORBIDDEN:
            raise ValueError(f"attribute {name!r} could run code")
        if name in _ADDRESSES and value is not None and not is_safe_address(str(value)):
            raise ValueError(f"address {str(value)[:80]!r} is neither a path nor http(s)")
        if value is None or (value is False and not name.startswith("aria-")):
            element.props.pop(name, None)
        else:
            word = isinstance(value, bool) and name.startswith("aria-")
            element.props[name] = str(value).lower() if word else value


def is_safe_address(address: str) -> bool:
    """Whether following an address can only fetch a page: a path of ours, a fragment, or http(s).

    >>> [is_safe_address(item) for item in ("/models", "#main", "https://a.b", "//a.b", "javascript:alert(1)")]
    [True, True, True, False, False]
    """
    if any(ord(letter) <= 32 or letter == "\\" for letter in address):
        return False
    return address.startswith(("https://", "http://", "#", "?")) or (
        address.startswith("/") and not address.startswith("//")
    )


def text(content: str, *, classes: str = "", name: str = "p", **attributes: Any) -> Tag:
    """A paragraph, or another element (`name`) with nothing but text."""
    return tag(name, content, classes=classes, **attributes)


def heading(content: str, *, level: int = 2, classes: str = "", **attributes: Any) -> Tag:
    """A heading; a page has one of level 1, which the layout makes."""
    return tag(f"h{level}", content, classes=classes, **attributes)


def box(classes: str = "", *, name: str = "div", **attributes: Any) -> Tag:
    """An element to put others into, with `with`."""
    return tag(name, classes=classes, **attributes)


def link(content: str, address: str, *, classes: str = "", **attributes: Any) -> Tag:
    """A link to a page of ours or, marked so that the other side learns nothing, of another site.

    Raises:
        ValueError: the address could run code.
    """
    if address.startswith("http"):
        attributes |= {"rel": "noopener noreferrer", "target": "_blank"}
    return tag("a", content, classes=classes, href=address, **attributes)


def icon(name: str, *, classes: str = "icon") -> ui.html:
    """A drawing of `icons.py`, hidden from screen readers; the text beside it says what it means."""
    return ui.html(ICONS[name], sanitize=False, tag="span").classes(classes)


def button(
    content: str, on_click: Handler, *, kind: str = "", symbol: str = "", label: str = "", **attributes: Any
) -> Tag:
    """A button.

    Args:
        content: What it says; may be empty when `symbol` and `label` are given.
        on_click: Plain or async.
        kind: `primary`, `quiet`, `danger`, or empty for the usual look.
        symbol: A name of `ICONS`.
        label: For screen readers and as tooltip, where the content does not say it.
        **attributes: See `tag`.
    """
    made = tag("button", classes=f"button {kind}".strip(), type="button", **attributes)
    if label:
        set_attributes(made, aria_label=label, title=label)
    with made:
        if symbol:
            icon(symbol)
        if content:
            tag("span", content)
    made.on("click", lambda _: on_click(), args=[])
    return made


def copy_button(content: str, *, label: str, done: str) -> Tag:
    """A button that puts a text on the clipboard, without asking the server.

    Args:
        content: What is copied.
        label: What the button is called.
        done: What it is called for a moment afterwards.
    """
    made = tag("button", classes="button quiet copy", type="button", aria_label=label, title=label)
    set_attributes(made, data_copy=content, data_done=done)
    with made:
        icon("copy")
        tag("span", label, classes="copy-label", aria_live="polite")
    made.on(
        "click",
        js_handler="""(event) => {
            const target = event.currentTarget, shown = target.querySelector(".copy-label"), before = shown.textContent;
            navigator.clipboard.writeText(target.dataset.copy).then(() => {
                shown.textContent = target.dataset.done;
                setTimeout(() => { shown.textContent = before; }, 1500);
            });
        }""",
    )
    return made


def code_block(content: str, *, label: str, copied: str) -> Tag:
    """Code as it is, with a button to copy it."""
    made = box("code-block")
    with made:
        tag("pre", content, tabindex="0")
        copy_button(content, label=label, done=copied)
    return made


def text_field(
    label: str,
    *,
    value: str = "",
    on_change: ValueHandler | None = None,
    placeholder: str = "",
    kind: str = "text",
    classes: str = "",
    lines: int = 1,
    **attributes: Any,
) -> Tag:
    """A labelled input, or a text area when `lines` is more than one; `on_change` gets the text when it is settled."""
    with box(f"field {classes}".strip(), name="label"):
        tag("span", label, classes="field-label")
        if lines > 1:
            made = tag("textarea", value, rows=lines, placeholder=placeholder or None, **attributes)
        else:
            made = tag("input", type=kind, placeholder=placeholder or None, **attributes)
            begin_with(made, value)
    if on_change is not None:
        made.on("change", _with_value(made, on_change), js_handler="(event) => emit(event.target.value)")
    return made


def begin_with(field: ui.element, value: str) -> None:
    """Say what a field holds before anybody types."""
    # As a property it would be what the field is held to: whatever else is drawn would take back what is being typed.
    field.props["^value"] = value


def fill(field: Tag, value: str) -> None:
    """Replace what a field holds, also what was typed."""
    field.client.run_javascript(f"getHtmlElement({field.id}).value = {json.dumps(value)}")


def choice_field(
    label: str,
    options: dict[str, str],
    *,
    value: str,
    on_change: ValueHandler,
    classes: str = "",
    groups: dict[str, dict[str, str]] | None = None,
    **attributes: Any,
) -> Tag:
    """A labelled list to choose one from; `options` is value to text, `groups` are more of them by their heading."""
    with box(f"field {classes}".strip(), name="label"):
        tag("span", label, classes="field-label")
        made = tag("select", **attributes)
        with made:
            for key, shown in options.items():
                tag("option", shown, value=key, selected=key == value)
            for name, more in (groups or {}).items():
                with tag("optgroup", label=name):
                    for key, shown in more.items():
                        tag("option", shown, value=key, selected=key == value)
    made.on("change", _with_value(made, on_change), js_handler="(event) => emit(event.target.value)")
    return made


def _with_value(made: Tag, on_change: ValueHandler) -> Callable[[GenericEventArguments], Awaitable[None] | None]:
    def handle(event: GenericEventArguments) -> Awaitable[None] | None:
        return on_change(event.args)

    return handle
