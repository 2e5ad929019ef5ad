"""The likeliest next tokens as bars, drawn again for each change of a setting."""

from __future__ import annotations

from collections.abc import Sequence

from rocamadre.console.parts.elements import Tag, box, set_attributes, tag, text
from rocamadre.console.playground.tokens import UNREADABLE, Candidate, visible
from rocamadre.console.translation import Translator
from rocamadre.core.explanation import Candidate as Explained
from rocamadre.core.explanation import Settings, Step, explain_step

SHOWN = 10

_REMOVED = {"temperature 0": "greedy"}


class Distribution:
    """Rows that are made once and then only filled.

    Args:
        t: The visitor's texts.
    """

    def __init__(self, t: Translator) -> None:
        self._t = t
        self._top: tuple[Candidate, ...] = ()
        self.place = box("distribution")
        with self.place:
            with tag("ol", classes="chances", aria_label=t("playground.next_token")):
                self._rows = [_Row() for _ in range(SHOWN + 1)]
            self._note = text("", classes="faint small")

    def fill(self, top: Sequence[Candidate], settings: Settings) -> None:
        """Show other candidates."""
        self._top = tuple(top)
        self.redraw(settings)

    def redraw(self, settings: Settings) -> None:
        """Show what other settings make of the same candidates."""
        if not self._top:
            return
        t = self._t
        step = explain_step(self._top, self._top[0], settings)
        for row, candidate in zip(self._rows, step.candidates[:SHOWN], strict=False):
            row.show(t, _piece(t, candidate.text), candidate)
        for row in self._rows[len(step.candidates[:SHOWN]) : SHOWN]:
            row.hide()
        self._rows[SHOWN].show(t, t("playground.others"), _rest(step))
        kept = sum(not candidate.removed_by for candidate in step.candidates)
        told = t("playground.kept", kept=kept, shown=len(step.candidates))
        self._note.set_text(f"{told} {t('playground.rough')}" if step.notes else told)


class _Row:
    """A piece, what the model gave it, and what the settings leave of that."""

    def __init__(self) -> None:
        self._item = tag("li", classes="chance", hidden=True)
        with self._item:
            self._piece = tag("span", classes="chance-piece mono")
            with box("chance-bars", aria_hidden=True):
                self._model = tag("progress", classes="bar-model", max=1)
                self._final = tag("progress", classes="bar-final", max=1)
            self._number = tag("span", classes="chance-number")

    def show(self, t: Translator, piece: str, candidate: Explained) -> None:
        _set_text(self._piece, piece)
        removed = candidate.removed_by
        self._item.classes(add="removed" if removed else "", remove="" if removed else "removed")
        set_attributes(self._item, hidden=False)
        _set_value(self._model, candidate.model)
        _set_value(self._final, 0.0 if removed else candidate.final or 0.0)
        if removed:
            name = t("playground.greedy") if removed in _REMOVED else removed
            shown = f"{percent(t, candidate.model)} · {name}"
        elif candidate.final is None:
            shown = f"{percent(t, candidate.model)} → ?"
        else:
            shown = f"{percent(t, candidate.model)} → {percent(t, candidate.final)}"
        _set_text(self._number, shown)

    def hide(self) -> None:
        set_attributes(self._item, hidden=True)


def _rest(step: Step) -> Explained:
    """All that have no row of their own, as one."""
    beyond = step.candidates[SHOWN:]
    left = [each for each in beyond if not each.removed_by]
    removed = {each.removed_by for each in beyond} | ({step.others.removed_by} if step.others.model else set())
    final = sum(each.final or 0.0 for each in left)
    if step.others.model and not step.others.removed_by:
        unknown = step.others.final is None
        return Explained("", sum(each.model for each in beyond) + step.others.model, final=None if unknown else final)
    return Explained(
        "",
        sum(each.model for each in beyond) + step.others.model,
        removed_by="" if left else ", ".join(sorted(removed - {""})),
        final=final,
    )


def percent(t: Translator, share: float) -> str:
    """A share of 1 for people."""
    if 0 < share < 0.001:
        return f"< {t.number(0.1, digits=1)} %"
    return f"{t.number(share * 100, digits=1)} %"


def _piece(t: Translator, piece: str) -> str:
    return t("playground.part_of_letter") if UNREADABLE in piece else visible(piece)


def _set_text(element: Tag, content: str) -> None:
    if element.text != content:
        element.set_text(content)


def _set_value(element: Tag, share: float) -> None:
    value = round(share, 4)
    if element.props.get("value") != value:
        set_attributes(element, value=value)
