"""What the model will see of examples, for people to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from rocamadre.datasets.rendered import Rendered, both_answers, render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Example, Preference

_HALF = "\ufffd"
_MOST_PARTS = 8


class Piece(NamedTuple):
    """One token, or as many as it takes to be whole characters.

    Attributes:
        text: As the model's tokenizer writes it; marks such as `<|im_end|>` by name.
        ids: Of its tokens.
        trained: Whether the model learns to write it.
    """

    text: str
    ids: list[int]
    trained: bool


class View(NamedTuple):
    """One conversation or text.

    Attributes:
        record: Its number, from 1.
        title: Empty, or which answer of a pair it is.
        pieces: All of it.
    """

    record: int
    title: str
    pieces: list[Piece]

    @property
    def tokens(self) -> int:
        """How many there are."""
        return sum(len(piece.ids) for piece in self.pieces)

    @property
    def trained(self) -> int:
        """How many are learned."""
        return sum(len(piece.ids) for piece in self.pieces if piece.trained)

    def as_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        tokens = [{"text": piece.text, "ids": piece.ids, "trained": piece.trained} for piece in self.pieces]
        return {
            "record": self.record,
            "title": self.title,
            "count": self.tokens,
            "trained": self.trained,
            "tokens": tokens,
        }


def preview(examples: Iterable[Example], tokenizer: ModelTokenizer, *, limit: int = 3, skip: int = 0) -> Iterator[View]:
    """What the model sees of the first examples, or those after the first `skip`; a pair is two.

    Raises:
        InvalidRequest: the model's template refuses one, or there is none.
    """
    for number, example in enumerate(islice(examples, skip, skip + limit), start=skip + 1):
        if isinstance(example, Preference):
            for title, chat in zip(("chosen", "rejected"), both_answers(example), strict=True):
                rendered = render_example(chat, tokenizer, tokenizer.template)
                yield View(number, title, pieces_of(rendered, tokenizer))
        else:
            yield View(number, "", pieces_of(render_example(example, tokenizer, tokenizer.template), tokenizer))


def pieces_of(rendered: Rendered, tokenizer: ModelTokenizer) -> list[Piece]:
    """Tokens as text; those that are parts of a character are put together."""
    found: list[Piece] = []
    held: list[int] = []
    held_trained = False
    for token, trained in zip(rendered.ids, rendered.trained, strict=True):
        if held and trained != held_trained:
            found.append(_piece(held, held_trained, tokenizer))
            held = []
        held.append(token)
        held_trained = trained
        piece = _piece(held, trained, tokenizer)
        if _HALF not in piece.text or len(held) >= _MOST_PARTS:
            found.append(piece)
            held = []
    if held:
        found.append(_piece(held, held_trained, tokenizer))
    return found


def _piece(ids: list[int], trained: bool, tokenizer: ModelTokenizer) -> Piece:
    return Piece(tokenizer.tokens.decode(ids, skip_special_tokens=False), list(ids), trained)
