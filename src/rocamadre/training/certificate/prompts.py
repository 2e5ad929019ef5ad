"""Golden prompts: what every tuned model is asked, beside what its own job brings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, Message, Sampling
from rocamadre.core.messages import Text as TextBlock
from rocamadre.datasets.canonical import decode
from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text, Turn

STEPS = 64
"""Tokens of each answer that are compared."""
MOST = 16
"""Prompts at most: what a job brings comes first."""
_ROOM = 8
"""Tokens that must be left to answer with, or the prompt is passed over."""

GOLDEN: tuple[tuple[Turn, ...], ...] = (
    (Turn("user", "Hello! Who are you?"),),
    (Turn("user", "What is the capital of Peru?"),),
    (Turn("system", "Answer in one word."), Turn("user", "Is 17 a prime number?")),
    (Turn("user", "¿Qué día viene después del martes?"),),
    (Turn("user", "Traduce al inglés: «mañana será otro día»."),),
    (Turn("user", "¿Dónde está el río Ebro?"), Turn("assistant", "En España."), Turn("user", "¿Y el Duero?")),
    (Turn("user", "Olá! Você pode me ajudar?"),),
    (Turn("user", "Qual é a soma de 12 e 30?"),),
    (Turn("user", "Escreva uma frase sobre São João."),),
)
TEXTS = (
    "The quick brown fox doesn't jump over 1234 lazy dogs.",
    "¿Dónde está el niño? ¡Mañana será otro día! 3,50 €",
    "A ação começou às 19h30; não precisará de informações.",
    "def add(a, b):\n\treturn a + b  # sum\n\n\nprint(add(1, 22))\n",
    "👍🏽 👩‍💻 🇪🇸🇧🇷 東京 مرحبا  end  \n\n ",
    "x" * 40 + "   leading and trailing   ",
)
"""Read as they are: where two tokenizers differ, one of these tells."""
_OPENINGS = ("Once upon a time", "The answer is", "Había una vez", "El resultado es", "Era uma vez", "A resposta é")
"""For models that are given plain text only."""


@dataclass(frozen=True, slots=True)
class Golden:
    """One prompt as the trainer reads it.

    Attributes:
        request: The same for an engine.
        text: After the chat template.
        ids: Its tokens.
    """

    request: GenerationRequest
    text: str
    ids: tuple[int, ...]


def golden_prompts(
    tokenizer: ModelTokenizer, own: Iterable[Mapping[str, Any]], *, context_length: int, steps: int = STEPS
) -> list[Golden]:
    """The prompts that fit the model: those of the job first, then ours in three languages.

    Args:
        tokenizer: The trainer's.
        own: Canonical records; of a conversation that ends with an answer the question is taken.
        context_length: Of the model, in tokens.
        steps: Tokens of each answer.

    Raises:
        InvalidRequest: none fits.
    """
    given = [example for record in own if (example := _prompt(record)) is not None][: MOST // 2]
    if tokenizer.template is None:
        ours: Sequence[Example] = [Text(text) for text in _OPENINGS]
        given = [example for example in given if isinstance(example, Text)]
    else:
        ours = [Prompt(turns) for turns in GOLDEN]
    made = [_golden(example, tokenizer) for example in (*given, *ours)]
    fitting = [golden for golden in made if len(golden.ids) + min(steps, _ROOM) <= context_length]
    if not fitting:
        raise InvalidRequest(
            f"the model reads {context_length} tokens, too few for any golden prompt; it cannot be certified"
        )
    return fitting[:MOST]


def _prompt(record: Mapping[str, Any]) -> Prompt | Text | None:
    example = decode(msgspec.json.encode(record))
    if isinstance(example, Prompt):
        return example
    if isinstance(example, Text):
        return Text(example.text[:60])
    turns = example.turns[:-1] if isinstance(example, Chat) else example.turns
    assert isinstance(example, Chat | Preference)
    return Prompt(turns) if turns and turns[-1].role == "user" else None


def _golden(example: Example, tokenizer: ModelTokenizer) -> Golden:
    if isinstance(example, Text):
        begin = (tokenizer.bos,) if tokenizer.begins and tokenizer.bos is not None else ()
        return Golden(GenerationRequest(prompt=example.text), example.text, (*begin, *tokenizer.encode(example.text)))
    assert isinstance(example, Prompt)
    assert tokenizer.template is not None
    system = "".join(turn.text for turn in example.turns if turn.role == "system")
    messages = tuple(
        Message("user" if turn.role == "user" else "assistant", (TextBlock(turn.text),))
        for turn in example.turns
        if turn.role != "system"
    )
    return Golden(
        GenerationRequest(messages=messages, system=system, sampling=Sampling()),
        tokenizer.template.render(example.turns, to_answer=True),
        tuple(render_example(example, tokenizer, tokenizer.template).ids),
    )
