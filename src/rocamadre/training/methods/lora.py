"""LoRA: beside a frozen matrix W a product BA of rank r is trained; the layer computes Wx + s·BAx.

B starts at zero, so training begins at the base. `rslora` sets s = alpha/√r instead of alpha/r; `dora` trains each
row's length apart: m·(W + s·BA)/‖W + s·BA‖, where m starts as ‖W‖.

Sources: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732; Liu et al. 2024, arXiv:2402.09353.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
from torch import nn

from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.adapters import (
    attach,
    detach_merged,
    read_attached,
    resolve_targets,
    transposed,
    write_attached,
)
from rocamadre.training.methods.base import MethodBase, recall, remember, seeded, whole_folder, write_record
from rocamadre.training.methods.facts import FACTS, LoraSettings, MethodFacts


class Lora(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["lora"]

    def prepare(
        self, model: Any, settings: LoraSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Put the matrices beside their targets.

        Raises:
            InvalidRequest: a target is unknown.
        """
        config = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=resolve_targets(model, settings.targets),
            use_rslora=settings.rslora,
            use_dora=settings.dora,
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
        """Put a saved adapter on; PEFT's own adapters, from elsewhere, too."""
        return read_attached(model, folder)

    def merge(self, module: nn.Module) -> Any:
        """W + s·BA in the place of each W."""
        return detach_merged(module)
