"""What a training method is: how a base model is made trainable, kept, and given back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel
from torch import Tensor, nn

from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.facts import Form, MethodFacts


class Method(Protocol):
    """A way to train. Implementations are plain classes without state of a run; METHODS names them.

    `base.MethodBase` answers most of this from `facts`.
    """

    @property
    def facts(self) -> MethodFacts:
        """All that is known of it without torch."""
        ...

    @property
    def name(self) -> str:
        """As in the registry."""
        ...

    @property
    def form(self) -> Form:
        """What it leaves."""
        ...

    @property
    def mergeable(self) -> bool:
        """Whether `merge` gives a model of the base's own shape, so that every engine can run it."""
        ...

    @property
    def packs(self) -> bool:
        """Whether a row may hold several examples; otherwise one example per row, padded on the right."""
        ...

    @property
    def checkpoints(self) -> bool:
        """Whether gradient checkpointing may be on."""
        ...

    @property
    def settings(self) -> type[BaseModel]:
        """The model of its `method_settings`."""
        ...

    def prepare(self, model: Any, settings: Any, *, seed: int, tokenizer: ModelTokenizer | None = None) -> nn.Module:
        """Make a loaded causal model trainable by this method; what must not move is frozen.

        Args:
            model: A `PreTrainedModel` with a language head, float32, on the device that trains.
            settings: An instance of `settings`.
            seed: Of new weights; the random state outside is left as it was.
            tokenizer: The model's; needed where settings speak of text or of prompts' ends.

        Returns:
            `model` itself, changed: `module(input_ids=…, position_ids=…, attention_mask=…)` answers with logits at
            the places of `input_ids`, and so do `module.base_model(…)` with hidden states and
            `module.get_output_embeddings()` on them, also where a method puts virtual tokens in front. With `packs`
            it also takes one row of examples end to end and the keyword `segments`, as `training.attention` does.

        Raises:
            InvalidRequest: the model or the device cannot do it; says why.
        """
        ...

    def trainable(self, module: nn.Module) -> Iterable[tuple[str, nn.Parameter]]:
        """What the optimiser moves, by a name that stays the same in a later run."""
        ...

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write the result: a Hugging Face directory (`full`), or an adapter directory (PEFT's, where it has one).

        Whole or not at all; what lies there is replaced. The tokenizer's files are the caller's.
        """
        ...

    def load(self, model: Any, folder: Path) -> nn.Module:
        """A base model with a saved result put on it, ready to answer; the opposite of `save`."""
        ...

    def merge(self, module: nn.Module) -> Any:
        """The model in the base's own shape, float32; `module` is used up.

        Raises:
            InvalidRequest: not `mergeable`.
        """
        ...


State: TypeAlias = Mapping[str, Tensor]
