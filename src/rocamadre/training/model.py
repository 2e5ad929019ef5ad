"""A base model, ready to be trained: float32 weights, its tokenizer, and the files that go with its result."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from rocamadre.core.errors import InvalidRequest
from rocamadre.datasets.tokenizer import ModelTokenizer, open_tokenizer
from rocamadre.engines.llama.gguf import dequantise
from rocamadre.training import attention
from rocamadre.training.gguf_base import config_of, write_tokenizer

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "generation_config.json",
)


@dataclass(frozen=True, slots=True)
class Base:
    """What a run starts from.

    Attributes:
        model: A `PreTrainedModel` with a language head, float32.
        tokenizer: Its ids are those of the engine.
        path: Where it came from: a GGUF file or a Hugging Face directory.
        context_length: In tokens.
    """

    model: Any
    tokenizer: ModelTokenizer
    path: Path
    context_length: int

    def write_tokenizer(self, folder: Path) -> None:
        """Put the tokenizer's files beside a trained model; those of a directory as they are."""
        if self.path.is_file():
            write_tokenizer(self.path, self.tokenizer, folder)
            return
        for name in _TOKENIZER_FILES:
            if (self.path / name).is_file():
                shutil.copyfile(self.path / name, folder / name)


def load_base(path: Path) -> Base:
    """Read a causal model.

    Weights are always float32: of a GGUF file exactly what its numbers stand for, since that is what is served. Only
    safetensors are read of a directory, and no code that came with it.

    Args:
        path: A GGUF file that we can dequantise, or a Hugging Face directory.

    Raises:
        InvalidRequest: it is missing, damaged, in another format, or no causal model.
    """
    tokenizer = open_tokenizer(path)
    attention.register()
    transformers.utils.logging.disable_progress_bar()  # Nobody looks at a log of bars.
    model = _of_gguf(path) if path.is_file() else _of_directory(path)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.tokens.get_vocab_size() > rows:
        raise InvalidRequest(
            f"{path}: the tokenizer has {tokenizer.tokens.get_vocab_size()} tokens, the model {rows} embeddings"
        )
    model.config.use_cache = False
    length = getattr(model.config, "max_position_embeddings", None) or getattr(model.config, "n_positions", None)
    return Base(model, tokenizer, path, int(length or 1 << 20))


def _of_gguf(path: Path) -> Any:
    weights = dequantise(path)
    config = transformers.AutoConfig.for_model(**config_of(path, names=frozenset(weights)))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model = model.to_empty(device="cpu")
    _fill_buffers(model)
    state = {name: torch.from_numpy(values) for name, values in weights.items()}
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    lacking = set(missing) - ({"lm_head.weight"} if config.tie_word_embeddings else set())
    if lacking or unexpected:
        raise InvalidRequest(
            f"{path.name} does not hold a whole model: missing {sorted(lacking)[:3]}, {unexpected[:3]}"
        )
    return model


def _fill_buffers(model: Any) -> None:
    """Rotary frequencies are computed, not stored; made without memory, they must be made again."""
    for part in model.modules():
        if hasattr(part, "inv_freq") and hasattr(part, "config"):
            fresh = type(part)(config=part.config)
            part.inv_freq, part.original_inv_freq = fresh.inv_freq, fresh.inv_freq.clone()


def _of_directory(folder: Path) -> Any:
    if not list(folder.glob("*.safetensors")):
        raise InvalidRequest(f"{folder} holds no *.safetensors; weights in other formats are not loaded")
    safe = {"local_files_only": True, "trust_remote_code": False}
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("model_type")
        config = transformers.AutoConfig.from_pretrained(folder, **safe)
        if type(config) not in transformers.MODEL_FOR_CAUSAL_LM_MAPPING:
            raise InvalidRequest(f"{folder}: a {kind!r} model is no causal language model; it is not fine-tuned here")
        return transformers.AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, **safe
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, AttributeError) as error:
        raise InvalidRequest(f"{folder}: {error}") from error
