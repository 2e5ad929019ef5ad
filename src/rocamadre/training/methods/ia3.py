"""IA³: learned factors scale keys, values and the inner channels of each MLP; they start at one.

Where a model has queries, keys and values in one matrix, queries are scaled too.

Source: Liu et al. 2022, arXiv:2205.05638, section 3.3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
from torch import nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.adapters import (
    attach,
    detach_merged,
    linear_layers,
    read_attached,
    transposed,
    write_attached,
)
from rocamadre.training.methods.base import MethodBase, recall, remember, seeded, whole_folder, write_record
from rocamadre.training.methods.facts import FACTS, Ia3Settings, MethodFacts

_KEYS_AND_VALUES = ("k_proj", "v_proj", "key", "value", "query_key_value", "qkv_proj", "c_attn")
_LAST_OF_MLP = ("down_proj", "w2", "fc2", "fc_out", "dense_4h_to_h", "mlp.c_proj")
"""What the usual models call them."""


class Ia3(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["ia3"]

    def prepare(
        self, model: Any, settings: Ia3Settings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Put the factors in.

        Raises:
            InvalidRequest: which layers to scale is not known for this kind of model.
        """
        outer = _present(model, _KEYS_AND_VALUES) if settings.attention else []
        inner = _present(model, _LAST_OF_MLP) if settings.feedforward else []
        config = peft.IA3Config(
            target_modules=outer + inner,
            feedforward_modules=inner,
            fan_in_fan_out=transposed(model),
            task_type=peft.TaskType.CAUSAL_LM,
        )
        with seeded(seed):
            module = attach(model, config)
        remember(module, settings=settings)
        return module

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write an adapter directory in PEFT's form."""
        with whole_folder(folder) as partial:
            write_attached(partial, module)
            write_record(partial, self.name, recall(module, "settings"))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """Put saved factors on."""
        return read_attached(model, folder)

    def merge(self, module: nn.Module) -> Any:
        """Each factor multiplied into the rows or columns that it scales."""
        return detach_merged(module)


def _present(model: Any, names: tuple[str, ...]) -> list[str]:
    paths = linear_layers(model)
    found = [name for name in names if any(path == name or path.endswith("." + name) for path in paths)]
    if not found:
        raise InvalidRequest(
            f"IA³ finds no layers to scale in a {model.config.model_type!r} model: it looks for {', '.join(names)}; "
            f"there are {', '.join(paths)}"
        )
    return found
