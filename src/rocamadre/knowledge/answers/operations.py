"""A question put to passages: rewritten, looked up, answered, cited, remembered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rocamadre.core.context import Context
from rocamadre.core.settings import AnswerSettings
from rocamadre.knowledge.answers import generation, sessions
from rocamadre.knowledge.answers.citations import Json, Writer
from rocamadre.knowledge.answers.extractive import language_of
from rocamadre.knowledge.answers.lexicon import NOT_FOUND, NOTHING
from rocamadre.knowledge.answers.rewriting import MOST_PARTS, decompose, rewrite
from rocamadre.knowledge.answers.sessions import Session, Turn
from rocamadre.knowledge.answers.types import Embed, Passage, Reader, Statement, Support
from rocamadre.knowledge.languages import detect

logger = logging.getLogger(__name__)

Retrieve = Callable[[str], Awaitable[Sequence[Passage]]]
Settle = Callable[[str, Sequence[Passage]], Awaitable[str]]
"""A finished answer, and the passages it is from (none where it says that there is no answer), to what is remembered
of it."""
MOST_ROWS = 20
"""Rows of a database that an answer lists."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client wants.

    Attributes:
        decompose: Whether the question may be split.
        generation_template: The client's; empty for ours.
        orchestration_template: The client's; empty for ours.
    """

    text: str
    session: Session
    decompose: bool = False
    generation_template: str = ""
    orchestration_template: str = ""


@dataclass(frozen=True, slots=True)
class Means:
    """What it is answered with.

    Attributes:
        retrieve: Passages for a query, best first.
        reader: Answers where no model does.
        embed: For attribution; blocks.
        speak: The model that writes; None: the reader answers.
        settle: Looks at the answer before it is remembered; None where nobody does.
    """

    retrieve: Retrieve
    reader: Reader
    embed: Embed | None
    speak: generation.Speak | None
    settle: Settle | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer on its way to the client: what it adds to the text, and what that is taken from."""

    text: str
    citations: list[Json]


@dataclass(slots=True)
class Answering:
    """One question.

    Attributes:
        trace: What was done, small JSON, complete when the last piece is out.
    """

    ctx: Context
    settings: AnswerSettings
    asked: Asked
    means: Means
    trace: dict[str, Any] = field(default_factory=dict, init=False)
    _passages: list[Passage] = field(default_factory=list, init=False)

    async def pieces(self) -> AsyncIterator[Piece]:
        """The answer, as it is made; at the end the session remembers it."""
        queries = await self._queries()
        self.trace["queries"] = queries
        found = await asyncio.gather(*map(self.means.retrieve, queries))
        spoken = detect(self.asked.text)
        writer = Writer(self._passages)
        text = ""
        async for statements in self._statements(queries, found):
            more, citations = writer.add(statements)
            text += more
            yield Piece(more, citations)
        if not text:
            language = spoken or language_of(self.asked.text, self._passages)
            said = NOT_FOUND.get(language, NOT_FOUND["en"]) if self._passages else NOTHING
            self.trace["form"] = "none"
            text, citations = writer.add([Statement(said)])
            yield Piece(text, citations)
        if self.means.settle is not None:
            text = await self.means.settle(text, () if self.trace["form"] == "none" else self._passages)
        await self._remember(queries, text)
        logger.info(
            "answers.answered",
            extra={"by": self.trace["by"], "form": self.trace.get("form", ""), "passages": len(self._passages)},
        )

    async def _queries(self) -> list[str]:
        session, text, speak = self.asked.session, self.asked.text, self.means.speak
        language = detect(text) or (detect(session.turns[-1].question) if session.turns else "") or "en"
        if speak is not None and (session.turns or self.asked.decompose or self.asked.orchestration_template):
            return await generation.queries(
                speak,
                text,
                history=session.history,
                template=self.asked.orchestration_template,
                split=self.asked.decompose,
                most=MOST_PARTS,
                now=self._now(),
            )
        asked = rewrite(text, session.earlier, language)
        return decompose(asked, language) if self.asked.decompose else [asked]

    async def _statements(
        self, queries: Sequence[str], found: Sequence[Sequence[Passage]]
    ) -> AsyncIterator[Sequence[Statement]]:
        rows = any(passage.content.get("type") == "ROW" for passages in found for passage in passages)
        self.trace["by"] = "rows" if rows else "reader" if self.means.speak is None else "model"
        if self.means.speak is not None and not rows:
            async for statement in self._generated(queries, found):
                yield [statement]
            return
        for query, passages in zip(queries, found, strict=True):
            places = self._take(passages)
            if rows:
                statements = [
                    Statement(passage.text, (Support(place, 0, len(passage.text)),))
                    for passage, place in zip(passages[:MOST_ROWS], places, strict=False)
                ]
                self.trace["form"] = "rows"
                yield statements
            elif passages:
                answer = await asyncio.to_thread(self.means.reader.read, query, passages)
                if answer is not None:
                    self.trace |= {"form": answer.form, "confidence": round(answer.confidence, 3)}
                    yield [_moved(each, places) for each in answer.statements]

    async def _generated(self, queries: Sequence[str], found: Sequence[Sequence[Passage]]) -> AsyncIterator[Statement]:
        for passages in found:
            self._take(passages)
        if not self._passages:
            return
        assert self.means.speak is not None
        session = self.asked.session
        writing = generation.Writing(
            self.means.speak,
            self.means.embed,
            drop=self.settings.unsupported == "drop",
            most_characters=self.settings.prompt_characters,
            template=self.asked.generation_template,
        )
        question = self.asked.text if len(queries) > 1 or not session.turns else queries[0]
        earlier = [(turn.question, turn.answer) for turn in session.turns]
        async for statement in writing.write(
            question,
            self._passages,
            language_of(self.asked.text, self._passages),
            history=session.history,
            earlier=earlier,
            now=self._now(),
        ):
            self.trace["form"] = "generated"
            yield statement
        self.trace["dropped"] = writing.dropped

    def _take(self, passages: Sequence[Passage]) -> list[int]:
        """Add passages to those that are cited, each once; returns their places."""
        places = []
        for passage in passages:
            same = next((k for k, known in enumerate(self._passages) if _same(known, passage)), None)
            if same is None:
                same = len(self._passages)
                self._passages.append(passage)
            places.append(same)
        return places

    async def _remember(self, queries: Sequence[str], text: str) -> None:
        turn = Turn(self.asked.text, queries[0] if len(queries) == 1 else self.asked.text, text)
        session, gone = sessions.with_turn(self.asked.session, turn, window=self.settings.window)
        if gone and self.means.speak is not None:
            told = await generation.summary(
                self.means.speak, session.summary, gone, most_characters=sessions.MOST_SUMMARY
            )
            session = replace(session, summary=told)
        elif gone:
            session = replace(session, summary=sessions.summarised(session.summary, gone))
        await asyncio.to_thread(sessions.keep, self.ctx, session, lives_s=self.settings.session_s)

    def _now(self) -> str:
        return self.ctx.platform.clock.now().strftime("%A, %d %B %Y, %H:%M UTC")


def _same(one: Passage, other: Passage) -> bool:
    return one.text == other.text and one.location == other.location and one.metadata == other.metadata


def _moved(statement: Statement, places: Sequence[int]) -> Statement:
    return Statement(statement.text, tuple(replace(each, passage=places[each.passage]) for each in statement.supports))
