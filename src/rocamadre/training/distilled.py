"""A teacher's probabilities as a task of the loop; see `distillation.py` for the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training import causal
from rocamadre.training.data import TokenTable
from rocamadre.training.distillation import distillation_loss, shared_vocabulary
from rocamadre.training.model import Base
from rocamadre.training.packing import Indices


class DistilledTask(causal.CausalTask):
    """Both models read the same passes; the student is drawn to the teacher at every learned token.

    Args:
        table: The examples.
        student: The student's tokenizer.
        teacher: Is read, never changed.
        temperature: Softens both.
        mix: The teacher's share of the loss.
        common: As of `CausalTask`.

    Raises:
        InvalidRequest: the two read text otherwise.
    """

    def __init__(
        self,
        table: TokenTable,
        *,
        student: ModelTokenizer,
        teacher: Base,
        temperature: float,
        mix: float,
        **common: Any,
    ) -> None:
        super().__init__(table, **common)
        self._vocabulary = shared_vocabulary(teacher.tokenizer, student)
        self._teacher = teacher.model.to(common["device"]).eval().requires_grad_(False)
        self._temperature, self._mix = temperature, mix
        causal.use_layout(self._teacher, self.layout)

    def loss(self, module: nn.Module, rows: Sequence[Indices]) -> Tensor:
        """Summed loss of some rows: the teacher's part and the data's."""
        batch = causal.make_batch(self.table, rows, layout=self.layout, device=self._device)
        with torch.no_grad():
            expected = causal.hidden_states(self._teacher, batch)
        return distillation_loss(
            causal.hidden_states(module, batch),
            module.get_output_embeddings(),
            expected,
            self._teacher.get_output_embeddings(),
            batch.targets,
            vocabulary=self._vocabulary,
            temperature=self._temperature,
            mix=self._mix,
        ).total
