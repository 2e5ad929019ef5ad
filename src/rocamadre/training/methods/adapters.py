"""PEFT underneath: layers put into a model, and their files.

The model itself is what trains, not PEFT's wrapper around it: so it is called, walked and sharded like any other.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.methods.base import recall, remember
from rocamadre.training.methods.models import blocks, read_weights

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_GROUPS = {"attention": ("attn", "attention"), "mlp": ("mlp", "ffn", "feed_forward")}


def linear_layers(model: Any) -> list[str]:
    """Paths within a block of the matrices that every block has, in order: `self_attn.q_proj`, …"""
    return [name for name, part in blocks(model)[0].named_modules() if isinstance(part, nn.Linear | Conv1D)]


def resolve_targets(model: Any, targets: tuple[str, ...]) -> list[str]:
    """Layer names for PEFT, from groups and names; the shortest that name one layer of a block.

    Raises:
        InvalidRequest: a name that the model does not have; the message lists those it has.
    """
    paths = linear_layers(model)
    chosen: set[str] = set()
    for target in targets:
        words = _GROUPS.get(target, ())
        found = {
            path
            for path in paths
            if target == "all"
            or any(word in part for part in path.split(".")[:-1] for word in words)
            or (not words and (path == target or path.endswith("." + target)))
        }
        if not found:
            raise InvalidRequest(
                f"targets: the model has no layers called {target!r}; it has all, attention, mlp, "
                + ", ".join(sorted({path.rpartition(".")[2] for path in paths}))
            )
        chosen |= found
    ends = [path.rpartition(".")[2] for path in paths]
    return [end if ends.count(end) == 1 else path for path, end in zip(paths, ends, strict=True) if path in chosen]


def transposed(model: Any) -> bool:
    """Whether the model keeps its matrices as GPT-2 does: inputs by outputs."""
    return any(isinstance(part, Conv1D) for part in blocks(model).modules())


def attach(model: Any, config: peft.PeftConfig) -> nn.Module:
    """Put an adapter's layers into a model; all else is frozen."""
    remember(model, peft=peft.get_peft_model(model, config))
    return model


def write_peft(folder: Path, config: peft.PeftConfig, tensors: dict[str, Tensor]) -> None:
    """Write an adapter the way PEFT does."""
    config.inference_mode = True
    config.save_pretrained(str(folder))
    plain = {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in tensors.items()}
    save_file(plain, folder / WEIGHTS, metadata={"format": "pt"})


def write_attached(folder: Path, module: nn.Module) -> None:
    """Write what `attach` put into a model. The embedding is never part of it, so PEFT need not look for a base."""
    wrapper = recall(module, "peft")
    trained = wrapper.peft_config["default"].inference_mode
    write_peft(
        folder, wrapper.peft_config["default"], peft.get_peft_model_state_dict(wrapper, save_embedding_layers=False)
    )
    wrapper.peft_config["default"].inference_mode = trained


def read_attached(model: Any, folder: Path) -> nn.Module:
    """Put a saved adapter into a model, frozen and ready to answer.

    Raises:
        InvalidRequest: a file is missing or damaged, or the adapter is another model's.
    """
    tensors = read_weights(folder)
    try:
        config = peft.PeftConfig.from_pretrained(str(folder))
        config.inference_mode = True
        attach(model, config)
        result = peft.set_peft_model_state_dict(recall(model, "peft"), tensors)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise InvalidRequest(f"the adapter in {folder} does not fit the model: {error}") from error
    lacking = [name for name in result.missing_keys if ".default" in name]
    if lacking or result.unexpected_keys:
        raise InvalidRequest(
            f"the adapter in {folder} does not fit the model: it lacks {lacking[:3]}, it has too many "
            f"{list(result.unexpected_keys)[:3]}"
        )
    model.requires_grad_(requires_grad=False)
    return model.eval()


def detach_merged(module: nn.Module) -> Any:
    """Fold an adapter into the matrices beside it and take its layers out; float32.

    Raises:
        InvalidRequest: the result is not finite.
    """
    try:
        merged = recall(module, "peft").merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise InvalidRequest(f"the adapter cannot be merged: {error}") from error
    module.__dict__.pop("_rocamadre")
    return merged.float()
