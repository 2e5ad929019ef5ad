"""What is known of an account's own models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

ModelStatus: TypeAlias = Literal["Creating", "Active", "Failed"]


@dataclass(frozen=True, slots=True)
class CustomModel:
    """A model that was trained or brought here for one account and region.

    Attributes:
        id: The ARN's last part.
        message: Why it failed.
        base_model_id: The foundation model id whose body format InvokeModel reads; `targets.IMPORTED` for none.
        base_model_arn: What it was made from, a foundation model or another custom model; its own ARN for none.
        foundation_arn: The foundation model at the beginning of the line; empty for none.
        customization_type: `FINE_TUNING`, `CONTINUED_PRE_TRAINING`, `DISTILLATION` or `IMPORTED`.
        job_arn: The job that made it; empty for none.
        folder: Below `<home>/models`; empty while it is being created.
        facts: See `models.register_custom_model`.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    status: ModelStatus
    message: str
    base_model_id: str
    base_model_arn: str
    foundation_arn: str
    customization_type: str
    job_arn: str
    folder: str
    created_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImportedModel:
    """A model that an import job brought here.

    Attributes:
        id: The ARN's last part.
        source_uri: Where it came from.
        architecture: As its configuration names it.
        instruct: Whether it has a chat template.
        facts: What was noted while it came: licence, notes, hashes.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    job_arn: str
    job_name: str
    source_uri: str
    architecture: str
    instruct: bool
    folder: str
    created_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A custom model under an ARN of its own.

    Attributes:
        status: `Creating`, `Active` or `Failed`.
        message: Why it, or its last update, failed.
        update_model_arn: The model of the last update; empty for none.
        update_status: `Updating`, `UpdateCompleted` or `UpdateFailed`; empty for none.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    model_arn: str
    description: str
    status: str
    message: str
    update_model_arn: str
    update_status: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Throughput:
    """An engine for one model alone, with so many slots.

    Attributes:
        status: `Creating`, `InService`, `Updating` or `Failed`.
        message: Why it, or its last update, failed.
        units: One slot each.
        desired_model_arn: Where an update leads; the same as `model_arn` otherwise.
        foundation_arn: The foundation model at the beginning of the line.
        commitment: `OneMonth`, `SixMonths`, or nothing.
        expires_at: When the commitment ends.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    model_arn: str
    desired_model_arn: str
    foundation_arn: str
    units: int
    status: str
    message: str
    commitment: str
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ImportJob:
    """The bringing of one model.

    Attributes:
        model_name: Of the model that it makes.
        model_arn: The same; known from the beginning.
        kind: The ARN's kind of what it makes: `imported-model`, or `custom-model` for CreateCustomModel.
        source_uri: `s3://`.
        status: `InProgress`, `Completed` or `Failed`.
        message: Why it failed.
        echoed: Members that are stored and shown.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    model_name: str
    model_arn: str
    kind: str
    role_arn: str
    source_uri: str
    status: str
    message: str
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    echoed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CopyJob:
    """The copying of a custom model to a region.

    Attributes:
        status: `InProgress`, `Completed` or `Failed`.
        message: Why it failed.
        echoed: Members that are stored and shown.
    """

    arn: str
    account: str
    region: str
    id: str
    source_arn: str
    source_name: str
    target_arn: str
    target_name: str
    status: str
    message: str
    created_at: datetime
    echoed: Mapping[str, Any] = field(default_factory=dict)
