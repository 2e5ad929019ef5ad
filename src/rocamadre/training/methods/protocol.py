"""What a training method is: how a base model is made trainable, kept, and given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import BaseModel
from torch import Tensor, nn

Form: TypeAlias = Literal["full", "adapter"]
"""`full`: all weights are the result. `adapter`: few weights beside a base that stays as it is."""


class Method(Protocol):
    """A way to train. Implementations are plain classes without state of a run; METHODS names them.

    Attributes:
        name: As in the registry.
        form: What it leaves.
        mergeable: Whether `merge` gives a model of the base's own shape, so that every engine can run it.
        settings: The model of its `method_settings`.
    """

    name: str
    form: Form
    mergeable: bool
    settings: type[BaseModel]

    def prepare(self, model: Any, settings: Any, *, seed: int) -> nn.Module:
        """Make a loaded causal model trainable by this method; what must not move is frozen.

        Returns:
            The module to call as `module(input_ids=…, position_ids=…, attention_mask=…)`; it answers with `.logits`, or
            with hidden states the way the base does. May be `model` itself, changed.

        Raises:
            InvalidRequest: the model or the device cannot do it; says why.
        """
        ...

    def trainable(self, module: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """What the optimiser moves, by a name that stays the same in a later run."""
        ...

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write the result: a Hugging Face directory (`full`), or an adapter directory (PEFT's, where it has one)."""
        ...

    def load(self, model: Any, folder: Path) -> nn.Module:
        """A base model with a saved result put on it, ready to answer; the opposite of `save`."""
        ...

    def merge(self, module: nn.Module) -> Any:
        """The model in the base's own shape, float32.

        Raises:
            InvalidRequest: not `mergeable`.
        """
        ...


State: TypeAlias = Mapping[str, Tensor]
