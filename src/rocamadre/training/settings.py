"""What can be set of a training run. Torch-free: the API, the command and the planner read it too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Precision: TypeAlias = Literal["auto", "fp32", "bf16"]
Strategy: TypeAlias = Literal["single", "ddp", "fsdp"]
ScheduleName: TypeAlias = Literal["constant", "linear", "cosine", "wsd"]


def read_weights(text: str) -> dict[str, float]:
    """Weights of tasks by name.

    Raises:
        ValueError: it does not read so.

    >>> read_weights("intent=2, greeting=0.5")
    {'intent': 2.0, 'greeting': 0.5}
    """
    found: dict[str, float] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        task, sign, number = part.rpartition("=")
        try:
            weight = float(number)
        except ValueError:
            weight = 0.0
        if not sign or not 0 < weight < float("inf"):
            raise ValueError(f"{part!r} is no weight; write TASK=NUMBER, above 0, such as intent=2,greeting=1")
        found[task.strip()] = weight
    return found


def _readable(text: str) -> str:
    read_weights(text)
    return text


class TrainingSettings(BaseModel):
    """One run's settings; unknown names and values out of range are refused with their path."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = Field(default="lora", description="A name in `training.methods.registry.METHODS`.")
    method_settings: dict[str, Any] = Field(default_factory=dict, description="The method's own; see its settings.")
    epochs: float = Field(default=1.0, gt=0, le=1000, description="Passes over the data.")
    max_steps: int | None = Field(default=None, ge=1, description="Optimiser steps at most; replaces `epochs`.")
    batch_size: int = Field(
        default=8, ge=1, le=4096, description="Examples (rows of `max_length` with `packing`) per process and pass."
    )
    accumulation: int = Field(default=1, ge=1, le=4096, description="Passes per optimiser step.")
    max_length: int = Field(
        default=512, ge=8, le=131072, description="Tokens of an example; longer texts are cut, conversations refused."
    )
    packing: bool = Field(
        default=False,
        description=(
            "Fill rows of `max_length` with several examples, which do not see each other, so that every step has "
            "about as many tokens. Padding is never computed, packed or not."
        ),
    )
    learning_rate: float = Field(default=2e-4, gt=0, le=1, description="Peak, per step.")
    schedule: ScheduleName = Field(default="cosine", description="After the warm-up.")
    warmup_share: float = Field(default=0.03, ge=0, le=1, description="Share of the steps spent warming up.")
    warmup_steps: int | None = Field(default=None, ge=0, description="Steps spent warming up; replaces the share.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's, on matrices only.")
    clip_norm: float = Field(default=1.0, gt=0, description="Largest gradient norm.")
    precision: Precision = Field(default="auto", description="`auto` measures whether bf16 is faster here.")
    gradient_checkpointing: bool = Field(default=False, description="Compute activations again: less memory, slower.")
    strategy: Strategy = Field(default="single", description="How several processes share the work.")
    processes: int = Field(default=1, ge=1, le=64, description="Processes of `ddp` and `fsdp`.")
    threads: int = Field(default=0, ge=0, le=1024, description="Processor threads of a process; 0: what there is.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of data order, initial weights and dropout.")
    validation_share: float = Field(default=0.0, ge=0, lt=1, description="Taken from the data where none is given.")
    evaluate_every: int = Field(default=0, ge=0, description="Steps between validations; 0: ten times in the run.")
    early_stopping: int = Field(default=0, ge=0, description="Validations without gain before it ends; 0: never.")
    early_stopping_gain: float = Field(default=0.0, ge=0, description="Least fall of the loss that counts as a gain.")
    checkpoint_every: int = Field(default=0, ge=0, description="Steps between checkpoints; 0: about every half minute.")
    keep_checkpoints: int = Field(default=2, ge=1, le=100, description="The newest that are kept.")
    distillation_temperature: float = Field(
        default=2.0, gt=0, le=100, description="Softens both models' probabilities; objective `logits` only."
    )
    distillation_mix: float = Field(
        default=0.5, ge=0, le=1, description="The teacher's share of the loss, beside the data's; `logits` only."
    )
    task_weights: Annotated[str, AfterValidator(_readable)] = Field(
        default="",
        max_length=4096,
        description=(
            "How often each task of the data comes, as `intent=2,greeting=1`; an epoch stays as long. Empty: as the "
            "data is."
        ),
    )
    forgetting_data: str = Field(
        default="",
        max_length=4096,
        description=(
            "Data whose loss is measured before and after, to see what the model forgets: `s3://` URIs, with commas "
            "between."
        ),
    )
    new_tokens: int = Field(
        default=0, ge=0, le=65536, description="Tokens of the data added to the vocabulary; with objective `text`."
    )
