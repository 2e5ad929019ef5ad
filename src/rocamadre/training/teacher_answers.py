"""A teacher's answers as training data: prompts go to any model of the platform, good answers become conversations.

Torch-free and without any idea of how a model is asked: the caller brings `ask`. Learning from a teacher's
probabilities is in `distillation`.

Source: sequence-level distillation, Kim & Rush 2016, arXiv:1606.07947.
"""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rocamadre.datasets.types import Chat, Prompt, Turn

ENDED = frozenset({"end_turn", "stop", "stop_sequence"})
"""Reasons for which an answer is whole."""

REFUSED = frozenset({"content_filtered", "content_filter", "guardrail_intervened", "refusal"})
"""Reasons for which there is no answer."""

_REFUSALS = re.compile(
    r"""^\W*(?:
        (?:i['’]?m\s+|i\s+am\s+)?(?:very\s+|so\s+|really\s+)?sorry\b.{0,60}?\b(?:can(?:no|['’])?t|can\snot|unable|won['’]t|not\sable)
      | (?:i\s+apologi[sz]e|unfortunately)\b.{0,60}?\b(?:can(?:no|['’])?t|can\snot|unable|won['’]t|not\sable)
      | i\s+(?:can(?:no|['’])?t|can\snot|won['’]t|will\snot|am\s+(?:unable|not\sable)\sto|must\sdecline)\b
      | i['’]m\s+(?:unable|not\sable)\sto\b
      | as\s+an?\s+(?:ai|artificial\sintelligence|(?:large\s)?language\smodel)\b
      | (?:lo\s+siento|perdón|disculpa|lamentablemente)\b.{0,60}?\bno\s+(?:puedo|podemos|me\ses\sposible)\b
      | no\s+puedo\s+(?:ayudar|proporcionar|responder|cumplir|hacer\seso)\w*
      | como\s+(?:una?\s+)?(?:ia\b|intelig[eê]ncia\sartificial|modelo\sde\sl[ei]ngua)
      | (?:desculpe|sinto\smuito|lamento|infelizmente)\b.{0,60}?\bnão\s+(?:posso|podemos|consigo)\b
      | não\s+posso\s+(?:ajudar|fornecer|responder|fazer\sisso)\w*
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


class Answer(NamedTuple):
    """What a teacher said.

    Attributes:
        text: Its words.
        stop_reason: Why it ended; those in `ENDED` are whole answers.
    """

    text: str
    stop_reason: str = "end_turn"


Ask: TypeAlias = Callable[[Sequence[Turn]], Answer]
"""Asks the teacher once; what it raises ends the collection."""


@dataclass(slots=True)
class Counts:
    """What became of the prompts; `prompts` is the sum of all others.

    Attributes:
        prompts: Taken.
        kept: Became conversations.
        repeated: The same as an earlier prompt, not asked again.
        refused: The teacher would not answer.
        cut: The answer broke off at its limit.
        empty: There was no text.
    """

    prompts: int = 0
    kept: int = 0
    repeated: int = 0
    refused: int = 0
    cut: int = 0
    empty: int = 0


def learn_from_answers(
    prompts: Iterable[Prompt], ask: Ask, counts: Counts, *, parallel: int = 1, keep_refusals: bool = False
) -> Iterator[Chat]:
    """Ask the teacher and make conversations of its answers, in the order of the prompts.

    Args:
        prompts: What to ask; white space at the ends and in runs does not make a prompt another.
        ask: Called in threads where `parallel` is above 1; to survive a kill, let it remember by `prompt_key`.
        counts: Counted up in place while the iterator is read.
        parallel: Questions in flight.
        keep_refusals: Learn to refuse as the teacher does; answers that a filter stopped are dropped even so.

    >>> counts = Counts()
    >>> hello = Prompt((Turn("user", "Hello"),))
    >>> [chat.turns[-1].text for chat in learn_from_answers([hello, hello], lambda turns: Answer("Hi!"), counts)]
    ['Hi!']
    >>> counts.repeated
    1
    """
    seen: set[str] = set()
    flying: deque[tuple[Prompt, Future[Answer]]] = deque()
    with ThreadPoolExecutor(max_workers=max(1, parallel)) as threads:
        try:
            for prompt in prompts:
                counts.prompts += 1
                key = prompt_key(prompt)
                if key in seen:
                    counts.repeated += 1
                    continue
                seen.add(key)
                flying.append((prompt, threads.submit(ask, prompt.turns)))
                if len(flying) >= max(1, parallel):
                    yield from _taken(*flying.popleft(), counts, keep_refusals=keep_refusals)
            while flying:
                yield from _taken(*flying.popleft(), counts, keep_refusals=keep_refusals)
        finally:
            for _, future in flying:
                future.cancel()


def prompt_key(prompt: Prompt) -> str:
    """The same for prompts that differ in white space only: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for turn in prompt.turns:
        digest.update(f"{turn.role}\0{' '.join(turn.text.split())}\0".encode())
    return digest.hexdigest()


def is_refusal(text: str) -> bool:
    """Whether an answer begins as refusals do, in English, Spanish or Portuguese. A guess from its first words.

    >>> is_refusal("I'm sorry, but I can't help with that."), is_refusal("Sorry is a card game.")
    (True, False)
    """
    return _REFUSALS.match(text[:300]) is not None


def _taken(prompt: Prompt, future: Future[Answer], counts: Counts, *, keep_refusals: bool) -> Iterator[Chat]:
    answer = future.result()
    text = answer.text.strip()
    if answer.stop_reason in REFUSED or (is_refusal(text) and not keep_refusals):
        counts.refused += 1
    elif answer.stop_reason not in ENDED:
        counts.cut += 1
    elif not text:
        counts.empty += 1
    else:
        counts.kept += 1
        yield Chat((*prompt.turns, Turn("assistant", text)))
