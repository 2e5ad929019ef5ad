"""Prefix tuning: every layer attends to learned keys and values before its own.

They are put into the cache, which layers that compute their activations again do without: gradient checkpointing would
silently train nothing, and is refused.

Source: Li & Liang 2021, arXiv:2101.00190; section 7.4 finds that real activations are the better start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.adapters import write_peft
from rocamadre.training.methods.base import (
    MethodBase,
    freeze,
    read_record,
    recall,
    remember,
    seeded,
    whole_folder,
    write_record,
)
from rocamadre.training.methods.facts import FACTS, MethodFacts, PrefixSettings
from rocamadre.training.methods.models import read_weights
from rocamadre.training.methods.virtual import check_room, ids_of_text, named, seen, shift

TENSOR = "prompt_embeddings"
"""PEFT's name of what is saved."""
_SPREAD = 0.02


class Prefix(nn.Module):
    """Keys and values of virtual tokens.

    Args:
        start: (tokens, 2 · layers · key heads · head size): for each layer keys, then values.
        heads: Key heads.
        projection_width: Of the network that is trained in their place and added to `start`; 0: they are trained.
    """

    def __init__(self, start: Tensor, *, heads: int, projection_width: int = 0) -> None:
        super().__init__()
        self.heads, self.count = heads, start.shape[0]
        self.projection: nn.Module | None = None
        if projection_width:
            last = nn.Linear(projection_width, start.shape[1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.register_buffer("start", start.clone())
            self.weight = nn.Parameter(torch.randn(self.count, projection_width))
            self.projection = nn.Sequential(nn.Linear(projection_width, projection_width), nn.Tanh(), last)
        else:
            self.weight = nn.Parameter(start.clone())

    @property
    def values(self) -> Tensor:
        """Keys and values as they are saved, whatever makes them."""
        made: Tensor = self.weight if self.projection is None else self.start + self.projection(self.weight)
        return made

    def fill(self, cache: Any, *, layers: int, rows: int, dtype: torch.dtype) -> None:
        """Put them into an empty cache, for each of `rows`."""
        shaped = self.values.to(dtype).view(self.count, layers, 2, self.heads, -1).permute(1, 2, 3, 0, 4)
        for layer, (keys, values) in enumerate(shaped):
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)


class PrefixTuning(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["prefix-tuning"]

    def prepare(
        self, model: Any, settings: PrefixSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Make the prefix.

        Raises:
            InvalidRequest: no room for it, no tokenizer for `text`, gradient checkpointing, or layers that see only a
                window, from which the prefix would fall.
        """
        check_room(model, settings.tokens)
        _check_model(model)
        layers, heads, size = _shape(model)
        like = model.get_input_embeddings().weight
        width = settings.projection_width if settings.projection else 0
        with seeded(seed):
            if settings.init == "text":
                start = _computed(model, ids_of_text(settings.text, tokenizer, count=settings.tokens))
            elif settings.init == "vocabulary":
                start = _computed(model, torch.randint(like.shape[0], (settings.tokens,)))
            else:
                start = torch.randn(settings.tokens, layers * 2 * heads * size) * _SPREAD
            prefix = Prefix(start.cpu(), heads=heads, projection_width=width)
        return _put_on(model, prefix.to(like), settings)

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write an adapter directory in PEFT's form; a projection has done its work and is not in it."""
        prefix: Prefix = module.base_model.prefix
        layers, heads, size = _shape(module)
        config = peft.PrefixTuningConfig(
            task_type=peft.TaskType.CAUSAL_LM,
            num_virtual_tokens=prefix.count,
            token_dim=heads * size,
            num_layers=layers,
            num_attention_heads=heads,
            num_transformer_submodules=1,
        )
        with whole_folder(folder) as partial:
            write_peft(partial, config, {TENSOR: prefix.values})
            write_record(partial, self.name, recall(module, "settings"))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """Put a saved prefix before a base's layers."""
        settings = PrefixSettings.model_validate(read_record(folder, self.name)["settings"])
        _check_model(model)
        layers, heads, size = _shape(model)
        values = read_weights(folder).get(TENSOR)
        if values is None or values.shape != (settings.tokens, layers * 2 * heads * size):
            raise InvalidRequest(
                f"the prefix in {folder} does not fit a model of {layers} layers with {heads} key heads of {size}"
            )
        module = _put_on(model, Prefix(values.to(model.get_input_embeddings().weight), heads=heads), settings)
        freeze(module)
        return module.eval()


def _put_on(model: Any, prefix: Prefix, settings: PrefixSettings) -> nn.Module:
    freeze(model)
    model.base_model.prefix = prefix
    model.base_model.register_forward_pre_hook(_put, with_kwargs=True)
    model.base_model.register_forward_hook(_cut, with_kwargs=True)
    remember(model, settings=settings)
    return model


def _put(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    _check_checkpointing(decoder)
    prefix: Prefix = decoder.prefix
    arguments = named(args, kwargs)
    if arguments.get("segments") is not None:
        raise InvalidRequest("prefix tuning needs one example per row: turn `packing` off")
    first = seen(arguments) == 0
    shift(arguments, prefix.count, first=first, queries=False)
    if first:
        given = arguments.get("input_ids")
        given = arguments["inputs_embeds"] if given is None else given
        cache = arguments.get("past_key_values")
        if cache is None:
            cache = arguments["past_key_values"] = DynamicCache(config=decoder.config)
        dtype = decoder.get_input_embeddings().weight.dtype
        prefix.fill(cache, layers=decoder.config.num_hidden_layers, rows=given.shape[0], dtype=dtype)
    return (), arguments


def _cut(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    """Give the cache back only to callers who want one: it holds on to every layer's activations."""
    if kwargs.get("use_cache") is False and not isinstance(output, tuple):
        output.past_key_values = None
    return output


def _check_model(model: Any) -> None:
    config = model.config
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None) if not hasattr(config, "layer_types") else None
    if kinds != {"full_attention"} or window:
        shown = f"a window of {window} tokens" if window else ", ".join(sorted(kinds))
        raise InvalidRequest(
            f"prefix tuning needs layers that see the whole input; this model has {shown}. Take prompt tuning"
        )
    _check_checkpointing(model)


def _check_checkpointing(model: Any) -> None:
    if model.is_gradient_checkpointing and model.training:
        raise InvalidRequest(
            "prefix tuning does not go with gradient checkpointing, which computes layers without the cache that "
            "holds the prefix: set gradient_checkpointing to false, or take prompt tuning"
        )


def _shape(model: Any) -> tuple[int, int, int]:
    """Layers, key heads, head size."""
    config = model.config
    heads = int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
    return int(config.num_hidden_layers), heads, size


def _computed(model: Any, ids: Tensor) -> Tensor:
    """What the base computes of tokens: (tokens, 2 · layers · key heads · head size)."""
    cache, trains = DynamicCache(config=model.config), model.training
    model.eval()
    with torch.no_grad():
        model.base_model(input_ids=ids[None].to(model.device), past_key_values=cache, use_cache=True)
    model.train(trains)
    pairs = [torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers]
    return torch.stack(pairs).permute(3, 0, 1, 2, 4).flatten(1)
