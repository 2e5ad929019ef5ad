"""One model's column of the playground: its conversation, and what can be done with each answer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, Protocol

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from rocamadre.console.failures import ApiFailure
from rocamadre.console.page import Page
from rocamadre.console.pages.guardrails_findings import draw_trace
from rocamadre.console.parts.elements import box, button, set_attributes, tag, text, text_field
from rocamadre.console.parts.states import failed
from rocamadre.console.parts.token_view import TokenView
from rocamadre.console.parts.turns import ACTIONS, ON_CLICK, TurnView
from rocamadre.console.playground.asking import Prices, Reading, continue_text, converse, read_tokens, render
from rocamadre.console.playground.conversation import Answer, Document, Exchange, Frame, ToolCall, plain_turns
from rocamadre.console.playground.keeping import (
    ROWS_KEY,
    append_row,
    conversation_row,
    drop_row,
    put_row,
    rating_key,
    rating_row,
)
from rocamadre.console.playground.tokens import Candidate, ends


class Desk(Protocol):
    """What a lane needs of the page around it."""

    page: Page
    mode: str
    template: bool

    def frame(self) -> Frame:
        """What goes with every question."""

    def settled(self) -> None:
        """An answer has begun or ended."""

    def refused(self, failure: ApiFailure) -> None:
        """A question was refused."""


class Lane:
    """A column, drawn where it is made.

    Args:
        desk: The page.
        model: Its id.
        name: For screen readers.
    """

    def __init__(self, desk: Desk, model: str, name: str) -> None:
        self.desk = desk
        self.model = model
        self.exchanges: dict[str, list[Exchange]] = {"chat": [], "prompt": []}
        self._views: dict[int, tuple[Exchange, TurnView]] = {}
        self._numbers = count()
        self._areas: dict[tuple[TurnView, str], ui.element] = {}
        self._ratings: dict[Exchange, str] = {}
        self._prices = Prices()
        self._task: asyncio.Task[None] | None = None
        self.place = box("lane", name="section", aria_label=name)
        with self.place:
            self.head = box("lane-head")
            self._turns = {mode: box("turns", role="log", aria_live="off") for mode in self.exchanges}
        for turns in self._turns.values():
            turns.on("click", self._clicked, js_handler=ON_CLICK)
        self.show_mode()

    @property
    def busy(self) -> bool:
        """Whether it is answering."""
        return self._task is not None

    @property
    def current(self) -> list[Exchange]:
        """The conversation of the mode that is shown."""
        return self.exchanges[self.desk.mode]

    def show_mode(self) -> None:
        """Show the conversation of the page's mode."""
        for mode, place in self._turns.items():
            set_attributes(place, hidden=mode != self.desk.mode)

    def ask(self, question: str, documents: Sequence[Document] = (), results: Sequence[ToolCall] = ()) -> None:
        """Ask, and show the answer as it comes."""
        mode = self.desk.mode
        if mode == "prompt":
            self.clear()
        exchange = Exchange(question, tuple(documents), tuple(results), prompt=question if mode == "prompt" else "")
        if self.current:
            self._view_of(self.current[-1]).past()
        self.exchanges[mode].append(exchange)
        self._start(self._draw(mode, exchange), exchange)

    def follow(self, other: Lane) -> None:
        """Take over another's conversation."""
        for exchange in other.exchanges["chat"]:
            said = Answer(exchange.answer.text, calls=list(exchange.answer.calls), stop_reason="end_turn")
            mine = Exchange(exchange.question, exchange.documents, exchange.results, said)
            self.exchanges["chat"].append(mine)
            view = self._draw("chat", mine)
            view.finish()
            if exchange is not other.exchanges["chat"][-1]:
                view.past()

    def stop(self) -> None:
        """Break the answer off."""
        if self._task is not None:
            self._task.cancel()

    def clear(self) -> None:
        """Forget the conversation of this mode."""
        self.stop()
        mode = self.desk.mode
        gone, self.exchanges[mode] = self.exchanges[mode], []
        self._views = {number: pair for number, pair in self._views.items() if pair[0] not in gone}
        self._areas.clear()
        self._turns[mode].clear()

    async def prompt_for(self, draft: str) -> str:
        """The text that the model would continue if the draft were sent; empty where that is no plain text."""
        desk = self.desk
        if desk.mode == "prompt" and not desk.template:
            return draft or (self.current[-1].prompt if self.current else "")
        exchanges = [*self.current, Exchange(draft)] if draft else self.current
        exchanges = exchanges if desk.mode == "chat" else exchanges[-1:]
        turns = plain_turns(exchanges) if exchanges else None
        return await render(desk.page.api, self.model, desk.frame().system, turns) if turns else ""

    def _draw(self, mode: str, exchange: Exchange) -> TurnView:
        with self._turns[mode]:
            view = TurnView(
                self.desk.page.t, exchange, number=next(self._numbers), on_result=lambda _: self._answered(exchange)
            )
        self._views[int(view.place.props["data-turn"])] = exchange, view
        return view

    def _view_of(self, exchange: Exchange) -> TurnView:
        return next(view for each, view in self._views.values() if each is exchange)

    async def _clicked(self, event: GenericEventArguments) -> None:
        number, _, action = str(event.args).partition(" ")
        pair = self._views.get(int(number)) if number.isdecimal() else None
        if pair is not None and action in ACTIONS:
            await self._act(action, *pair)

    def _start(self, view: TurnView, exchange: Exchange, work: Callable[[], Awaitable[None]] | None = None) -> None:
        work = work or partial(self._converse, view, exchange)
        self._task = background_tasks.create(self._run(view, exchange, work), name="playground answer")
        self.desk.settled()

    async def _run(self, view: TurnView, exchange: Exchange, work: Callable[[], Awaitable[None]]) -> None:
        own, answer, model = asyncio.current_task(), exchange.answer, self.model
        try:
            await work()
            answer.cost_usd = await self._prices.cost(self.desk.page.api, model, answer)
        except ApiFailure as failure:
            t = self.desk.page.t
            answer.failure = t("states.unreachable") if failure.unreachable else failure.message or failure.code
            self.desk.refused(failure)
        except asyncio.CancelledError:
            answer.stopped = True
        finally:
            if self._task is own:
                self._task = None
            if not view.place.is_deleted:
                view.finish()
                if answer.guardrail:
                    with self._area(view, "guardrail"):
                        draw_trace(self.desk.page, answer.guardrail)
                self.desk.settled()
        shows_tokens = exchange.prompt or answer.edited
        if shows_tokens and answer.text and not answer.failure and not view.place.is_deleted:
            await self._tokens(exchange, view)

    async def _converse(self, view: TurnView, exchange: Exchange) -> None:
        desk, answer = self.desk, exchange.answer
        if not exchange.prompt:
            before = self.exchanges["chat"]
            asked = before[: before.index(exchange) + 1]
            async with aclosing(converse(desk.page.api, self.model, desk.frame(), asked)) as answers:
                async for _ in answers:
                    view.grow()
            return
        if desk.template:
            turns = [{"role": "user", "content": exchange.question}]
            exchange.prompt = await render(desk.page.api, self.model, desk.frame().system, turns)
        await self._continue(view, exchange.prompt, answer)

    async def _continue(self, view: TurnView, prompt: str, answer: Answer) -> None:
        desk = self.desk
        pieces = continue_text(desk.page.api, self.model, prompt, desk.frame().parameters, answer)
        async with aclosing(pieces):
            async for _ in pieces:
                view.grow()

    def _answered(self, exchange: Exchange) -> None:
        """A tool's result was written; once all are there, the model goes on."""
        if not exchange.answer.waiting and not self.busy:
            self._view_of(exchange).finish()
            self.ask("", results=exchange.answer.calls)

    async def _act(self, name: str, exchange: Exchange, view: TurnView) -> None:
        if name == "again":
            if not self.busy and self.current and self.current[-1] is exchange:
                exchange.answer = Answer()
                self._forget_areas(view)
                view.restart()
                self._start(view, exchange)
        elif name == "tokens":
            if (view, "tokens") in self._areas:
                self._areas.pop((view, "tokens")).delete()
            elif not self.busy:
                await self._tokens(exchange, view)
        elif name == "save":
            await self._keep(view, "save", lambda: self._save(exchange))
        elif name in ("up", "down"):
            exchange.answer.rating = "" if exchange.answer.rating == name else name
            view.show_actions()
            await self._rate(exchange, view, "")

    async def _tokens(self, exchange: Exchange, view: TurnView) -> None:
        """Cut an answer into tokens, below it."""
        t, api = self.desk.page.t, self.desk.page.api
        place = self._area(view, "tokens")
        with place, box("skeleton", aria_hidden=True):
            tag("span")
            tag("span")
        try:
            prompt = exchange.prompt or await self._prompt_of(exchange)
            reading = (
                await read_tokens(api, self.model, prompt, exchange.answer.text) if prompt else Reading("", "", [])
            )
        except ApiFailure as failure:
            if not place.is_deleted:
                place.clear()
                with place:
                    failed(self.desk.page, failure, lambda: self._tokens(exchange, view))
            return
        if place.is_deleted:
            return
        place.clear()
        with place:
            if not prompt:
                text(t("playground.tokens_text_only"), classes="faint small")
            elif not reading.tokens:
                text(t("playground.tokens_missing"), classes="faint small")
            else:
                TokenView(t, reading.tokens, lambda at, other: self._choose(exchange, view, reading, at, other))

    async def _prompt_of(self, exchange: Exchange) -> str:
        exchanges = self.exchanges["chat"]
        turns = plain_turns(exchanges[: exchanges.index(exchange) + 1])
        return await render(self.desk.page.api, self.model, self.desk.frame().system, turns) if turns else ""

    def _choose(self, exchange: Exchange, view: TurnView, reading: Reading, at: int, other: Candidate) -> None:
        """Put another token in the place of one, and go on from there."""
        if self.busy:
            return
        kept = reading.before + "".join(token.text for token in reading.tokens[:at])
        whole = kept if ends(other.text) else kept + other.text
        said = whole[len(reading.prompt) :] if whole.startswith(reading.prompt) else whole[len(reading.before) :]
        answer = exchange.answer = Answer(said, edited=True)
        self._forget_areas(view)
        view.restart()
        if ends(other.text):
            answer.stop_reason = "end_turn"
            view.finish()
        else:
            self._start(view, exchange, partial(self._continue, view, whole, answer))

    async def _rate(self, exchange: Exchange, view: TurnView, reason: str) -> None:
        key = self._ratings.setdefault(exchange, rating_key(secrets.token_hex(8), datetime.now(UTC)))
        if not exchange.answer.rating:
            await self._keep(view, "rating", lambda: self._unrate(key))
            return
        await self._keep(view, "rating", lambda: self._put_rating(exchange, key, reason))
        if reason:
            return
        t, written = self.desk.page.t, {"reason": ""}
        with self._areas[view, "rating"], box("fields"):
            text_field(t("playground.reason"), on_change=lambda value: written.update(reason=str(value)[:2000]))
            button(t("playground.keep_reason"), lambda: self._rate(exchange, view, written["reason"]))

    def _put_rating(self, exchange: Exchange, key: str, reason: str) -> str:
        row = rating_row(
            self.desk.frame(), self._until(exchange), model=self.model, reason=reason, at=datetime.now(UTC)
        )
        return self.desk.page.t("playground.kept_at", address=put_row(self.desk.page.api, key, row))

    def _unrate(self, key: str) -> str:
        drop_row(self.desk.page.api, key)
        return self.desk.page.t("playground.not_kept")

    def _save(self, exchange: Exchange) -> str:
        address, count = append_row(
            self.desk.page.api, ROWS_KEY, conversation_row(self.desk.frame(), self._until(exchange))
        )
        return self.desk.page.t("playground.row_saved", count=count, address=address)

    def _until(self, exchange: Exchange) -> list[Exchange]:
        exchanges = self.exchanges["prompt" if exchange.prompt else "chat"]
        return exchanges[: exchanges.index(exchange) + 1]

    async def _keep(self, view: TurnView, name: str, work: Callable[[], str]) -> None:
        """Do something with the bucket, and say below the answer where it went."""
        try:
            told, failure = await asyncio.to_thread(work), None
        except ApiFailure as error:
            told, failure = "", error
        if view.place.is_deleted:
            return
        place = self._area(view, name)
        with place:
            if failure is None:
                text(told, classes="faint small hostile", role="status")
            else:
                failed(self.desk.page, failure, lambda: self._keep(view, name, work))

    def _area(self, view: TurnView, name: str) -> Any:
        """An empty place below an answer."""
        if (old := self._areas.pop((view, name), None)) is not None and not old.is_deleted:
            old.delete()
        self._areas[view, name] = view.area().classes(f"area-{name}")
        return self._areas[view, name]

    def _forget_areas(self, view: TurnView) -> None:
        self._areas = {key: area for key, area in self._areas.items() if key[0] is not view}
