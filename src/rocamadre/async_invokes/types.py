"""Calls of models whose answer is put into S3 later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["InProgress", "Completed", "Failed"]


@dataclass(frozen=True, slots=True)
class NewAsyncInvoke:
    """A call as it is asked for.

    Attributes:
        model_id: As the client spells it.
        model_input: In the family's own form, JSON.
        output_uri: A bucket, perhaps with a prefix.
        kms_key_id: Remembered; nothing is encrypted with it. Empty for none.
        bucket_owner: The output bucket's; empty when the client does not say.
    """

    model_id: str
    model_input: Mapping[str, Any]
    output_uri: str
    token: str = ""
    kms_key_id: str = ""
    bucket_owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AsyncInvoke:
    """A call.

    Attributes:
        model_arn: Of the foundation model that was asked for.
        base_id: Its id.
        model_input: JSON; forgotten once the call is over.
        message: Why it failed; empty otherwise.
    """

    arn: str
    account: str
    region: str
    id: str
    token: str
    model_arn: str
    base_id: str
    model_input: str
    output_uri: str
    kms_key_id: str
    bucket_owner: str
    status: Status
    message: str
    submitted_at: datetime
    modified_at: datetime
    ended_at: datetime | None = None

    @property
    def folder_uri(self) -> str:
        """Where its output is: below the prefix that was asked for, under its own id."""
        return f"{self.output_uri.rstrip('/')}/{self.id}"
