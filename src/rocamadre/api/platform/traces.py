"""GET /_rocamadre/traces: where the time of the last requests went."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rocamadre.api.http import HttpRequest, Reply, json_reply, route
from rocamadre.core.context import Context
from rocamadre.core.errors import InvalidRequest, NotFound
from rocamadre.observability.recent import KeptTrace, RecentTraces
from rocamadre.observability.tracing import tracer

_MOST = 1000


@route("GET", "/_rocamadre/traces")
async def traces(context: Context, request: HttpRequest) -> Reply:
    """The account's last requests, newest first, without their spans.

    In the query: `operation`, `model` (`*` for any) and `status` (of HTTP, or `failed` for 400 and above) choose;
    `limit` and `after` (a request id) page.
    """
    asked = request.parameters()
    limit = asked.get("limit", "100")
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
        raise InvalidRequest(f"limit is {limit!r}; 1 to {_MOST} are taken")
    recent = _recent()
    found = [] if recent is None else recent.traces(context.account)
    chosen = [each for each in found if _fits(each, asked)]
    if after := asked.get("after", ""):
        places = [place for place, each in enumerate(chosen) if each.request_id == after]
        if not places:
            raise InvalidRequest(f"the request {after!r} is not among the {len(chosen)} that are kept and fit")
        chosen = chosen[places[0] + 1 :]
    page = chosen[: int(limit)]
    answer: dict[str, Any] = {"kept": recent.count if recent else 0, "traces": [_summary(each) for each in page]}
    if len(chosen) > len(page):
        answer["next"] = page[-1].request_id
    return json_reply(answer)


@route("GET", "/_rocamadre/traces/{}")
async def trace(context: Context, request: HttpRequest) -> Reply:
    """One request by its id (`x-amzn-requestid`), with its spans in the order in which they began.

    Raises:
        NotFound: it is not kept, or another account's.
    """
    recent = _recent()
    request_id = request.path_values[0]
    found = recent.find(context.account, request_id) if recent is not None else None
    if found is None:
        kept = recent.count if recent else 0
        raise NotFound(
            f"no trace of {request_id!r}: of models' requests the last {kept} are kept, and as many others "
            "(log.recent_traces)"
        )
    spans = [{**asdict(each), "attributes": _shown(each.attributes)} for each in found.spans]
    return json_reply({**_summary(found), "spans": spans, "dropped_spans": found.dropped})


def _recent() -> RecentTraces | None:
    found = tracer()
    return found if isinstance(found, RecentTraces) else None


def _fits(trace: KeptTrace, asked: dict[str, str]) -> bool:
    status = asked.get("status", "")
    return (
        asked.get("operation", "") in ("", trace.operation)
        and (asked.get("model", "") in ("", trace.model) or (asked["model"] == "*" and bool(trace.model)))
        and (not status or status == str(trace.status) or (status == "failed" and _failed(trace)))
    )


def _failed(trace: KeptTrace) -> bool:
    return trace.status >= 400 or bool(trace.error)


def _summary(trace: KeptTrace) -> dict[str, Any]:
    return {
        "request_id": trace.request_id,
        "began_at": datetime.fromtimestamp(trace.began_at, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(trace.seconds, 6),
        "service": trace.service,
        "operation": trace.operation,
        "status": trace.status,
        "error": trace.error,
        "model": trace.model,
        "input_tokens": trace.input_tokens,
        "output_tokens": trace.output_tokens,
    }


def _shown(attributes: Any) -> dict[str, Any]:
    """Without what the summary says already."""
    return {name: value for name, value in attributes.items() if name != "rocamadre.account" and value != ""}
