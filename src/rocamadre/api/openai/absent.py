"""Parts of OpenAI's API that Rocamadre does not have, refused in the form that its clients read."""

from __future__ import annotations

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.core.context import Context

_ABSENT = {
    "assistants": "assistants; use POST /v1/responses with tools",
    "audio": "speech",
    "containers": "containers",
    "conversations": "conversations; use 'previous_response_id' of POST /v1/responses",
    "evals": "evaluations on this wire",
    "fine_tuning": "graders and permissions of fine-tuning",
    "images": "images",
    "moderations": "moderation",
    "realtime": "realtime sessions",
    "threads": "threads; use 'previous_response_id' of POST /v1/responses",
    "uploads": "uploads in parts; use POST /v1/files",
    "vector_stores": "vector stores",
    "videos": "videos",
}
_TAILS = ("", "/{}", "/{}/{}", "/{}/{}/{}")
_NAMES = (*(name for name in _ABSENT if name != "fine_tuning"), "fine_tuning/alpha", "fine_tuning/checkpoints")
_PATHS = tuple(f"{root}/{name}{tail}" for root in ("/v1", "/openai/v1") for name in _NAMES for tail in _TAILS)
_RESPONSES = ("/v1/responses/compact", "/openai/v1/responses/compact")
_STORED = tuple(
    f"{root}/chat/completions{tail}" for root in ("/v1", "/openai/v1") for tail in ("", "/{}", "/{}/messages")
)


async def refuse(ctx: Context, request: HttpRequest) -> Reply:
    """Say what is not here, and what to use instead."""
    path = request.raw_path.decode("latin-1")
    parts = path.removeprefix("/openai").split("/")
    part = _ABSENT.get(parts[2], "")
    if parts[2] == "chat":
        part = "stored chat completions; use POST /v1/responses, which keeps what it answers"
    elif parts[2] == "responses":
        part = "compaction; set 'truncation' to 'auto'"
    message = f"Rocamadre does not have {part} (this was {request.method} {path[:200]})."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": "unknown_url"}
    return json_reply({"error": error}, status=404)


for _method in ("GET", "POST", "DELETE"):
    route(_method, *_PATHS, dialect="openai")(refuse)
for _method in ("GET", "DELETE"):
    route(_method, *(path for path in _STORED if _method == "GET" or "{}" in path), dialect="openai")(refuse)
route("POST", *(path for path in _STORED if path.endswith("{}")), *_RESPONSES, dialect="openai")(refuse)
