"""What there is to know of each method before torch is imported: its settings, what it leaves, where it fits.

The API, the command, the planner and `docs/methods.md` read it here; the implementations beside it take it from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Form: TypeAlias = Literal["full", "adapter"]
"""`full`: all weights are the result. `adapter`: few weights beside a base that stays as it is."""

_FIXED = ConfigDict(frozen=True, extra="forbid")
_TARGETS = "Any of `all` linear layers of the blocks, `attention`'s, `mlp`'s, and names of layers such as `q_proj`."


def _listed(value: Any) -> Any:
    """Lists may come as `a,b`: Bedrock's hyperparameters are strings."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Targets: TypeAlias = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_listed)]


class FullSettings(BaseModel):
    """Full fine-tuning."""

    model_config = _FIXED
    last_layers: int = Field(default=0, ge=0, le=1024, description="Train this many last blocks only; 0: all of them.")
    train_embeddings: bool = Field(default=True, description="Train the embedding (and the output matrix) too.")


class LoraSettings(BaseModel):
    """LoRA, rsLoRA and DoRA."""

    model_config = _FIXED
    rank: int = Field(default=16, ge=1, le=1024, description="Rank of each update.")
    alpha: int = Field(
        default=32, ge=1, le=65536, description="Updates are scaled by alpha/rank (rsLoRA: alpha/√rank)."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Of the updates' inputs, while training.")
    targets: Targets = Field(default=("all",), description=_TARGETS)
    rslora: bool = Field(default=False, description="Scale by alpha/√rank: high ranks keep learning.")
    dora: bool = Field(default=False, description="Train each row's magnitude apart from its direction.")


class QloraSettings(BaseModel):
    """QLoRA."""

    model_config = _FIXED
    rank: int = Field(default=16, ge=1, le=1024, description="Rank of each update.")
    alpha: int = Field(
        default=32, ge=1, le=65536, description="Updates are scaled by alpha/rank (rsLoRA: alpha/√rank)."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Of the updates' inputs, while training.")
    targets: Targets = Field(default=("all",), description=_TARGETS)
    rslora: bool = Field(default=False, description="Scale by alpha/√rank: high ranks keep learning.")
    double_quantisation: bool = Field(default=True, description="Quantise the scales too: 0.37 bits a weight less.")
    block_size: Literal[64, 128, 256, 512] = Field(default=64, description="Weights that share a scale.")


class PromptSettings(BaseModel):
    """Prompt tuning."""

    model_config = _FIXED
    tokens: int = Field(default=20, ge=1, le=1000, description="Virtual tokens put before every input.")
    init: Literal["random", "vocabulary", "text"] = Field(
        default="vocabulary",
        description="`random` numbers as large as embeddings, embeddings of random `vocabulary`, or those of `text`.",
    )
    text: str = Field(default="", max_length=20000, description="For `init = text`: cut or repeated to `tokens`.")

    @model_validator(mode="after")
    def _text_is_there(self) -> PromptSettings:
        _check_text(self.init, self.text)
        return self


class PrefixSettings(BaseModel):
    """Prefix tuning."""

    model_config = _FIXED
    tokens: int = Field(default=20, ge=1, le=1000, description="Keys and values put before every layer's own.")
    init: Literal["random", "vocabulary", "text"] = Field(
        default="vocabulary",
        description="Small `random` numbers, or what the base computes of random `vocabulary` or of `text`.",
    )
    text: str = Field(default="", max_length=20000, description="For `init = text`: cut or repeated to `tokens`.")
    projection: bool = Field(default=False, description="Train a two-layer network whose output is added to them.")
    projection_width: int = Field(default=128, ge=1, le=16384, description="Width of that network.")

    @model_validator(mode="after")
    def _text_is_there(self) -> PrefixSettings:
        _check_text(self.init, self.text)
        return self


class Ia3Settings(BaseModel):
    """IA³."""

    model_config = _FIXED
    attention: bool = Field(default=True, description="Scale keys and values.")
    feedforward: bool = Field(default=True, description="Scale what enters the last matrix of each MLP.")

    @model_validator(mode="after")
    def _something(self) -> Ia3Settings:
        if not (self.attention or self.feedforward):
            raise ValueError("one of `attention` and `feedforward` must be true, or nothing is trained")
        return self


class LoreftSettings(BaseModel):
    """LoReFT."""

    model_config = _FIXED
    rank: int = Field(default=4, ge=1, le=1024, description="Dimensions of the edited subspace.")
    layers: Annotated[tuple[int, ...], BeforeValidator(_listed)] = Field(
        default=(), description="Blocks whose output is edited, from 0; empty: all."
    )
    first: int = Field(default=4, ge=0, le=1024, description="Positions edited at the beginning of an input.")
    last: int = Field(
        default=4, ge=0, le=1024, description="Positions edited at the end of each prompt, before the answer begins."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Of the edit, while training.")

    @model_validator(mode="after")
    def _somewhere(self) -> LoreftSettings:
        if not (self.first or self.last):
            raise ValueError("one of `first` and `last` must be above 0, or nothing is trained")
        if any(layer < 0 for layer in self.layers) or len(set(self.layers)) < len(self.layers):
            raise ValueError("`layers` are numbers from 0, each once")
        return self


def _check_text(init: str, text: str) -> None:
    if (init == "text") != bool(text.strip()):
        raise ValueError("`text` goes with `init = text`, and only with it")


@dataclass(frozen=True, slots=True)
class MethodFacts:
    """One method, in words and figures.

    Attributes:
        name: As in `METHODS`.
        title: As people call it.
        trains: What moves.
        when: When to take it.
        paper: Where it comes from.
        settings: The model of its `method_settings`.
        learning_rate: A peak to start from: what learned a dozen examples well in the embedded model of 7 million.
        learning_rate_large: The same for models of billions of weights, from the papers.
        form: What it leaves.
        mergeable: Whether the result can be given the base's own shape, so that every engine runs it.
        packs: Whether several examples may share a row; otherwise the loop puts one example in each.
        checkpoints: Whether it can be combined with gradient checkpointing.
        served: How its result is served.
    """

    name: str
    title: str
    trains: str
    when: str
    paper: str
    settings: type[BaseModel]
    learning_rate: float
    learning_rate_large: float
    form: Form = "adapter"
    mergeable: bool = False
    packs: bool = True
    checkpoints: bool = True
    served: str = "by the torch engine, as it is"


FACTS: dict[str, MethodFacts] = {
    facts.name: facts
    for facts in (
        MethodFacts(
            "full",
            "Full fine-tuning",
            "all weights, or the last blocks",
            "much data, small models, a new language or domain",
            "Howard & Ruder 2018, arXiv:1801.06146",
            FullSettings,
            learning_rate=5e-4,
            learning_rate_large=2e-5,
            form="full",
            mergeable=True,
            served="by any engine",
        ),
        MethodFacts(
            "lora",
            "LoRA (rsLoRA, DoRA)",
            "two thin matrices beside each chosen one",
            "the first to try: near full tuning, small files",
            "Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732; Liu et al. 2024, arXiv:2402.09353",
            LoraSettings,
            learning_rate=3e-3,
            learning_rate_large=2e-4,
            mergeable=True,
            served="merged by any engine; unmerged beside its base (not DoRA)",
        ),
        MethodFacts(
            "qlora",
            "QLoRA",
            "as LoRA, beside a base held in 4 bits",
            "the base does not fit into memory otherwise",
            "Dettmers et al. 2023, arXiv:2305.14314",
            QloraSettings,
            learning_rate=3e-3,
            learning_rate_large=2e-4,
            mergeable=True,
            served="merged into the dequantised base, by any engine",
        ),
        MethodFacts(
            "prompt-tuning",
            "Prompt tuning",
            "embeddings of virtual tokens before the input",
            "a large base, one narrow task, a file of kilobytes",
            "Lester et al. 2021, arXiv:2104.08691",
            PromptSettings,
            learning_rate=1e-1,
            learning_rate_large=3e-2,
        ),
        MethodFacts(
            "prefix-tuning",
            "Prefix tuning",
            "keys and values before every layer's own",
            "as prompt tuning, with more room to learn",
            "Li & Liang 2021, arXiv:2101.00190",
            PrefixSettings,
            learning_rate=2e-1,
            learning_rate_large=1e-2,
            packs=False,
            checkpoints=False,
        ),
        MethodFacts(
            "ia3",
            "IA³",
            "one factor per key, value and MLP channel",
            "little data; the fewest weights of all that merge",
            "Liu et al. 2022, arXiv:2205.05638",
            Ia3Settings,
            learning_rate=5e-2,
            learning_rate_large=3e-3,
            mergeable=True,
            served="merged by any engine",
        ),
        MethodFacts(
            "loreft",
            "ReFT (LoReFT)",
            "a low-rank edit of hidden states at a few positions",
            "little data, few weights; edits states instead of weights",
            "Wu et al. 2024, arXiv:2404.03592",
            LoreftSettings,
            learning_rate=2e-2,
            learning_rate_large=1e-3,
        ),
    )
}
