"""Guardrails around one generation, whichever wire asked for it: its prompt before, its answer after or meanwhile.

What is examined is what Amazon Bedrock examines: the text of messages, or of their marked parts where there are any;
marked parts of the system prompt; and the answer's text. Not what tools were given or answered, documents or reasoning.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from rocamadre.api.inference.guarded_answer import GuardedAnswer, Mode, Spent
from rocamadre.catalog.operations import resolve
from rocamadre.catalog.types import Resolved
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.core.messages import Event, Finish, GenerationRequest, Mark, Message, Text, TextDelta, Usage
from rocamadre.guardrails.enforced import COMPREHENSIVE, enforced_guardrails
from rocamadre.guardrails.engine import Content, Guardrail, Outcome, masked_text, open_guardrail
from rocamadre.guardrails.policies.protocol import Action, Finding, Source, Surroundings
from rocamadre.guardrails.streaming import Watch
from rocamadre.guardrails.text import Embed
from rocamadre.knowledge.embedding import from_thread

Json: TypeAlias = dict[str, Any]

BLOCKED = "Guardrail blocked."
MASKED = "Guardrail masked."
NOTHING = "No action."


class _Place(NamedTuple):
    """Where a text stands: in a block of a message, or in the system prompt or the raw text, with no block."""

    message: int
    block: int


_SYSTEM = _Place(-1, 0)
_PROMPT = _Place(-2, 0)


@dataclass(frozen=True, slots=True)
class GuardWish:
    """What a request asks of guardrails.

    Attributes:
        identifier: Id or ARN of a guardrail; empty for none.
        version: DRAFT or a number; empty for none.
        mode: `whole`: the answer is examined when it is complete. `sync`: while it is written, and sent once examined.
            `async`: sent as it is written, examined meanwhile, stopped if something is found; nothing is masked.
        enforce: Whether what the account enforces applies; not where a caller examines by itself.
    """

    identifier: str = ""
    version: str = ""
    mode: Mode = "whole"
    enforce: bool = True


@dataclass(slots=True)
class Applied:
    """One guardrail of a request.

    Attributes:
        origin: REQUEST, ACCOUNT_ENFORCED.
        all_messages: Marks in messages do not narrow what is examined.
        all_system: The whole system prompt is examined.
        outcome: Of the prompt.
    """

    guardrail: Guardrail
    origin: list[str]
    all_messages: bool = False
    all_system: bool = False
    outcome: Outcome | None = None


@dataclass(slots=True)
class Guard:
    """The guardrails of one generation, and what they came to.

    Attributes:
        blocked: What they blocked, if anything; the answer is the guardrail's message then.
        masked_input: Something of the prompt was masked; the model reads it so.
    """

    mode: Mode
    applied: list[Applied]
    embed: Embed | None
    blocked: Literal["", "input"] = ""
    masked_input: bool = False
    _around: Surroundings = field(default_factory=Surroundings)
    _answered: GuardedAnswer | None = None
    _message: str = ""

    @property
    def blocked_output(self) -> bool:
        """Whether the answer was blocked, or what was left of it."""
        return self._answered is not None and self._answered.watch.blocked is not None

    @property
    def masked_output(self) -> bool:
        """Whether something of the answer was masked."""
        return self._answered is not None and self._answered.watch.masked and not self.blocked_output

    @property
    def intervened(self) -> bool:
        """Whether anything was blocked or masked; complete when the answer is."""
        return bool(self.blocked) or self.masked_input or self.masked_output or self.blocked_output

    async def admit(self, request: GenerationRequest) -> GenerationRequest:
        """Examine a prompt; `blocked` says whether a model may read it.

        Returns:
            What the model is to read: the prompt, masked where it must be.
        """
        masks = await asyncio.to_thread(self._examine, request)
        self._around = _surroundings(request)
        if self.blocked or not masks:
            return request
        self.masked_input = True
        return _masked(request, masks)

    async def refusal(self) -> AsyncGenerator[Event, None]:
        """The answer to a prompt that was blocked. No model was asked, and none is paid."""
        yield TextDelta(self._message)
        yield Finish("guardrail_intervened", Usage())

    def answer(self, events: AsyncIterator[Event], spent: Spent) -> AsyncGenerator[Event, None]:
        """A model's events as the client may see them.

        Args:
            events: Of the engine; closed with these.
            spent: Tells the usage where the answer is stopped before its end.
        """
        watch = Watch(
            [(each.guardrail, each.origin) for each in self.applied],
            around=self._around,
            embed=self.embed,
            hold_all=self.mode == "whole",
            masks=self.mode != "async",
        )
        self._answered = GuardedAnswer(watch, spent)
        return self._answered.events(events, self.mode)

    def trace(self, *, full: bool) -> Json:
        """GuardrailTraceAssessment of Converse, once the answer is complete.

        Args:
            full: With what was looked for and not found.
        """
        trace: Json = {"inputAssessment": dict(self._inputs(full))}
        reasons = [self._input_reason]
        if self._answered is not None:
            results = self._answered.watch.results()
            trace["outputAssessments"] = {
                name: [each.full_assessment if full else each.assessment]
                for name, each in zip(self._names(), results, strict=True)
            }
            reasons.append(_worst([each.reason for each in results]))
            if self.blocked_output or self.masked_output:
                trace["modelOutput"] = ["".join(self._answered.said)]
        trace["actionReason"] = "\n".join(reasons)
        return trace

    def native_trace(self, *, full: bool) -> Json:
        """The same, as InvokeModel has it."""
        trace = self.trace(full=full)
        outputs = trace.pop("outputAssessments", None)
        native = {"input": trace.pop("inputAssessment"), **trace}
        if outputs is not None:
            native["outputs"] = [{name: each} for name, assessments in outputs.items() for each in assessments]
        return native

    @property
    def _input_reason(self) -> str:
        return _worst([each.outcome.reason for each in self.applied if each.outcome is not None])

    def _inputs(self, full: bool) -> Iterator[tuple[str, Json]]:
        for name, each in zip(self._names(), self.applied, strict=True):
            assert each.outcome is not None
            yield name, each.outcome.full_assessment if full else each.outcome.assessment

    def _names(self) -> list[str]:
        """Keys of the assessments: ids, with the version where two versions of one guardrail are at work."""
        ids = [each.guardrail.version.id for each in self.applied]
        return [
            name if ids.count(name) == 1 else f"{name}:{each.guardrail.version.version}"
            for name, each in zip(ids, self.applied, strict=True)
        ]

    def _examine(self, request: GenerationRequest) -> Mapping[_Place, list[Finding]]:
        """Examine the prompt with each guardrail. Takes a processor's time."""
        masks: dict[_Place, list[Finding]] = defaultdict(list)
        texts = dict(_texts(request))
        total = sum(map(len, texts.values()))
        for each in self.applied:
            pieces = list(_pieces(request, each))
            contents = [Content(texts[place][mark.start : mark.end], mark.qualifiers) for place, mark in pieces]
            each.outcome = each.guardrail.examine(
                contents, Source.INPUT, embed=self.embed, origin=each.origin, total_characters=total
            )
            if each.outcome.blocked and not self.blocked:
                self.blocked = "input"
                self._message = each.guardrail.blocked_input
            for (place, mark), findings in zip(pieces, each.outcome.findings, strict=True):
                masks[place] += [
                    replace(found, start=found.start + mark.start, end=found.end + mark.start)
                    for found in findings
                    if found.action is Action.ANONYMIZE and found.end > found.start
                ]
        return {place: findings for place, findings in masks.items() if findings}


async def open_guard(ctx: Context, resolved: Resolved, request: GenerationRequest, wish: GuardWish) -> Guard | None:
    """The guardrails that a request and its account want of a generation; None without any.

    Raises:
        InvalidRequest: an identifier without a version or the reverse, or log-probabilities are asked for too.
        NotFound: there is no such guardrail.
    """
    applied: list[Applied] = []
    if wish.identifier or wish.version:
        if not (wish.identifier and wish.version):
            raise InvalidRequest("guardrailIdentifier and guardrailVersion go together; give both, or neither")
        applied.append(Applied(await open_guardrail(ctx, wish.identifier, wish.version), ["REQUEST"]))
    if wish.enforce:
        for enforced in enforced_guardrails(ctx, resolved.base_id):
            guardrail = await open_guardrail(ctx, enforced.guardrail_arn, enforced.version)
            one = Applied(
                guardrail,
                ["ACCOUNT_ENFORCED"],
                all_messages=enforced.messages == COMPREHENSIVE,
                all_system=enforced.system == COMPREHENSIVE,
            )
            same = next((each for each in applied if each.guardrail.version == guardrail.version), None)
            if same is not None:
                one.origin.insert(0, "REQUEST")
                applied.remove(same)
            applied.append(one)
    if not applied:
        return None
    if request.logprobs is not None:
        raise InvalidRequest(
            "log-probabilities tell of text that a guardrail may take away: leave them out, or the guardrail"
        )
    ctx.notes["guardrail"] = ",".join(each.guardrail.version.id for each in applied)
    return Guard(wish.mode, applied, embedder(ctx))


def embedder(ctx: Context) -> Embed | None:
    """The platform's embedder for policies that compare meanings, to be called in a thread; None without one."""
    try:
        model = resolve(ctx, ctx.platform.settings.catalog.default_embedder).model
    except RocamadreError:
        return None
    if not model.embeds or model.source == "fake":
        return None  # A scripted vector says nothing of meaning.

    async def vectors(texts: Sequence[str]) -> Any:
        engine = await ctx.platform.engines.engine(model.load_spec)
        return np.asarray((await engine.embed(list(texts))).vectors, np.float32)

    found: Embed = from_thread(asyncio.get_running_loop(), vectors)
    return found


def _texts(request: GenerationRequest) -> Iterator[tuple[_Place, str]]:
    """All text that a guardrail could look at, and where it stands."""
    if request.system:
        yield _SYSTEM, request.system
    if request.prompt is not None:
        yield _PROMPT, request.prompt
    for number, message in enumerate(request.messages):
        for place, block in enumerate(message.content):
            if type(block) is Text:
                yield _Place(number, place), block.text


def _marks(request: GenerationRequest) -> Iterator[tuple[_Place, Mark]]:
    """Marked parts of the messages, or of the raw text."""
    yield from ((_PROMPT, mark) for mark in request.prompt_marks)
    for number, message in enumerate(request.messages):
        for place, block in enumerate(message.content):
            if type(block) is Text:
                yield from ((_Place(number, place), mark) for mark in block.marks)


def _pieces(request: GenerationRequest, applied: Applied) -> Iterator[tuple[_Place, Mark]]:
    """What one guardrail examines of a prompt."""
    if applied.all_system and request.system:
        yield _SYSTEM, Mark(0, len(request.system))
    else:
        yield from ((_SYSTEM, mark) for mark in request.system_marks)
    marks = list(_marks(request))
    if marks and not applied.all_messages:
        yield from marks
        return
    for place, text in _texts(request):
        if place != _SYSTEM:
            yield place, Mark(0, len(text))


def _surroundings(request: GenerationRequest) -> Surroundings:
    """What the answer is to be grounded in, and the questions, as the prompt marks them."""
    texts = dict(_texts(request))
    marks = [*((_SYSTEM, mark) for mark in request.system_marks), *_marks(request)]
    found = {
        name: tuple(texts[place][mark.start : mark.end] for place, mark in marks if name in mark.qualifiers)
        for name in ("grounding_source", "query")
    }
    return Surroundings(found["grounding_source"], found["query"])


def _masked(request: GenerationRequest, masks: Mapping[_Place, list[Finding]]) -> GenerationRequest:
    messages = tuple(
        Message(
            message.role,
            tuple(
                Text(masked_text(block.text, masks[place]))
                if type(block) is Text and (place := _Place(number, at)) in masks
                else block
                for at, block in enumerate(message.content)
            ),
        )
        for number, message in enumerate(request.messages)
    )
    changed: Json = {"messages": messages}
    if _SYSTEM in masks:
        changed["system"] = masked_text(request.system, masks[_SYSTEM])
    if _PROMPT in masks and request.prompt is not None:
        changed |= {"prompt": masked_text(request.prompt, masks[_PROMPT]), "prompt_ids": ()}
    return replace(request, **changed)


def _worst(reasons: Sequence[str]) -> str:
    return next((reason for reason in (BLOCKED, MASKED) if reason in reasons), NOTHING)
