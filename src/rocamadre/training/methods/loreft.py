"""LoReFT: at a few positions each block's output h becomes h + Rᵀ(Wh + b − Rh), with R's rows orthonormal.

The edit moves h only within the subspace that R spans. It is applied to the first positions of every example, and to
the last ones before each answer: those are found by the mark with which the chat template begins an answer, so training
and serving edit the same places, in every turn. A layer's edit is a hook on it; no weight of the base changes.

Source: Wu et al. 2024, arXiv:2404.03592, eq. 2 and section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils.parametrize import register_parametrization, remove_parametrizations

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Turn
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
from rocamadre.training.methods.facts import FACTS, LoreftSettings, MethodFacts
from rocamadre.training.methods.models import blocks, read_weights
from rocamadre.training.methods.virtual import seen

WEIGHTS = "loreft.safetensors"
_PLACES = "edited_places"
"""The keyword by which the places travel from the decoder to its blocks, also when they are computed again."""


class Orthonormal(nn.Module):
    """Rows as Gram and Schmidt make them orthonormal.

    Of torch's own parametrisations, the one for oblong matrices keeps signs in its diagonal, which weight decay makes
    zero. Here the size of the numbers below does not count.
    """

    def forward(self, rows: Tensor) -> Tensor:
        """Shape as given, with fewer rows than columns or as many."""
        q, r = torch.linalg.qr(rows.T)
        orthonormal: Tensor = (q * r.diagonal().sign()).T
        return orthonormal

    def right_inverse(self, rows: Tensor) -> Tensor:
        """What stands for rows that are orthonormal already: themselves."""
        return rows


class Edit(nn.Module):
    """One layer's edit.

    Args:
        width: Of hidden states.
        rank: Of the subspace.
        dropout: Of the edit, while training.
    """

    def __init__(self, width: int, rank: int, dropout: float) -> None:
        super().__init__()
        rotation = nn.Linear(width, rank, bias=False)
        nn.init.orthogonal_(rotation.weight)
        self.rotation = register_parametrization(rotation, "weight", Orthonormal())
        self.source = nn.Linear(width, rank)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """Edited states, shape as given."""
        rotation = self.rotation.weight
        edit = (self.source(states) - states @ rotation.T) @ rotation
        edited: Tensor = states + self.dropout(edit)
        return edited


@dataclass(frozen=True, slots=True)
class Places:
    """Which positions are edited.

    Attributes:
        first: How many at the beginning of an example.
        last: How many at the end of a prompt.
        mark: Token ids with which the template begins an answer; empty without `last`.
    """

    first: int
    last: int
    mark: tuple[int, ...]

    def find(self, ids: Tensor | None, positions: Tensor) -> Tensor:
        """Where to edit: bool, shape (rows, tokens).

        Args:
            ids: (rows, tokens), or None where a caller has embeddings only.
            positions: (rows, tokens), from 0 in each example.
        """
        chosen = positions < self.first
        if not self.last or ids is None or ids.shape[1] < len(self.mark):
            return chosen
        mark = torch.tensor(self.mark, device=ids.device)
        ends = torch.zeros_like(chosen)
        ends[:, len(mark) - 1 :] = (ids.unfold(1, len(mark), 1) == mark).all(-1)
        for back in range(min(self.last, ids.shape[1])):
            reached = ends & (positions >= back)  # not into the example before
            chosen = chosen | nn.functional.pad(reached[:, back:], (0, back))
        return chosen


class Loreft(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["loreft"]

    def prepare(
        self, model: Any, settings: LoreftSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Hook the edits to their layers.

        Raises:
            InvalidRequest: a layer or rank that the model does not have; `last` without a chat template.
        """
        mark = answer_mark(tokenizer) if settings.last else ()
        with seeded(seed):
            return _put_on(model, settings, mark)

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write an adapter directory: R, W and b of each layer."""
        tensors: dict[str, Tensor] = {}
        for index, layer in enumerate(blocks(module)):
            if (edit := getattr(layer, "edit", None)) is not None:
                tensors |= {f"{index}.{name}": tensor for name, tensor in _saved(edit).items()}
        plain = {name: each.detach().to("cpu", torch.float32).contiguous() for name, each in tensors.items()}
        with whole_folder(folder) as partial:
            save_file(plain, partial / WEIGHTS)
            write_record(partial, self.name, recall(module, "settings"), mark=list(recall(module, "places").mark))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """Hook saved edits to a base."""
        record = read_record(folder, self.name)
        settings = LoreftSettings.model_validate(record["settings"])
        weights = read_weights(folder)
        module = _put_on(model, settings, tuple(record.get("mark", ())))
        for index, layer in enumerate(blocks(model)):
            if (edit := getattr(layer, "edit", None)) is not None:
                remove_parametrizations(edit.rotation, "weight")  # saved as it is multiplied
                for name, tensor in _saved(edit).items():
                    saved = weights.get(f"{index}.{name}")
                    if saved is None or saved.shape != tensor.shape:
                        raise InvalidRequest(f"the edits in {folder} do not fit the model: {name} of block {index}")
                    tensor.data.copy_(saved)
        freeze(module)
        return module.eval()


def _saved(edit: Any) -> dict[str, Tensor]:
    return {
        "rotation": edit.rotation.weight,
        "source.weight": edit.source.weight,
        "source.bias": edit.source.bias,
    }


def answer_mark(tokenizer: ModelTokenizer | None) -> tuple[int, ...]:
    """Token ids with which a model's chat template begins an answer.

    Raises:
        InvalidRequest: there is no template, or it begins answers with nothing.
    """
    template = None if tokenizer is None else tokenizer.template
    if tokenizer is None or template is None:
        raise InvalidRequest("`last` needs a model with a chat template, which says where a prompt ends; set it to 0")
    turns = [Turn("user", "a")]
    open_, closed = template.render(turns, to_answer=True), template.render(turns, to_answer=False)
    mark = tokenizer.encode(open_.removeprefix(closed)) if open_.startswith(closed) else []
    if not mark:
        raise InvalidRequest("`last`: the model's chat template begins answers with no mark of their own; set it to 0")
    return tuple(mark)


def _put_on(model: Any, settings: LoreftSettings, mark: tuple[int, ...]) -> nn.Module:
    layers, like = blocks(model), model.get_input_embeddings().weight
    width = like.shape[1]
    chosen = settings.layers or tuple(range(len(layers)))
    if beyond := [layer for layer in chosen if layer >= len(layers)]:
        raise InvalidRequest(f"layers: {beyond} are beyond the model's {len(layers)} blocks, counted from 0")
    if settings.rank > width:
        raise InvalidRequest(f"rank is {settings.rank}; the model's hidden states have {width} dimensions")
    freeze(model)
    for layer in chosen:
        layers[layer].edit = Edit(width, settings.rank, settings.dropout).to(like)
        layers[layer].register_forward_hook(_edit, with_kwargs=True)
    model.base_model.register_forward_pre_hook(_find_places, with_kwargs=True)
    places = Places(settings.first, settings.last, mark)
    remember(model.base_model, places=places)
    remember(model, settings=settings, places=places)
    return model


def _edit(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
    states = output[0] if isinstance(output, tuple) else output
    edited = torch.where(kwargs[_PLACES][..., None], layer.edit(states).to(states.dtype), states)
    return (edited, *output[1:]) if isinstance(output, tuple) else edited


def _find_places(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    arguments = dict(zip(("input_ids", "attention_mask", "position_ids"), args, strict=False)) | kwargs
    ids, positions = arguments.get("input_ids"), arguments.get("position_ids")
    given = arguments["inputs_embeds"] if ids is None else ids
    if positions is None:
        positions = seen(arguments) + torch.arange(given.shape[1], device=given.device)[None]
    places: Places = recall(decoder, "places")
    arguments[_PLACES] = places.find(ids, positions.expand(given.shape[0], -1))
    return (), arguments
