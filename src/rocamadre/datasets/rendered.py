"""What the model sees of an example: token ids, and which of them it learns to write.

A conversation is written with the model's own chat template, as it will be served. What comes before the last answer
is token for token what the engine reads when it is asked for that answer; the answer begins with a token of its own, as
one that is generated does. Learned are the assistant's tokens and the mark that ends its turn, and nothing else.

Marks such as `<|im_end|>` in what people wrote stay letters, as when they are served (`engines/rendering.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.chat_template import ChatTemplate
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Chat, Example, Preference, Prompt, Text, Turn
from rocamadre.engines.rendering import new_seam


class Rendered(NamedTuple):
    """One example as tokens.

    Attributes:
        ids: Token ids, first to last.
        trained: As long; whether the loss counts the prediction *of* this token.
    """

    ids: list[int]
    trained: list[bool]


class _Piece(NamedTuple):
    """A token of the conversation and where its text lies in it."""

    id: int
    start: int
    end: int


def render_example(example: Example, tokenizer: ModelTokenizer, template: ChatTemplate | None) -> Rendered:
    """An example as token ids and what is learned of it.

    A `Text` is learned whole, and so is the mark that ends it. Of a `Chat` each of the assistant's turns is learned. Of
    a `Prompt` nothing is: its ids are what the engine reads before it answers.

    Args:
        example: Any but a `Preference`, which is two conversations: see `both_answers`.
        tokenizer: Of the model.
        template: Usually `tokenizer.template`; may be None for `Text`.

    Raises:
        InvalidRequest: the template refuses it or leaves an answer out, or there is none.
    """
    if isinstance(example, Text):
        return _text(example, tokenizer)
    if isinstance(example, Preference):
        raise InvalidRequest("a preference pair is two conversations; render each")
    if template is None:
        raise InvalidRequest("the model has no chat template; train it on records with 'text'")
    seam = new_seam()
    turns = [Turn(turn.role, tokenizer.guard.protect(turn.text, seam)) for turn in example.turns]
    if isinstance(example, Prompt):
        ids = [piece.id for piece in _prompt_pieces(template.render(turns, to_answer=True), tokenizer, seam)]
        return Rendered(ids, [False] * len(ids))
    return _chat(turns, tokenizer, template, seam)


def both_answers(example: Preference) -> tuple[Chat, Chat]:
    """A pair as two conversations: the better answer's, the worse one's."""
    chosen = Chat((*example.turns, Turn("assistant", example.chosen)))
    return chosen, Chat((*example.turns, Turn("assistant", example.rejected)))


def _text(example: Text, tokenizer: ModelTokenizer) -> Rendered:
    before = [tokenizer.bos] if tokenizer.begins and tokenizer.bos is not None else []
    ids = [*tokenizer.encode(example.text), tokenizer.document_end]
    return Rendered([*before, *ids], [False] * len(before) + [True] * len(ids))


def _chat(turns: Sequence[Turn], tokenizer: ModelTokenizer, template: ChatTemplate, seam: str) -> Rendered:
    whole = template.render(turns, to_answer=False)
    answers = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    *earlier, last = answers
    prompt = template.render(turns[:last], to_answer=True)
    if not whole.startswith(prompt):
        raise InvalidRequest(
            "the model's chat template writes a conversation in another way once it is answered, so it cannot be "
            "trained as it will be served"
        )
    pieces = _prompt_pieces(prompt, tokenizer, seam)
    trained = [False] * len(pieces)
    for index in earlier:
        start = template.render(turns[:index], to_answer=True)
        if prompt.startswith(start):
            _mark(pieces, trained, len(start.replace(seam, "")), tokenizer)
    tail = _ended(_pieces(whole[len(prompt) :], tokenizer, seam), tokenizer)
    if len(tail) == 1 and turns[last].text.strip():
        raise InvalidRequest("the model's chat template leaves the last answer out")
    return Rendered([piece.id for piece in pieces] + tail, trained + [True] * len(tail))


def _mark(pieces: Sequence[_Piece], trained: list[bool], start: int, tokenizer: ModelTokenizer) -> None:
    """Mark the tokens of an earlier answer that begins at a character, up to the mark that ends its turn."""
    for index, piece in enumerate(pieces):
        if piece.start < start:
            continue
        trained[index] = True
        if piece.id in tokenizer.ends:
            return


def _ended(pieces: Sequence[_Piece], tokenizer: ModelTokenizer) -> list[int]:
    """The ids of the last answer with the mark that ends it, and nothing after; the engine stops at that mark."""
    ids = [piece.id for piece in pieces]
    for index, token in enumerate(ids):
        if token in tokenizer.ends:
            return ids[: index + 1]
    return [*ids, tokenizer.eos]


def _prompt_pieces(marked: str, tokenizer: ModelTokenizer, seam: str) -> list[_Piece]:
    """The tokens as the engine makes them: begun with the mark that begins text, once."""
    pieces = _pieces(marked, tokenizer, seam)
    if tokenizer.begins and tokenizer.bos is not None and (not pieces or pieces[0].id != tokenizer.bos):
        pieces.insert(0, _Piece(tokenizer.bos, -1, -1))
    return pieces


def _pieces(marked: str, tokenizer: ModelTokenizer, seam: str) -> list[_Piece]:
    """Tokens of text that is parted by seams; places are counted without them."""
    found: list[_Piece] = []
    at = 0
    for part in marked.split(seam):
        encoding = tokenizer.tokens.encode(part, add_special_tokens=False)
        found += [
            _Piece(token, at + start, at + end)
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True)
        ]
        at += len(part)
    return found
