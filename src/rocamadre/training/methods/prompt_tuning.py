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
        self._kept: Tensor | slice | None = None

    def put(self, decoder: Any, arguments: dict[str, Any]) -> None:
        """Put them in front of an input, or of each of the examples that lie end to end in it (`segments`)."""
        count, self._kept = self.weight.shape[0], None
        if seen(arguments):
            shift(arguments, count, first=False, queries=True)
            return
        states = arguments.pop("inputs_embeds", None)
        if states is None:
            states = decoder.get_input_embeddings()(arguments["input_ids"])
        prompt = self.weight.to(states.dtype)
        if arguments.get("segments") is not None:
            lengths = list(arguments["segments"])
            parts = [part for piece in states[0].split(lengths) for part in (prompt, piece)]
            states = torch.cat(parts)[None]
            places = [torch.arange(count + length, device=states.device) for length in lengths]
            self._kept = torch.cat(places) >= count
            arguments |= {"segments": [count + length for length in lengths], "position_ids": torch.cat(places)[None]}
        else:
            shift(arguments, count, first=True, queries=True)
            states = torch.cat([prompt.expand(states.shape[0], -1, -1), states], dim=1)
            self._kept = slice(count, None)
        arguments |= {"input_ids": None, "inputs_embeds": states}

    def cut(self, output: Any) -> Any:
        """Take their places out of what was computed."""
        if self._kept is None:
            return output
        if isinstance(output, tuple):
            return (output[0][:, self._kept], *output[1:])
        output.last_hidden_state = output.last_hidden_state[:, self._kept]
        if output.get("hidden_states") is not None:
            output.hidden_states = tuple(states[:, self._kept] for states in output.hidden_states)
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
    arguments = named(args, kwargs)
    decoder.virtual_prompt.put(decoder, arguments)
    return (), arguments


def _cut(decoder: Any, args: tuple[Any, ...], output: Any) -> Any:
    return decoder.virtual_prompt.cut(output)
