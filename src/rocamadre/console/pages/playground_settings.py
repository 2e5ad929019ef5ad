"""The panel beside a conversation: how tokens are picked, what could come next, tools, the form of answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from nicegui import background_tasks

from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.asking import DRAFT, Line, list_guardrails
from rocamadre.console.page import Page
from rocamadre.console.parts.distribution import Distribution
from rocamadre.console.parts.elements import box, choice_field, link, set_attributes, tag, text
from rocamadre.console.parts.inputs import free_number, free_text, slider
from rocamadre.console.parts.states import failed, region
from rocamadre.console.playground.asking import next_token
from rocamadre.console.playground.conversation import Frame, Json, read_schema, read_tools
from rocamadre.console.playground.parameters import BOUNDS, MOST_SEED, Parameters

_PAUSE_S = 0.35
_TOOL_EXAMPLE = """[{"toolSpec": {"name": "weather", "description": "Weather of a city",
  "inputSchema": {"json": {"type": "object",
    "properties": {"city": {"type": "string"}}, "required": ["city"]}}}}]"""
_SCHEMA_EXAMPLE = """{"type": "object", "properties": {"answer": {"type": "string"}},
 "required": ["answer"], "additionalProperties": false}"""


class SettingsPanel:
    """What goes with every question, as the visitor has set it.

    Args:
        page: The visit.
        parameters: To begin with.
        on_change: Called after each change of a parameter.
    """

    def __init__(self, page: Page, parameters: Parameters, on_change: Callable[[], None]) -> None:
        self._page = page
        self._on_change = on_change
        self.parameters = parameters
        self._system = ""
        self._tools: tuple[Json, ...] = ()
        self._schema = ""
        self._guardrail = ""
        self._fields: dict[str, _JsonField] = {}
        self.next = NextToken(page)
        t = page.t
        with box("fold", name="details", open=True):
            tag("summary", t("playground.system"))
            free_text(t("playground.system_label"), self._take_system, lines=2, hint=t("playground.system_hint"))
        with box("fold", name="details", open=True):
            tag("summary", t("playground.parameters"))
            with box("section sliders"):
                self._sliders()
        with box("fold", name="details", open=True) as fold:
            tag("summary", t("playground.next_token"))
            self.next.build()
        fold.on("toggle", lambda event: self.next.show(event.args is True), js_handler="(e) => emit(e.target.open)")
        with box("fold", name="details", open=bool(parameters.stop or parameters.seed is not None)):
            tag("summary", t("playground.more"))
            with box("section"):
                self._chance()
        with box("fold", name="details") as fold:
            tag("summary", t("guardrail.title"))
            text(t("guardrail.in_chat"), classes="faint small")
            self._picker = box("section")
        # Each guardrail is asked for its versions, so that is left until somebody wants one.
        fold.on("toggle", self._open_picker, args=[])
        self._fields["tools"] = _JsonField(page, "tools", self._take_tools, _TOOL_EXAMPLE)
        self._fields["schema"] = _JsonField(page, "schema", self._take_schema, _SCHEMA_EXAMPLE)

    def frame(self) -> Frame:
        """What goes with a question."""
        return Frame(self._system, self.parameters, self._tools, self._schema, self._guardrail)

    @property
    def wrong(self) -> bool:
        """Whether something was written that cannot be read."""
        return any(field.unreadable for field in self._fields.values())

    def refused(self, failure: ApiFailure) -> None:
        """Say what the server said of tools or schema where they are written."""
        # Their places in the request are named in the server's sentence.
        for name, words, value in (("tools", "tool", self._tools), ("schema", "schema", self._schema)):
            if value and failure.status == 400 and words in failure.message.lower():
                self._fields[name].tell(failure.message)
                return

    def _open_picker(self) -> None:
        if not self._picker.default_slot.children:
            with self._picker:
                region(self._page, partial(list_guardrails, self._page.api), self._guardrails, lines=1)

    def _guardrails(self, found: list[Line]) -> None:
        t = self._page.t
        if not found:
            link(t("guardrails.none"), "/guardrails")
            return
        named = {
            f"{each.told['id']}:{version}": f"{each.told['name']} · {version}"
            for each in found
            for version in (DRAFT, *each.versions)
        }
        choice_field(t("guardrail.title"), {"": t("redteam.without"), **named}, value=self._guardrail,
                     on_change=self._take_guardrail, classes="compact")  # fmt: skip

    def _take_guardrail(self, value: Any) -> None:
        self._guardrail = str(value)

    def _sliders(self) -> None:
        t = self._page.t
        for name, bounds in BOUNDS.items():
            slider(
                t(f"playground.{name}"),
                partial(self._take, name),
                value=getattr(self.parameters, name),
                least=bounds.least,
                most=bounds.most,
                step=bounds.step,
                hint=t(f"playground.{name}_hint"),
            )

    def _chance(self) -> None:
        t, seed = self._page.t, self.parameters.seed
        free_number(
            t("playground.seed"),
            lambda value: self._take("seed", value),
            value="" if seed is None else str(seed),
            least=0,
            most=MOST_SEED,
            placeholder=t("playground.seed_hint"),
        )
        free_text(
            t("playground.stop"),
            lambda value: self._take("stop", value),
            value="\n".join(self.parameters.stop),
            lines=2,
            hint=t("playground.stop_hint"),
        )

    def _take(self, name: str, written: str) -> None:
        self.parameters = self.parameters.changed(name, written)
        self.next.redraw(self.parameters)
        self._on_change()

    def _take_system(self, written: str) -> None:
        self._system = written.strip()
        self._on_change()

    def _take_tools(self, written: str) -> None:
        self._tools = ()
        self._tools = read_tools(written)

    def _take_schema(self, written: str) -> None:
        self._schema = ""
        self._schema = read_schema(written)


class _JsonField:
    """JSON to paste, with what is wrong about it below.

    Args:
        page: The visit.
        name: Of its texts.
        take: Reads what is written; raises ValueError.
        example: Shown while it is empty.
    """

    def __init__(self, page: Page, name: str, take: Callable[[str], None], example: str) -> None:
        self._page = page
        self._name = name
        self._take = take
        self.unreadable = False
        t = page.t
        with box("fold", name="details") as self._fold:
            tag("summary", t(f"playground.{name}"))
            self._field = free_text(
                t(f"playground.{name}_label"),
                self._told,
                lines=5,
                placeholder=example,
                hint=t(f"playground.{name}_hint"),
            )
            self._field.classes("mono")
            self._message = text("", classes="wrong small", id_=f"wrong-{name}", role="alert")
        set_attributes(self._field, aria_describedby=f"wrong-{name}")

    def tell(self, message: str) -> None:
        """Say what is wrong; nothing when it is right."""
        self._message.set_text(message)
        set_attributes(self._field, aria_invalid=bool(message))
        if message:
            set_attributes(self._fold, open=True)

    def _told(self, written: str) -> None:
        message = ""
        try:
            self._take(written)
        except (ValueError, RecursionError) as error:
            message = self._page.t(f"playground.{self._name}_wrong", reason=str(error)[:200])
        self.unreadable = bool(message)
        self.tell(message)


class NextToken:
    """What could come next, asked for while it is open.

    Args:
        page: The visit.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._open = True
        self._task: asyncio.Task[None] | None = None
        self._asked: tuple[str, str] = ("", "")
        self._want: Callable[[], Any] | None = None
        self._parameters: Parameters | None = None

    def build(self) -> None:
        """Draw it."""
        t = self._page.t
        self._hint = text(t("playground.next_empty"), classes="faint small")
        self._failure = box("region")
        self._distribution = Distribution(t)
        set_attributes(self._distribution.place, hidden=True)

    def show(self, opened: bool) -> None:
        """It was opened or closed."""
        self._open = opened
        if opened and self._want is not None:
            self.ask(self._want, self._parameters or Parameters())

    def redraw(self, parameters: Parameters) -> None:
        """Show what other parameters make of it."""
        self._parameters = parameters
        self._distribution.redraw(parameters.settings())

    def ask(self, want: Callable[[], Any], parameters: Parameters) -> None:
        """Ask a moment from now, unless something newer comes.

        Args:
            want: Gives the model and the prompt; may raise `ApiFailure`.
            parameters: To draw with.
        """
        self._want, self._parameters = want, parameters
        if self._task is not None:
            self._task.cancel()
        if self._open:
            self._task = background_tasks.create(self._ask(want), name="playground next token")

    async def _ask(self, want: Callable[[], Any]) -> None:
        await asyncio.sleep(_PAUSE_S)
        t = self._page.t
        failure: ApiFailure | None = None
        try:
            model, prompt = await want()
            if (model, prompt) == self._asked:
                return
            if prompt and not self._asked[1]:
                self._hint.set_text(t("playground.next_asking"))
            top = await next_token(self._page.api, model, prompt) if prompt else ()
        except ApiFailure as error:
            failure, model, prompt, top = error, "", "", ()
        if self._hint.is_deleted:
            return
        self._asked = (model, prompt)
        self._failure.clear()
        if failure is not None:
            with self._failure:
                failed(self._page, failure, self._again)
        self._hint.set_text(
            t("playground.next_of", model=model)
            if top
            else t("playground.next_missing" if prompt else "playground.next_empty")
        )
        set_attributes(self._hint, hidden=failure is not None)
        set_attributes(self._distribution.place, hidden=not top)
        if top:
            self._distribution.fill(top, (self._parameters or Parameters()).settings())

    async def _again(self) -> None:
        if self._want is not None:
            self.ask(self._want, self._parameters or Parameters())
