"""The losses of a run on sets that it does not learn: the base's, and the trained model's; see `forgetting.py`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import RunStopped
from rocamadre.training import causal, forgetting
from rocamadre.training.data import TokenTable, table_of
from rocamadre.training.model import Base
from rocamadre.training.progress import Reporter
from rocamadre.training.settings import TrainingSettings

_ROWS = 8


class Kept:
    """What is measured on some sets at both ends of a run.

    Args:
        folder: Of the run; the base's losses are written down in it, for a run that is begun again.
        files: Canonical files by the name of the set; none for nothing to measure.
        base: What the run starts from.
        settings: Of the run.

    Raises:
        InvalidRequest: a file is gone, or has nothing that is predicted.
    """

    def __init__(self, folder: RunDir, files: Mapping[str, Path], base: Base, settings: TrainingSettings) -> None:
        self._folder, self._files, self._base, self._settings = folder, files, base, settings
        self._known = folder.work / "forgetting.json"

    def before(self, model: nn.Module) -> None:
        """Measure the base, once."""
        if self._files and not self._known.exists():
            write_json(self._known, forgetting.measure(self._tables(), lambda table: self._loss(model, table)))

    def after(self, module: nn.Module, reporter: Reporter) -> dict[str, Any] | None:
        """Measure the trained model; what `forgetting.report` says of the change, or None without sets."""
        if not self._files:
            return None
        after = forgetting.measure(self._tables(), lambda table: self._loss(module.eval(), table))
        told = forgetting.report(forgetting.compare(read_json(self._known) or {}, after))
        reporter.note("forgetting", **told)
        return told

    def _tables(self) -> dict[str, TokenTable]:
        return {
            name: table_of(
                [path],
                self._base.tokenizer,
                objective="chat",
                max_length=self._settings.max_length,
                cache=self._folder.work / "tokens" / f"forgetting-{number}",
                warn=lambda _: None,
                tick=self._leave_if_asked,
            )
            for number, (name, path) in enumerate(self._files.items())
        }

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def _loss(self, module: nn.Module, table: TokenTable) -> float:
        """Mean nats per learned token, by the model's own logits: right for every method and architecture."""
        causal.use_layout(module, "plain")
        device = next(module.parameters()).device
        task = causal.CausalTask(
            table, capacity=self._settings.max_length, packing=False, seed=0, device=device, layout="plain"
        )
        rows = task.order.rows(0, task.order.per_epoch)
        total = 0.0
        was_training = module.training
        module.eval()
        for start in range(0, len(rows), _ROWS):
            self._leave_if_asked()
            total += float(task.loss(module, rows[start : start + _ROWS]))
        module.train(was_training)
        return total / task.learned(rows)

    def _leave_if_asked(self) -> None:
        if self._folder.stop_requested():
            raise RunStopped
