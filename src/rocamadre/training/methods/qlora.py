"""QLoRA: LoRA beside a base whose blocks are held in 4 bits (NF4), optionally with quantised scales.

What is trained is right for the quantised base, so `merge` folds it into the dequantised one, not into the weights from
before: the merged model then answers as the trained one did.

Source: Dettmers et al. 2023, arXiv:2305.14314.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import peft
import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.training.methods.adapters import attach, read_attached, resolve_targets, write_attached
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
from rocamadre.training.methods.facts import FACTS, MethodFacts, QloraSettings
from rocamadre.training.methods.models import blocks

_absent = ""
try:
    import bitsandbytes
except (ImportError, OSError, RuntimeError) as _error:  # its own library may not fit the machine
    _absent = f"{type(_error).__name__}: {_error}"


class Qlora(MethodBase):
    """See the module."""

    facts: ClassVar[MethodFacts] = FACTS["qlora"]

    def prepare(
        self, model: Any, settings: QloraSettings, *, seed: int, tokenizer: ModelTokenizer | None = None
    ) -> nn.Module:
        """Quantise the blocks in place, and put LoRA's matrices beside their targets.

        Raises:
            InvalidRequest: a target is unknown; 4 bits do not work on this device.
        """
        targets = resolve_targets(model, settings.targets)
        quantise(model, double=settings.double_quantisation, block_size=settings.block_size)
        config = peft.LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules=targets,
            use_rslora=settings.rslora,
            task_type=peft.TaskType.CAUSAL_LM,
        )
        with seeded(seed):
            module = attach(model, config)
        remember(module, settings=settings)
        return module

    def save(self, module: nn.Module, folder: Path) -> None:
        """Write an adapter directory in PEFT's form; the record says how the base was quantised."""
        with whole_folder(folder) as partial:
            write_attached(partial, module)
            write_record(partial, self.name, recall(module, "settings"))

    def load(self, model: Any, folder: Path) -> nn.Module:
        """Quantise the base as it was, and put the saved adapter on."""
        settings = QloraSettings.model_validate(read_record(folder, self.name)["settings"])
        quantise(model, double=settings.double_quantisation, block_size=settings.block_size)
        return read_attached(model, folder)

    def merge(self, module: nn.Module) -> Any:
        """Dequantised W + s·BA in the place of each W."""
        recall(module, "peft")
        for path, part in list(module.named_modules()):
            if isinstance(part, LoraLayer):
                _replace(module, path, part.get_base_layer(), part.get_delta_weight("default"))
        for path, part in list(module.named_modules()):
            if isinstance(part, bitsandbytes.nn.Linear4bit):
                _replace(module, path, part, None)
        for name in ("_rocamadre", "is_loaded_in_4bit", "peft_config"):
            module.__dict__.pop(name, None)
        return module.float()


def quantise(model: Any, *, double: bool, block_size: int) -> None:
    """Hold the matrices of a model's blocks in NF4, in place; all else stays as it is.

    Args:
        model: On the device that computes.
        double: Quantise the scales too.
        block_size: Weights that share a scale.

    Raises:
        InvalidRequest: 4 bits do not work on this device, or the blocks have no linear layers.
    """
    layers = blocks(model)
    check_four_bits(next(layers.parameters()).device)
    paths = [path for path, part in layers.named_modules() if type(part) is nn.Linear]
    if not paths:
        raise InvalidRequest(
            f"the blocks of a {model.config.model_type!r} model have no plain linear layers to hold in 4 bits"
        )
    for path in paths:
        plain = layers.get_submodule(path)
        layers.set_submodule(path, _four_bits(plain.weight.data, plain.bias, double=double, block_size=block_size))
    freeze(model)
    model.is_loaded_in_4bit = True  # PEFT asks for it


def check_four_bits(device: torch.device) -> None:
    """Compute a small layer in 4 bits, and its gradient.

    Raises:
        InvalidRequest: it does not work, or gives wrong numbers; says why.
    """
    advice = "Take the method `lora`, which needs no quantised base"
    if _absent:
        raise InvalidRequest(f"QLoRA needs bitsandbytes, which cannot be loaded here ({_absent}). {advice}")
    try:
        with seeded(0), torch.autocast(device.type, enabled=False):
            weight = torch.randn(64, 128).to(device)
            layer = _four_bits(weight, None, double=False, block_size=64)
            given = torch.randn(3, 128).to(device).requires_grad_()
            answer = layer(given)
            answer.sum().backward()
            plain = _dequantised(layer)
    except (RuntimeError, NotImplementedError, ValueError, AttributeError, OSError) as error:
        raise InvalidRequest(f"QLoRA does not work on {device.type!r}: {error}. {advice}") from error
    right = torch.allclose(answer, given @ plain.T, atol=0.05, rtol=0.02) and given.grad is not None
    if not (right and torch.allclose(given.grad, plain.sum(0).expand(3, -1), atol=0.05, rtol=0.02)):
        raise InvalidRequest(f"QLoRA does not work on {device.type!r}: 4-bit layers give wrong numbers. {advice}")


def _four_bits(weight: Tensor, bias: nn.Parameter | None, *, double: bool, block_size: int) -> nn.Module:
    outputs, inputs = weight.shape
    layer: nn.Module = bitsandbytes.nn.Linear4bit(
        inputs, outputs, bias=bias is not None, compress_statistics=double, quant_type="nf4", device="meta"
    )
    layer.weight = bitsandbytes.nn.Params4bit(
        weight,
        requires_grad=False,
        blocksize=block_size,
        compress_statistics=double,
        quant_type="nf4",
        module=layer,
    ).to(weight.device)
    layer.bias = bias
    layer.support_avx512bf16_for_cpu = False  # else it computes in bf16 as soon as it does not train
    return layer


def _dequantised(layer: Any) -> Tensor:
    values: Tensor = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    return values.float()


def _replace(model: nn.Module, path: str, quantised: Any, update: Tensor | None) -> None:
    weight = _dequantised(quantised)
    if update is not None:
        weight += update.detach().float()
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=quantised.bias is not None, device="meta")
    plain.weight = nn.Parameter(weight, requires_grad=False)
    if quantised.bias is not None:
        plain.bias = nn.Parameter(quantised.bias.data.float(), requires_grad=False)
    model.set_submodule(path, plain)
