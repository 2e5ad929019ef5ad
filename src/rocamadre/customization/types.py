"""Customization jobs: what is asked, and how far one is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["InProgress", "Completed", "Failed", "Stopping", "Stopped"]
OVER: frozenset[str] = frozenset({"Completed", "Failed", "Stopped"})
PartStatus: TypeAlias = Literal["NotStarted", "InProgress", "Completed", "Stopping", "Stopped", "Failed"]
CustomizationType: TypeAlias = Literal["FINE_TUNING", "CONTINUED_PRE_TRAINING", "DISTILLATION"]
Wire: TypeAlias = Literal["bedrock", "openai"]
Part: TypeAlias = Literal["validation", "dataProcessing", "training"]
PARTS: tuple[Part, ...] = ("validation", "dataProcessing", "training")
"""As Bedrock's `statusDetails` names them: the data is checked, brought into form, trained on."""


@dataclass(frozen=True, slots=True)
class Teacher:
    """Whose answers a distilled model learns.

    Attributes:
        model_id: As the client spells it; asked through the platform, so any model or alias will do.
        max_tokens: Longest answer.
    """

    model_id: str
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Source:
    """Where records come from.

    Attributes:
        uri: `s3://bucket/key`, or a file of the OpenAI wire as `file-…`.
        logs: The URI is a prefix of invocation logs, as the platform (or Bedrock) writes them to S3.
        use_answers: With logs: learn the answers that are there instead of asking the teacher.
        filters: With logs: Bedrock's `requestMetadataFilters`; empty takes every record.
    """

    uri: str
    logs: bool = False
    use_answers: bool = False
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is asked for.

    Attributes:
        base: As the client spells it.
        output_uri: A prefix for the metrics; empty for none.
        hyperparameters: As given; see `hyperparameters.read`.
        echoed: Members of the request that are only given back.
    """

    name: str
    model_name: str
    role_arn: str
    base: str
    type: CustomizationType
    training: Source
    validation: tuple[Source, ...]
    output_uri: str
    hyperparameters: Mapping[str, str]
    teacher: Teacher | None = None
    wire: Wire = "bedrock"
    echoed: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    model_tags: Mapping[str, str] = field(default_factory=dict)


def arn_of(run_id: str) -> str:
    """The ARN of the job that a run belongs to; see `Job.run_id`."""
    return run_id.partition("#")[0]


@dataclass(frozen=True, slots=True)
class PartDetails:
    """How far one part of a job is."""

    status: PartStatus
    created_at: str
    modified_at: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job.

    Attributes:
        id: The last part of its ARN; 12 letters and digits.
        model_arn: Of the model that it makes; there is none before the job is `Completed`.
        base_id: The foundation model as the client named it, prefixes and suffixes taken away.
        base_arn: Of that foundation model, or of the custom model that was asked for.
        local_id: The model here that is trained.
        settings: Of the training, as `TrainingSettings` reads them.
        message: Why it failed; empty otherwise.
        parts: Of `PARTS`, by name.
        facts: What came of it: `training_loss`, `validation_losses`, `steps`, `trained_tokens`, `records`, how often
            it was `resumed`…
    """

    arn: str
    account: str
    region: str
    id: str
    wire: Wire
    name: str
    model_name: str
    model_arn: str
    role_arn: str
    base_id: str
    base_arn: str
    local_id: str
    type: CustomizationType
    training: Source
    validation: tuple[Source, ...]
    output_uri: str
    hyperparameters: Mapping[str, str]
    settings: Mapping[str, Any]
    teacher: Teacher | None
    echoed: Mapping[str, Any]
    model_tags: Mapping[str, str]
    status: Status
    message: str
    parts: Mapping[str, PartDetails]
    facts: Mapping[str, Any]
    created_at: datetime
    modified_at: datetime
    ended_at: datetime | None = None

    @property
    def run_id(self) -> str:
        """Of its present run: the ARN, and after that the number of times that it was resumed."""
        resumed = self.facts.get("resumed", 0)
        return f"{self.arn}#{resumed}" if resumed else self.arn
