"""Log-probabilities of tokens that llama.cpp does not report by itself.

It reports a token when its text is a whole number of characters. An emoji made of four one-byte tokens is reported
once, with the last token's id and log-probability and all four's bytes; a prompt's own tokens are not reported at all.
The missing ones are asked for: one token is generated after the prefix before them, and the log-probabilities of the
whole vocabulary at that place come with it (they are those of the model, before any bias or temperature). The prefix
is in the cache, so each costs one token of work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from rocamadre.core.errors import ModelFailure
from rocamadre.engines.llama.transport import Candidate, Chunk, Picked, Transport

_CERTAIN = 1e6


class Scores:
    """Asks for log-probabilities.

    Args:
        transport: The way to the model.
        fields: Sampling fields that are sent along.
        vocabulary_size: Tokens in the vocabulary.
        plain_token: A token that is one whole character, picked where any will do.
    """

    def __init__(self, transport: Transport, fields: dict[str, Any], *, vocabulary_size: int, plain_token: int) -> None:
        self._transport = transport
        self._fields = fields
        self._vocabulary_size = vocabulary_size
        self._plain_token = plain_token

    async def of_token(self, prefix: Sequence[int], token: int, top: int) -> Picked:
        """One token's log-probability after a prefix, and the `top` likeliest candidates there."""
        picks = await self._force(prefix, token, max(1, top))
        if picks and picks[0].id == token:
            return picks[0]
        everything = await self._all(prefix)
        mine = next(one for one in everything if one.id == token)
        return Picked(token, mine.token, mine.bytes, mine.logprob, everything[:top])

    async def split(
        self, prefix: Sequence[int], group: Picked, count: int, tokens: Sequence[int] | None
    ) -> list[Picked]:
        """A group reported as one, as its `count` tokens.

        Args:
            prefix: Tokens before the group.
            group: As reported: the last token's id, everybody's bytes.
            count: Tokens in the group.
            tokens: Their ids where known; else they are found from the bytes: at each place the likeliest token whose
                bytes come next.
        """
        found: list[Picked] = []
        rest = bytes(group.bytes)
        top = len(group.top_logprobs)
        for place in range(count - 1):
            everything = await self._all([*prefix, *(one.id for one in found)])
            last = next(one for one in everything if one.id == group.id)
            missing = rest[: len(rest) - len(last.bytes)]
            if tokens is not None:
                fits = [one for one in everything if one.id == tokens[place]]
            else:
                final = place == count - 2
                fits = [one for one in everything if one.bytes and _begins(missing, bytes(one.bytes), whole=final)]
            if not fits:
                break
            mine = fits[0]
            found.append(Picked(mine.id, mine.token, mine.bytes, mine.logprob, everything[:top]))
            rest = rest[len(mine.bytes) :]
        group.bytes = list(rest)
        group.token = rest.decode(errors="replace")
        return [*found, group]

    async def _all(self, prefix: Sequence[int]) -> list[Candidate]:
        """Every token's log-probability after a prefix, likeliest first."""
        return (await self._force(prefix, self._plain_token, self._vocabulary_size))[0].top_logprobs

    async def _force(self, prefix: Sequence[int], token: int, count: int) -> list[Picked]:
        body = {
            **self._fields,
            "prompt": list(prefix),
            "n_predict": 1,
            "n_probs": count,
            "samplers": ["temperature"],
            "temperature": 0,
            "logit_bias": [[token, _CERTAIN]],
            "stream": False,
        }
        answer = await self._transport.ask("/completion", body, timeout_s=self._transport.reply_timeout_s)
        try:
            return msgspec.convert(answer.get("completion_probabilities", []), list[Picked])
        except msgspec.ValidationError as error:  # llama.cpp writes null for what is no number.
            raise ModelFailure("the model's probabilities are not finite numbers; its weights are damaged") from error


def group_tokens(chunk: Chunk) -> Iterator[tuple[list[int], Picked]]:
    """A finished generation's tokens, by the groups that were reported; the tokens of an unfinished character, left
    over at the end, come in no group.
    """
    start = 0
    for picked in chunk.completion_probabilities:
        end = chunk.tokens.index(picked.id, start) + 1
        yield chunk.tokens[start:end], picked
        start = end


def _begins(text: bytes, piece: bytes, *, whole: bool) -> bool:
    return text == piece if whole else text.startswith(piece) and len(piece) < len(text)
