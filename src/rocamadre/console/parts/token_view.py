"""A text cut into its tokens: how likely each was, what else could have stood there, and going on from another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from nicegui.events import GenericEventArguments

from rocamadre.console.parts.distribution import percent
from rocamadre.console.parts.elements import Tag, box, button, heading, set_attributes, tag, text
from rocamadre.console.parts.figures import facts
from rocamadre.console.playground.tokens import MOST_TOKENS, UNREADABLE, Candidate, Token, visible
from rocamadre.console.translation import Translator

_ALTERNATIVES = 10
_EMIT = """(event) => {
    const token = event.target.closest("[data-token]");
    if (token) emit(event.type + " " + token.dataset.token);
}"""
# One of the tokens is reached with Tab, the others with the arrows.
_MOVE = """(event) => {
    const token = event.target.closest("[data-token]");
    if (!token) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); token.click(); return; }
    const forth = {ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling"}[event.key];
    const other = event.key === "Home" ? token.parentElement.firstElementChild
        : event.key === "End" ? token.parentElement.lastElementChild : forth && token[forth];
    if (!other) return;
    event.preventDefault();
    token.tabIndex = -1;
    other.tabIndex = 0;
    other.focus();
}"""

Choose = Callable[[int, Candidate], Awaitable[None] | None]


class TokenView:
    """Tokens in a row, and the one that is looked at below.

    Args:
        t: The visitor's texts.
        tokens: In order.
        on_choose: Given the place of a token and what shall stand there instead.
    """

    def __init__(self, t: Translator, tokens: Sequence[Token], on_choose: Choose) -> None:
        self._t = t
        self._tokens = tokens
        self._on_choose = on_choose
        self._pinned: int | None = None
        self._looked = -1
        with box("token-view"):
            text(t("playground.tokens_hint"), classes="faint small")
            shown = box("tokens mono", role="group", aria_label=t("playground.tokens"))
            with shown:
                self._pieces = [self._piece(place, token) for place, token in enumerate(tokens)]
            if len(tokens) == MOST_TOKENS:
                text(t("playground.tokens_cut", count=MOST_TOKENS), classes="faint small")
            self._detail = box("token-detail", aria_live="polite")
        for event in ("mouseover", "focusin", "click"):
            shown.on(event, self._point, js_handler=_EMIT, throttle=0.05)
        shown.on("keydown", js_handler=_MOVE)
        self._look(min(range(len(tokens)), key=lambda place: tokens[place].logprob or 0.0))

    def _piece(self, place: int, token: Token) -> Tag:
        shown = visible(token.text) + "\n" if "\n" in token.text else token.text or visible("")
        made = tag(
            "span", shown, classes=f"token shade-{token.shade}", role="button", tabindex="0" if place == 0 else "-1"
        )
        set_attributes(made, data_token=place, aria_pressed=False)
        return made

    def _point(self, event: GenericEventArguments) -> None:
        kind, _, number = str(event.args).partition(" ")
        if not number.isdecimal() or int(number) >= len(self._tokens):
            return
        place = int(number)
        if kind == "click":
            pinned = None if self._pinned == place else place
            for each in (self._pinned, pinned):
                if each is not None:
                    set_attributes(self._pieces[each], aria_pressed=each == pinned)
            self._pinned = pinned
        elif self._pinned is not None and kind == "mouseover":
            return
        self._look(place)

    def _look(self, place: int) -> None:
        if place == self._looked:
            return
        if self._looked >= 0:
            self._pieces[self._looked].classes(remove="looked")
        self._pieces[place].classes(add="looked")
        self._looked = place
        t, token = self._t, self._tokens[place]
        self._detail.clear()
        with self._detail:
            with box("token-facts"):
                probability = token.probability
                facts(
                    {
                        t("playground.piece"): _shown(t, token.text),
                        t("playground.id"): "" if token.id is None else str(token.id),
                        t("playground.probability"): "—" if probability is None else percent(t, probability),
                        t("playground.rank"): self._rank(token),
                    }
                )
            with box("section tight"):
                heading(t("playground.alternatives"), level=4, classes="small")
                with tag("ul", classes="alternatives"):
                    for candidate in token.top[:_ALTERNATIVES]:
                        self._alternative(place, token, candidate)
                if not token.top:
                    text(t("playground.no_alternatives"), classes="faint small")

    def _alternative(self, place: int, token: Token, candidate: Candidate) -> None:
        t = self._t
        with tag("li"):
            if UNREADABLE in candidate.text or not candidate.text:
                tag("span", _shown(t, candidate.text), classes="alternative faint", title=t("playground.cannot_choose"))
            elif candidate.text == token.text:
                tag("span", _shown(t, candidate.text), classes="alternative chosen")
            else:
                shown = _shown(t, candidate.text)
                button(
                    shown,
                    lambda: self._on_choose(place, candidate),
                    kind="alternative",
                    label=t("playground.choose", piece=shown),
                )
            tag("progress", classes="bar-final", max=1, value=round(candidate.probability, 4), aria_hidden=True)
            tag("span", percent(t, candidate.probability), classes="faint small chance-number")

    def _rank(self, token: Token) -> str:
        places = [place for place, candidate in enumerate(token.top, 1) if candidate.text == token.text]
        return str(places[0]) if places else (f"> {len(token.top)}" if token.top else "—")


def _shown(t: Translator, piece: str) -> str:
    return t("playground.part_of_letter") if UNREADABLE in piece else visible(piece)
