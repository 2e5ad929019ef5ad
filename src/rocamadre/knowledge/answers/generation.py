"""Answers that a model writes from passages, sentence by sentence, each with the passage that supports it.

A sentence that no passage supports is left out (setting `answers.unsupported`), since an answer comes from the chunks
and from nowhere else; with `keep` it stays, without a reference. When nothing is left, the chunks did not hold it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rocamadre.knowledge.answers import prompts
from rocamadre.knowledge.answers.attribution import Attribution
from rocamadre.knowledge.answers.lexicon import NOT_FOUND, NOTHING
from rocamadre.knowledge.answers.types import Embed, Passage, Statement
from rocamadre.knowledge.chunkers.sentences import LONGEST_SENTENCE, sentences


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked.

    Attributes:
        purpose: Which of the request's configurations has its inference settings.
        history: Earlier questions and answers, oldest first, as turns of a conversation.
    """

    purpose: Literal["generation", "orchestration"]
    system: str
    user: str
    history: Sequence[tuple[str, str]] = ()


Speak = Callable[[Prompt], AsyncIterator[str]]
"""A model: a prompt to its answer, piece by piece."""

_REFUSAL = re.compile(
    r"(?:could|can)\s?(?:not|n't|n’t) (?:find|answer)|do(?:es)? not (?:hold|contain|provide|mention)|unable to assist"
    r"|no (?:he )?(?:encontr|pude)|no (?:contienen?|mencionan?)|não (?:encontrei|consegui|cont[eê]m|mencionam?)",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\s*(?:\[\d+\]|\(?(?:result|source|fuente|fonte) #?\d+\)?)", re.IGNORECASE)


@dataclass(slots=True)
class Writing:
    """One generation from passages.

    Attributes:
        drop: Whether sentences that nothing supports are left out.
        dropped: How many were.
        template: The client's; empty for ours.
    """

    speak: Speak
    embed: Embed | None
    drop: bool = True
    most_characters: int = 12_000
    template: str = ""
    dropped: int = field(default=0, init=False)

    async def write(
        self,
        question: str,
        passages: Sequence[Passage],
        language: str,
        *,
        history: str = "",
        earlier: Sequence[tuple[str, str]] = (),
        now: str = "",
    ) -> AsyncIterator[Statement]:
        """Statements as the model finishes them; none where it says that the passages do not hold the answer."""
        attribution = await asyncio.to_thread(Attribution, passages, self.embed)
        prompt = self._prompt(question, passages, history=history, earlier=earlier, now=now)
        text = ""
        async for piece in self.speak(prompt):
            text += piece
            ends = sentences(text, longest=LONGEST_SENTENCE)
            for start, end in ends[:-1]:
                if (found := await self._statement(text[start:end], attribution, language)) is not None:
                    yield found
            text = text[ends[-1].start :] if ends else ""
        for start, end in sentences(text, longest=LONGEST_SENTENCE):
            if (found := await self._statement(text[start:end], attribution, language)) is not None:
                yield found

    def _prompt(
        self, question: str, passages: Sequence[Passage], *, history: str, earlier: Sequence[tuple[str, str]], now: str
    ) -> Prompt:
        template = self.template or prompts.GENERATION
        values: Mapping[str, str] = {
            "search_results": prompts.quoted(passages, most_characters=self.most_characters),
            "output_format_instructions": prompts.GENERATION_FORMAT,
            "query": question,
            "conversation_history": history,
            "current_time": now,
        }
        filled = prompts.fill(template, values)
        if "$query$" in template:
            return Prompt("generation", "", filled)
        return Prompt("generation", filled, question, () if "$conversation_history$" in template else earlier)

    async def _statement(self, sentence: str, attribution: Attribution, language: str) -> Statement | None:
        text = " ".join(_LABEL.sub("", sentence).split())
        if not any(map(str.isalnum, text)):
            return None
        supports = await asyncio.to_thread(attribution.support, text, language)
        if supports or not (self.drop or is_refusal(text)):
            return Statement(text, supports)
        self.dropped += 1
        return None


def is_refusal(text: str) -> bool:
    """Whether a sentence says that there is no answer."""
    return text in NOT_FOUND.values() or text == NOTHING or _REFUSAL.search(text) is not None


async def said(speak: Speak, prompt: Prompt) -> str:
    """All that a model answers."""
    return "".join([piece async for piece in speak(prompt)]).strip()


async def queries(
    speak: Speak, question: str, *, history: str, template: str, split: bool, most: int, now: str = ""
) -> list[str]:
    """What to look up for a question, as a model puts it; the question itself where it says nothing of use.

    Args:
        speak: The model.
        question: The user's last.
        history: The conversation before it.
        template: The client's orchestration prompt; empty for ours.
        split: Whether there may be several.
        most: Of them.
        now: The time, for the template.
    """
    instructions = prompts.DECOMPOSITION_FORMAT if split else prompts.ORCHESTRATION_FORMAT
    values = {
        "conversation_history": history,
        "query": question,
        "output_format_instructions": instructions,
        "current_time": now,
    }
    text = template or prompts.ORCHESTRATION
    filled = prompts.fill(text, values)
    asked = Prompt("orchestration", "", filled) if "$query$" in text else Prompt("orchestration", filled, question)
    lines = [re.sub(r"^\s*(?:[-*•]|\d+[.)])\s*", "", line).strip() for line in (await said(speak, asked)).splitlines()]
    found = [line for line in lines if any(map(str.isalnum, line)) and len(line) <= 1000]
    return found[: most if split else 1] or [question]


async def summary(speak: Speak, before: str, turns: Sequence[Any], *, most_characters: int) -> str:
    """What a model makes of turns that are to be forgotten word for word."""
    told = "\n".join(f"User: {turn.question}\nAssistant: {turn.answer}" for turn in turns)
    wish = (
        "Sum up this conversation in at most five sentences, for somebody who is to go on with it. Keep names, numbers "
        f"and what was settled.\n\n{before}\n{told}"
    )
    return (await said(speak, Prompt("orchestration", "", wish)))[:most_characters]
