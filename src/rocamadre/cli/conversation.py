"""One answer, streamed through ConverseStream."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said.

    Attributes:
        model: The model that spoke, as the server names it; the one asked for when it does not say.
        stop_reason: As Converse spells it; empty when the reader stopped it.
        first_token_s: Seconds to the first text; None when there was none.
        seconds: From the request to the end.
    """

    text: str
    model: str
    stop_reason: str
    input_tokens: int
    output_tokens: int
    first_token_s: float | None
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Speed after the first token; 0 when too short to tell."""
        passed = self.seconds - (self.first_token_s or 0)
        return (self.output_tokens - 1) / passed if self.output_tokens > 1 and passed > 0 else 0.0

    def summary(self) -> str:
        """One line about the answer."""
        first = f" · first token {self.first_token_s * 1000:.0f} ms" if self.first_token_s is not None else ""
        speed = f" · {self.tokens_per_s:.0f} tokens/s" if self.tokens_per_s else ""
        return f"{self.model} · {self.input_tokens} tokens in, {self.output_tokens} out{first}{speed}"


def ask_model(
    client: Any,
    model: str,
    messages: list[dict[str, Any]],
    *,
    system: str = "",
    sampling: dict[str, Any] | None = None,
    show: Callable[[str], None],
) -> Answer:
    """Ask a model and show its answer as it comes.

    Args:
        client: A bedrock-runtime client.
        model: Any id that the server resolves.
        messages: As Converse wants them.
        system: The system prompt; empty for none.
        sampling: `inferenceConfig`; None leaves all to the model.
        show: Called with each piece of text.

    Raises:
        ClientError: what the server answered instead.
        KeyboardInterrupt: the reader stopped it.
    """
    request: dict[str, Any] = {"modelId": model, "messages": messages}
    if system:
        request["system"] = [{"text": system}]
    if sampling:
        request["inferenceConfig"] = sampling
    began = time.monotonic()
    response = client.converse_stream(**request)
    named = response["ResponseMetadata"]["HTTPHeaders"].get("x-rocamadre-model", model)
    pieces: list[str] = []
    first_token_s: float | None = None
    stop_reason, usage = "", {"inputTokens": 0, "outputTokens": 0}
    stream = response["stream"]
    try:
        for event in stream:
            if "contentBlockDelta" in event:
                piece = event["contentBlockDelta"]["delta"].get("text", "")
                if piece and first_token_s is None:
                    first_token_s = time.monotonic() - began
                pieces.append(piece)
                show(piece)
            elif "messageStop" in event:
                stop_reason = event["messageStop"]["stopReason"]
            elif "metadata" in event:
                usage = event["metadata"]["usage"]
    finally:
        stream.close()
    return Answer(
        text="".join(pieces),
        model=named,
        stop_reason=stop_reason,
        input_tokens=usage["inputTokens"],
        output_tokens=usage["outputTokens"],
        first_token_s=first_token_s,
        seconds=time.monotonic() - began,
    )
