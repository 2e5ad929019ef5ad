"""Prompt tuning: embeddings of virtual tokens, put before every input, are all that is trained.

The decoder itself puts them in front and leaves them out of what it answers, so callers see the places they asked for.

Source: Lester et al. 2021, arXiv:2104.08691.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
import torch
from torch import Tensor, nn

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
from rocamadre.training.methods.facts import FACTS, MethodFacts, PromptSettings
from rocamadre.training.methods.models import read_weights
from rocamadre.training.methods.virtual import check_room, ids_of_text, named, seen, shift

TENSOR = "prompt_embeddings"
"""PEFT's name of what is saved."""


class VirtualPrompt(nn.Module):
    """The virtual tokens of one model.

    Attributes:
        weight: (tokens, width).
    """

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self._in_front = False

    def put(
        self, decoder: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[()], dict[str, Any]]:
        """Before the decoder runs."""
        arguments = named(args, kwargs)
        count = self.weight.shape[0]
        self._in_front = seen(arguments) == 0
        shift(arguments, count, first=self._in_front, queries=True)
        if self._in_front:
            states = arguments.pop("inputs_embeds", None)
            if states is None:
                states = decoder.get_input_embeddings()(arguments.pop("input_ids"))
            prompt = self.weight.to(states.dtype).expand(states.shape[0], -1, -1)
            arguments |= {"input_ids": None, "inputs_embeds": torch.cat([prompt, states], dim=1)}
        return (), arguments

    def cut(self, decoder: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        """After it ran."""
        count = self.weight.shape[0]
        if not self._in_front:
            return output
        if isinstance(output, tuple):
            return (output[0][:, count:], *output[1:])
        output.last_hidden_state = output.last_hidden_state[:, count:]
        if output.get("hidden_states") is not None:
            output.hidden_states = tuple(states[:, count:] for states in output.hidden_states)
        return output


class PromptTuning(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["prompt-tuning"]

    def prepare(
        self, model: Any, settings: PromptSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Make the virtual tokens.

        Raises:
            InvalidRequest: there is no room for them, or no tokenizer to read `text` with.
        """
        check_room(model, settings.tokens)
        table: Tensor = model.get_input_embeddings().weight.detach()
        with seeded(seed):
            if settings.init == "text":
                chosen = ids_of_text(settings.text, tokenizer, count=settings.tokens)
                start = table[chosen.to(table.device)]
            elif settings.init == "vocabulary":
                start = table[torch.randint(table.shape[0], (settings.tokens,)).to(table.device)]
            else:
                start = torch.randn(settings.tokens, table.shape[1]).to(table) * table.std()
        return _put_on(model, start, settings)

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write an adapter directory in PEFT's form."""
        weight = module.base_model.virtual_prompt.weight
        config = peft.PromptTuningConfig(
            task_type=peft.TaskType.CAUSAL_LM,
            num_virtual_tokens=weight.shape[0],
            token_dim=weight.shape[1],
            num_layers=module.config.num_hidden_layers,
            num_attention_heads=module.config.num_attention_heads,
            num_transformer_submodules=1,
        )
        with whole_folder(folder) as partial:
            write_peft(partial, config, {TENSOR: weight})
            write_record(partial, self.name, recall(module, "settings"))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """Put saved virtual tokens in front of a base."""
        settings = PromptSettings.model_validate(read_record(folder, self.name)["settings"])
        weight = read_weights(folder).get(TENSOR)
        table = model.get_input_embeddings().weight
        if weight is None or weight.shape != (settings.tokens, table.shape[1]):
            raise InvalidRequest(f"the virtual tokens in {folder} do not fit a model of width {table.shape[1]}")
        module = _put_on(model, weight.to(table), settings)
        freeze(module)
        return module.eval()


def _put_on(model: Any, weight: Tensor, settings: PromptSettings) -> nn.Module:
    freeze(model)
    prompt = VirtualPrompt(weight)
    model.base_model.virtual_prompt = prompt
    model.base_model.register_forward_pre_hook(_put, with_kwargs=True)
    model.base_model.register_forward_hook(_cut)
    remember(model, settings=settings)
    return model


def _put(decoder: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[()], dict[str, Any]]:
    prompt: VirtualPrompt = decoder.virtual_prompt
    return prompt.put(decoder, args, kwargs)


def _cut(decoder: Any, args: tuple[Any, ...], output: Any) -> Any:
    prompt: VirtualPrompt = decoder.virtual_prompt
    return prompt.cut(decoder, args, output)
