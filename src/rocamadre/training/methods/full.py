"""Full fine-tuning: every weight moves, or those of the last blocks.

Source: Howard & Ruder 2018, arXiv:1801.06146 (which also freezes lower layers first).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from torch import nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.base import (
    MethodBase,
    freeze,
    read_record,
    recall,
    remember,
    whole_folder,
    write_record,
)
from rocamadre.training.methods.facts import FACTS, FullSettings, MethodFacts
from rocamadre.training.methods.models import blocks


class Full(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["full"]

    def prepare(
        self, model: Any, settings: FullSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Ask for gradients. With `last_layers` the embedding stays too, unless it is also the output matrix.

        Raises:
            InvalidRequest: more blocks are asked for than there are.
        """
        freeze(model)
        layers = blocks(model)
        if settings.last_layers > len(layers):
            raise InvalidRequest(f"last_layers is {settings.last_layers}; the model has {len(layers)} blocks")
        if settings.last_layers:
            for part in (*layers[-settings.last_layers :], *_after(model, layers)):
                part.requires_grad_(requires_grad=True)
        else:
            model.requires_grad_(requires_grad=True)
        matrices = [each for each in (model.get_input_embeddings(), model.get_output_embeddings()) if each is not None]
        for matrix in matrices:
            trains = settings.train_embeddings and (not settings.last_layers or matrix is matrices[-1])
            matrix.requires_grad_(requires_grad=trains)
        remember(model, settings=settings)
        return model

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write a Hugging Face directory."""
        with whole_folder(folder) as partial:
            module.save_pretrained(partial)
            write_record(partial, self.name, recall(module, "settings"))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """The saved model; of the base, only its class and its device are used.

        Raises:
            InvalidRequest: a file is missing or damaged, or the result is of another method.
        """
        record = read_record(folder, self.name)
        try:
            loaded = type(model).from_pretrained(
                folder, dtype=torch.float32, use_safetensors=True, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise InvalidRequest(f"the model in {folder} cannot be loaded: {error}") from error
        remember(loaded, settings=FullSettings.model_validate(record["settings"]))
        freeze(loaded)
        return loaded.to(model.device).eval()

    def merge(self, module: nn.Module) -> Any:
        """The module as it is, in float32."""
        return module.float()


def _after(model: Any, layers: nn.ModuleList) -> list[nn.Module]:
    """What comes after the blocks, the output matrix aside: the last norm."""
    known = {id(layers), id(model.get_input_embeddings())}
    return [
        part for part in model.base_model.children() if id(part) not in known and "norm" in type(part).__name__.lower()
    ]
