"""Batch inference as Bedrock has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal[
    "Submitted",
    "Validating",
    "Scheduled",
    "InProgress",
    "Stopping",
    "Stopped",
    "Completed",
    "PartiallyCompleted",
    "Failed",
    "Expired",
]
OVER: frozenset[str] = frozenset({"Stopped", "Completed", "PartiallyCompleted", "Failed", "Expired"})
InvocationType: TypeAlias = Literal["InvokeModel", "Converse"]


@dataclass(frozen=True, slots=True)
class NewBatchJob:
    """A job as it is asked for.

    Attributes:
        model_id: As the client spells it.
        input_uri: An object, or a prefix of objects whose names end in `.jsonl`.
        output_uri: A prefix.
        echoed: Members of the request that are only remembered: `vpcConfig`, `clientRequestToken`, and what the data
            configurations hold besides their URI.
    """

    name: str
    role_arn: str
    model_id: str
    invocation_type: InvocationType
    input_uri: str
    output_uri: str
    timeout_hours: int
    echoed: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job.

    Attributes:
        message: Why it failed or ended early; empty otherwise.
        total_records: None before the input was validated.
        good_records: Answered by the model.
        bad_records: With an error instead.
    """

    arn: str
    account: str
    region: str
    id: str
    name: str
    role_arn: str
    model_id: str
    invocation_type: InvocationType
    input_uri: str
    output_uri: str
    timeout_hours: int
    echoed: Mapping[str, Any]
    status: Status
    message: str
    submitted_at: datetime
    modified_at: datetime
    ended_at: datetime | None = None
    total_records: int | None = None
    good_records: int = 0
    bad_records: int = 0

    @property
    def expires_at(self) -> datetime:
        """When it is given up."""
        return self.submitted_at + timedelta(hours=self.timeout_hours)
