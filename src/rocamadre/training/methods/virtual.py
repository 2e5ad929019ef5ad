"""What methods with virtual tokens share: text as token ids, masks and places that make room in front."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer


def ids_of_text(text: str, tokenizer: ModelTokenizer | None, *, count: int) -> Tensor:
    """Token ids of a text, cut or repeated: (count,), int64.

    Raises:
        InvalidRequest: there is no tokenizer, or the text has no tokens.
    """
    if tokenizer is None:
        raise InvalidRequest("`init = text` needs the model's tokenizer")
    ids = tokenizer.encode(text)
    if not ids:
        raise InvalidRequest("`text` has no tokens")
    return torch.tensor((ids * (count // len(ids) + 1))[:count])


def check_room(model: Any, tokens: int) -> None:
    """Virtual tokens take places of the context.

    Raises:
        InvalidRequest: they leave none.
    """
    longest = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "n_positions", None)
    if longest and tokens >= longest:
        raise InvalidRequest(f"tokens is {tokens}; the model's context is {longest}, and the input needs room in it")


def seen(arguments: dict[str, Any]) -> int:
    """Tokens in the cache that a call was given."""
    cache = arguments.get("past_key_values")
    return int(cache.get_seq_length()) if cache is not None else 0


def named(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """A decoder's arguments by name."""
    return dict(zip(("input_ids", "attention_mask", "position_ids"), args, strict=False)) | kwargs


def shift(arguments: dict[str, Any], count: int, *, first: bool, queries: bool) -> None:
    """Make room for `count` virtual tokens, in place.

    Args:
        arguments: Of the decoder, by name.
        count: Virtual tokens.
        first: Nothing is in the cache yet.
        queries: They go in front of the input itself, not only of keys and values.
    """
    places, mask = arguments.get("position_ids"), arguments.get("attention_mask")
    own = first and queries
    if places is not None:
        moved = places + count
        if own:
            front = torch.arange(count, device=places.device).expand(places.shape[0], -1)
            moved = torch.cat([front, moved], dim=1)
        arguments["position_ids"] = moved
    if mask is None:
        return
    if mask.dim() != 2:
        raise InvalidRequest("virtual tokens need one example per row: no mask, or one of shape (rows, tokens)")
    arguments["attention_mask"] = torch.cat([mask.new_ones(mask.shape[0], count), mask], dim=1)
