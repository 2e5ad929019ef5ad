"""The fields of a guardrail's policies: each changes the draft it is given, and tells the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from rocamadre.console.guardrails.draft import (
    BLOCK,
    FILTERS,
    GROUNDING,
    MASK,
    MOST_THRESHOLD,
    MOST_WORD_CHARACTERS,
    OFF,
    PII,
    PROMPTS_ONLY,
    REPORT,
    SIDES,
    STRENGTHS,
    Draft,
    choose,
    chosen,
    lines,
    new_filter,
    strength,
)
from rocamadre.console.page import Page
from rocamadre.console.parts.elements import Tag, box, button, choice_field, tag, text, text_field
from rocamadre.console.parts.inputs import free_text, slider
from rocamadre.console.translation import Translator

Changed: TypeAlias = Callable[[], None]

_BLOCKING = (BLOCK, REPORT, OFF)
_MASKING = (BLOCK, MASK, REPORT, OFF)
_EXAMPLES = 5


def content_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Strength and action of each content filter, for prompts and for answers."""
    t = page.t

    def set_strength(kind: str, side: str, value: Any) -> None:
        entry = draft.filters.setdefault(kind, new_filter(kind, "NONE"))
        entry[f"{side}Strength"] = str(value)
        entry[f"{side}Enabled"] = True
        changed()

    def set_action(kind: str, side: str, value: Any) -> None:
        draft.filters.setdefault(kind, new_filter(kind, "NONE"))[f"{side}Action"] = str(value)
        changed()

    strengths = {each: t(f"policies.strength_{each}") for each in STRENGTHS}
    for kind in FILTERS:
        entry = draft.filters.get(kind, new_filter(kind, "NONE"))
        with box("policy-row", role="group", aria_label=t(f"policies.{kind}")):
            with box("policy-name"):
                tag("span", t(f"policies.{kind}"), classes="strong")
                tag("span", t(f"policies.{kind}_hint"), classes="faint small")
            for side in SIDES:
                if side == "output" and kind == PROMPTS_ONLY:
                    tag("span", t("policies.prompts_only"), classes="faint small policy-none")
                    continue
                with box("policy-side"):
                    choice_field(
                        t(f"policies.{side}"), strengths, value=strength(entry, side),
                        on_change=partial(set_strength, kind, side),
                    )  # fmt: skip
                    choice_field(
                        t("policies.action"), _choices(t, (BLOCK, REPORT)), value=_action(entry, side),
                        on_change=partial(set_action, kind, side),
                    )  # fmt: skip


def _action(entry: dict[str, Any], side: str) -> str:
    return str(entry.get(f"{side}Action", BLOCK))


def _choices(t: Translator, names: Sequence[str]) -> dict[str, str]:
    return {name: t(f"policies.do_{name}") for name in names}


def _sides(page: Page, entry: dict[str, Any], names: Sequence[str], changed: Changed) -> None:
    """What is done on either side."""

    def take(side: str, value: Any) -> None:
        choose(entry, side, str(value))
        changed()

    for side in SIDES:
        choice_field(
            page.t(f"policies.{side}"), _choices(page.t, names), value=chosen(entry, side),
            on_change=partial(take, side), classes="policy-choice",
        )  # fmt: skip


class Entries:
    """A list of entries that can be added and taken away.

    Args:
        page: The visit.
        entries: Changed in place.
        draw: Makes the fields of an entry.
        changed: Called after each change.
        drop: What the button that takes an entry away is called, from the entry.
    """

    def __init__(
        self,
        page: Page,
        entries: list[dict[str, Any]],
        draw: Callable[[dict[str, Any]], None],
        changed: Changed,
        *,
        drop: Callable[[dict[str, Any]], str],
    ) -> None:
        self._page, self._entries, self._draw_one, self._changed, self._name = page, entries, draw, changed, drop
        self._place = box("entries")
        self._none = text(page.t("policies.none"), classes="faint small")
        for entry in entries:
            self._draw(entry)
        self._count()

    def add(self, entry: dict[str, Any]) -> None:
        """Put one more at the end."""
        self._entries.append(entry)
        self._draw(entry)
        self._count()
        self._changed()

    def _draw(self, entry: dict[str, Any]) -> None:
        with self._place, box("entry", role="group", aria_label=self._name(entry)) as made:
            self._draw_one(entry)
            button(
                "", partial(self._drop, entry, made), kind="quiet square entry-drop", symbol="close",
                label=self._page.t("policies.drop", name=self._name(entry)),
            )  # fmt: skip

    def _drop(self, entry: dict[str, Any], made: Tag) -> None:
        # By identity: two that were just added are equal.
        self._entries[:] = [each for each in self._entries if each is not entry]
        made.delete()
        self._count()
        self._changed()

    def _count(self) -> None:
        self._none.set_visibility(not self._entries)


def topic_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Denied topics, each with its definition and examples."""
    t = page.t

    def draw(entry: dict[str, Any]) -> None:
        def take(name: str, value: Any) -> None:
            entry[name] = str(value)
            changed()

        def take_examples(value: str) -> None:
            entry["examples"] = [line.strip() for line in value.splitlines() if line.strip()][:_EXAMPLES]
            changed()

        with box("section grow"):
            with box("fields"):
                text_field(t("policies.topic"), value=entry["name"], on_change=partial(take, "name"), maxlength=100,
                           placeholder=t("policies.topic_example"), classes="whole")  # fmt: skip
                _sides(page, entry, _BLOCKING, changed)
            free_text(t("policies.definition"), partial(take, "definition"), value=entry["definition"], lines=2,
                      maxlength=200, placeholder=t("policies.definition_example"))  # fmt: skip
            free_text(t("policies.examples"), take_examples, value="\n".join(entry.get("examples") or ()), lines=3,
                      placeholder=t("policies.examples_example"))  # fmt: skip

    entries = Entries(page, draft.topics, draw, changed, drop=lambda each: each["name"] or t("policies.new_topic"))
    button(t("policies.add_topic"), lambda: entries.add({"name": "", "definition": "", "type": "DENY"}), symbol="plus")


def word_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Words and phrases, one a line, and the managed list."""
    t = page.t

    def take(written: str) -> None:
        draft.set_words(written)
        changed()

    def take_side(side: str, value: Any) -> None:
        for entry in draft.words:
            choose(entry, side, str(value))
        changed()

    def take_profanity(side: str, value: Any) -> None:
        entry = draft.profanity or {"type": "PROFANITY", **{f"{each}Enabled": False for each in SIDES}}
        choose(entry, side, str(value))
        draft.profanity = None if all(chosen(entry, each) == OFF for each in SIDES) else entry
        changed()

    written = lines(draft.words)
    if len(written) > MOST_WORD_CHARACTERS:
        text(t("policies.words_long", count=t.number(len(draft.words))), classes="faint")
    else:
        free_text(t("policies.words"), take, value=written, lines=5, maxlength=MOST_WORD_CHARACTERS,
                  placeholder=t("policies.words_example"))  # fmt: skip
    with box("fields", role="group", aria_label=t("policies.words")):
        for side in SIDES:
            choice = draft.words_choice(side)
            options = _choices(t, _BLOCKING) if choice else {"": t("policies.various"), **_choices(t, _BLOCKING)}
            choice_field(t(f"policies.words_{side}"), options, value=choice, on_change=partial(take_side, side))
    with box("policy-row", role="group", aria_label=t("policies.PROFANITY")):
        with box("policy-name"):
            tag("span", t("policies.PROFANITY"), classes="strong")
            tag("span", t("policies.PROFANITY_hint"), classes="faint small")
        for side in SIDES:
            choice = chosen(draft.profanity, side) if draft.profanity else OFF
            choice_field(t(f"policies.{side}"), _choices(t, _BLOCKING), value=choice, classes="policy-choice",
                         on_change=partial(take_profanity, side))  # fmt: skip


def pii_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Types of personal data, each with what is done about it."""
    t = page.t

    def draw(entry: dict[str, Any]) -> None:
        with box("policy-name"):
            tag("span", t(f"policies.{entry['type']}"), classes="strong")
            tag("span", f"{{{entry['type']}}}", classes="faint small mono")
        _sides(page, entry, _MASKING, changed)

    entries = Entries(page, draft.pii, draw, changed, drop=lambda each: t(f"policies.{each['type']}"))

    def add(value: Any) -> None:
        kind = str(value)
        if kind and all(each["type"] != kind for each in draft.pii):
            entries.add({"type": kind, "action": MASK})

    groups = {
        t(f"policies.group_{group}"): {kind: t(f"policies.{kind}") for kind in kinds} for group, kinds in PII.items()
    }
    choice_field(t("policies.add_pii"), {"": t("policies.choose")}, value="", on_change=add, groups=groups,
                 classes="wide")  # fmt: skip


def regex_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """The visitor's own expressions."""
    t = page.t

    def draw(entry: dict[str, Any]) -> None:
        def take(name: str, value: Any) -> None:
            entry[name] = str(value)
            changed()

        with box("fields grow"):
            text_field(t("policies.regex_name"), value=entry["name"], on_change=partial(take, "name"), maxlength=100,
                       placeholder=t("policies.regex_name_example"))  # fmt: skip
            text_field(t("policies.pattern"), value=entry["pattern"], on_change=partial(take, "pattern"), maxlength=500,
                       classes="mono-field", spellcheck="false", placeholder=t("policies.pattern_example"))  # fmt: skip
            _sides(page, entry, _MASKING, changed)

    entries = Entries(page, draft.regexes, draw, changed, drop=lambda each: each["name"] or t("policies.new_regex"))
    button(t("policies.add_regex"), lambda: entries.add({"name": "", "pattern": "", "action": MASK}), symbol="plus")


def grounding_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Thresholds of grounding and relevance."""
    t = page.t

    def take_action(kind: str, value: Any) -> None:
        if value == OFF:
            draft.grounding.pop(kind, None)
        else:
            entry = draft.grounding.setdefault(kind, {"type": kind, "threshold": thresholds[kind]})
            entry |= {"action": str(value), "enabled": True}
        changed()

    def take_threshold(kind: str, value: str) -> None:
        try:
            thresholds[kind] = min(MOST_THRESHOLD, max(0.0, float(value)))
        except ValueError:
            return
        if kind in draft.grounding:
            draft.grounding[kind]["threshold"] = thresholds[kind]
            changed()

    thresholds = {kind: float(draft.grounding.get(kind, {}).get("threshold", 0.7)) for kind in GROUNDING}
    for kind in GROUNDING:
        entry = draft.grounding.get(kind)
        choice = OFF if entry is None or entry.get("enabled", True) is False else str(entry.get("action", BLOCK))
        with box("policy-row", role="group", aria_label=t(f"policies.{kind}")):
            with box("policy-name"):
                tag("span", t(f"policies.{kind}"), classes="strong")
                tag("span", t(f"policies.{kind}_hint"), classes="faint small")
            choice_field(t("policies.action"), _choices(t, _BLOCKING), value=choice, classes="policy-choice",
                         on_change=partial(take_action, kind))  # fmt: skip
            with box("policy-slider"):
                slider(t("policies.threshold"), partial(take_threshold, kind), value=thresholds[kind], least=0.0,
                       most=MOST_THRESHOLD, step=0.01)  # fmt: skip


def message_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """What is answered in place of what is blocked."""
    t = page.t

    def take(name: str, value: str) -> None:
        setattr(draft, name, value)
        changed()

    for name in ("blocked_input", "blocked_output"):
        free_text(t(f"policies.{name}"), partial(take, name), value=getattr(draft, name), lines=2, maxlength=500)


def naming_fields(page: Page, draft: Draft, changed: Changed) -> None:
    """Name and description."""
    t = page.t

    def take(name: str, value: Any) -> None:
        setattr(draft, name, str(value).strip())
        changed()

    with box("fields"):
        text_field(t("guardrails.name"), value=draft.name, on_change=partial(take, "name"), maxlength=50,
                   placeholder=t("guardrails.name_example"))  # fmt: skip
        text_field(t("policies.description"), value=draft.description, on_change=partial(take, "description"),
                   maxlength=200, classes="grow")  # fmt: skip
