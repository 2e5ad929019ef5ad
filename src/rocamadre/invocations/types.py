"""What the invocation log knows: where records go, and what one call was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class S3Destination:
    """A place for objects.

    Attributes:
        prefix: Before the keys; empty for none.
    """

    bucket: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class LogsDestination:
    """A log group of CloudWatch Logs.

    Attributes:
        group: Its name.
        role_arn: The role that AWS would assume; stored and shown, not enforced.
        large: Where bodies over 100 KB go; None leaves them out.
    """

    group: str
    role_arn: str
    large: S3Destination | None = None


@dataclass(frozen=True, slots=True)
class LoggingConfig:
    """What one account wants written down in one region.

    Attributes:
        s3: Where objects go; None for nowhere.
        logs: Where log events go; None for nowhere.
        text: Whether texts are delivered; without them records carry no bodies but vectors.
        image: Whether images in bodies are delivered.
        embedding: Whether vectors are delivered.
        video: Whether videos in bodies are delivered.
        audio: Whether sounds in bodies are delivered.
    """

    s3: S3Destination | None = None
    logs: LogsDestination | None = None
    text: bool = True
    image: bool = True
    embedding: bool = True
    video: bool = True
    audio: bool = True


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a model, as it came and went.

    Attributes:
        began: Aware, UTC.
        principal: Name of who asked.
        operation: `Converse` and the like; method and path for the other wires.
        model_id: As the client wrote it; empty when it is in the body only, as `model`.
        served_id: The model that ran; empty when none did.
        input: The request's body.
        output: The answer's body as JSON: whole, what had come of it when it broke off, or empty.
        cut: The answer was longer than is kept.
        input_tokens: Read, without those from or for the cache; None when nobody counted.
        metadata: What the request says about itself, JSON; empty when it is in the body, or nowhere.
        error: What the error was called on the wire; empty for none.
        latency: Of performanceConfig, as it was served; empty when the request did not say.
        tier: Of serviceTier, as it was served; empty when the request did not say.
    """

    account: str
    region: str
    request_id: str
    began: datetime
    principal: str
    operation: str
    model_id: str
    served_id: str = ""
    input: bytes = b""
    input_type: str = "application/json"
    output: bytes = b""
    output_type: str = "application/json"
    cut: bool = False
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    metadata: str = ""
    error: str = ""
    latency: str = ""
    tier: str = ""

    @property
    def size_bytes(self) -> int:
        """Of its bodies."""
        return len(self.input) + len(self.output)
