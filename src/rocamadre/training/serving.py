"""A tuned model put together as the trainer has it: its base, and on it what was trained. Serving and proof use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from rocamadre.core.errors import InvalidRequest
from rocamadre.training.methods.base import RECORD
from rocamadre.training.methods.protocol import Method
from rocamadre.training.methods.registry import make_method
from rocamadre.training.model import Base, load_base


@dataclass(frozen=True, slots=True)
class Tuned:
    """A tuned model, not merged.

    Attributes:
        module: Ready to answer; also with a cache.
        base: What it stands on, for a full method the trained model itself: tokenizer, place, context.
        method: How it was trained.
        virtual: Places of the context that virtual tokens take.
    """

    module: nn.Module
    base: Base
    method: Method
    virtual: int

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together."""
        return self.base.context_length - self.virtual


def load_tuned(base: Path | None, method: str, trained: Path) -> Tuned:
    """Load a base and put a training's result on it.

    Args:
        base: A GGUF file or a Hugging Face directory; not needed for methods that leave whole models.
        method: A name in `METHODS`.
        trained: What `Method.save` wrote.

    Raises:
        InvalidRequest: something is missing or damaged, or does not fit.
    """
    made = make_method(method)
    if not trained.is_dir():
        raise InvalidRequest(f"{trained} is missing: there is no training result")
    if made.form == "full" and (trained / "tokenizer.json").is_file():
        whole = load_base(trained)
        return Tuned(whole.model.eval(), whole, made, 0)
    if base is None:
        raise InvalidRequest(f"a result of {method!r} needs the base that it was trained on")
    loaded = load_base(base)
    module = made.load(loaded.model, trained).eval()
    return Tuned(module, loaded, made, _virtual(trained))


def load_for_engine(base: Path, method: str, trained: Path) -> tuple[nn.Module, int]:
    """For the torch engine: the module, and how many tokens of the context it takes for itself."""
    tuned = load_tuned(base, method, trained)
    return tuned.module, tuned.virtual


def _virtual(trained: Path) -> int:
    try:
        settings = json.loads((trained / RECORD).read_text(encoding="utf-8"))["settings"]
    except (OSError, ValueError, KeyError):
        return 0
    return int(settings.get("tokens", 0))
