"""Finding one's way in a causal language model of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rocamadre.core.errors import InvalidRequest


def blocks(model: Any) -> nn.ModuleList:
    """The transformer blocks, first to last.

    Raises:
        InvalidRequest: there is no list of as many as the configuration says.
    """
    count = model.config.num_hidden_layers
    for part in model.base_model.children():
        if isinstance(part, nn.ModuleList) and len(part) == count:
            return part
    raise InvalidRequest(
        f"the blocks of a {model.config.model_type!r} model were not found; it is not trained this way"
    )


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All tensors of a folder's safetensors files.

    Raises:
        InvalidRequest: there are none, or one is damaged.
    """
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise InvalidRequest(f"{folder} holds no safetensors file")
    found: dict[str, Tensor] = {}
    for path in paths:
        try:
            found |= load_file(path)
        except (OSError, SafetensorError) as error:
            raise InvalidRequest(f"{path} is damaged: {error}") from error
    return found
