"""What the pages of guardrails ask of the platform: boto3 alone, as any program may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from rocamadre.console.api import Api, failure_of
from rocamadre.console.failures import ApiFailure
from rocamadre.console.guardrails.draft import used
from rocamadre.guardrails.redteam.keeping import BUCKET, keep_report

Json = dict[str, Any]

DRAFT = "DRAFT"
MOST_REPORT_BYTES = 20_000_000
MOST_TOKENS = 300
_AT_ONCE = 6
_GONE = frozenset({"NoSuchBucket", "NoSuchKey", "404"})
_HIGHEST = "99999999"


class Line(NamedTuple):
    """A guardrail in the list.

    Attributes:
        told: Of ListGuardrails, its draft.
        policies: Those that look for something, with the number of their entries.
        versions: Numbers, newest first.
    """

    told: Json
    policies: list[tuple[str, int]]
    versions: list[str]


async def list_guardrails(api: Api) -> list[Line]:
    """All guardrails, newest first.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    drafts = await asyncio.to_thread(_pages, api)
    limit = asyncio.Semaphore(_AT_ONCE)

    async def look(told: Json) -> Line:
        async with limit:
            whole, versions = await asyncio.gather(
                get_guardrail(api, told["id"], DRAFT), list_versions(api, told["id"])
            )
        return Line(told, used(whole), [each["version"] for each in versions if each["version"] != DRAFT])

    found = await asyncio.gather(*map(look, drafts))
    return sorted(found, key=lambda each: str(each.told["updatedAt"]), reverse=True)


async def get_guardrail(api: Api, identifier: str, version: str) -> Json:
    """One version.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found: Json = await api.call(
        "bedrock", "get_guardrail", guardrailIdentifier=identifier, guardrailVersion=version or DRAFT
    )
    return found


async def list_versions(api: Api, identifier: str) -> list[Json]:
    """The draft, then the numbered versions, newest first.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    found = await asyncio.to_thread(_pages, api, guardrailIdentifier=identifier)
    return sorted(found, key=lambda each: -int(_HIGHEST if each["version"] == DRAFT else each["version"]))


def _pages(api: Api, **request: Any) -> list[Json]:
    found: list[Json] = []
    while True:
        answer = api.call_now("bedrock", "list_guardrails", **request)
        found += answer["guardrails"]
        if "nextToken" not in answer:
            return found
        request["nextToken"] = answer["nextToken"]


def apply_request(
    identifier: str, version: str, source: str, text: str, *, grounding: str = "", query: str = ""
) -> Json:
    """Members of ApplyGuardrail for a text; with a grounding source, the text is what is guarded."""
    content: list[Json] = [
        {"text": {"text": said, "qualifiers": [qualifier]}}
        for qualifier, said in (("grounding_source", grounding), ("query", query))
        if said and source == "OUTPUT"
    ]
    guarded = {"text": {"text": text, "qualifiers": ["guard_content"]}} if content else {"text": {"text": text}}
    return {
        "guardrailIdentifier": identifier,
        "guardrailVersion": version,
        "source": source,
        "content": [*content, guarded],
        "outputScope": "FULL",
    }


def converse_request(identifier: str, version: str, *, model: str, prompt: str, mode: str) -> Json:
    """Members of ConverseStream for a prompt behind a guardrail, with the whole trace.

    Args:
        identifier: The guardrail's id.
        version: DRAFT or a number.
        model: Any id that the server knows.
        prompt: What is asked.
        mode: `sync` (nothing is shown before it was examined) or `async`.
    """
    return {
        "modelId": model,
        "messages": [{"role": "user", "content": [{"text": prompt}]}],
        "inferenceConfig": {"maxTokens": MOST_TOKENS},
        "guardrailConfig": {
            "guardrailIdentifier": identifier,
            "guardrailVersion": version,
            "trace": "enabled_full",
            "streamProcessingMode": mode,
        },
    }


async def converse(api: Api, request: Mapping[str, Any]) -> AsyncGenerator[Json, None]:
    """Events of ConverseStream, as they come.

    Raises:
        ApiFailure: it was refused, nothing answers, or it broke off.
    """
    body = {name: value for name, value in request.items() if name != "modelId"}
    events = api.events(f"/model/{quote(request['modelId'], safe=':')}/converse-stream", body)
    async with aclosing(events):
        async for event in events:
            yield event


async def list_reports(api: Api) -> list[Json]:
    """Red-team reports as objects of their bucket, newest first.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    try:
        found = (await api.call("s3", "list_objects_v2", Bucket=BUCKET)).get("Contents", [])
    except ApiFailure as failure:
        if failure.code in _GONE:
            return []
        raise
    reports = [each for each in found if each["Key"].endswith(".json")]
    return sorted(reports, key=lambda each: (str(each["LastModified"]), each["Key"]), reverse=True)


async def get_report(api: Api, key: str) -> Json:
    """One report.

    Raises:
        ApiFailure: there is none, it is none, or nothing answers.
    """
    body = await asyncio.to_thread(_read, api, key)
    return read_report(body, key)


def _read(api: Api, key: str) -> bytes:
    answer = api.call_now("s3", "get_object", Bucket=BUCKET, Key=key)
    body: bytes = answer["Body"].read(MOST_REPORT_BYTES)
    return body


def read_report(body: bytes, name: str) -> Json:
    """A report of `roca redteam` from its bytes.

    Raises:
        ApiFailure: it is none.
    """
    try:
        report = json.loads(body)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict) or not {"target", "made_at", "families", "attempts"} <= set(report):
        raise ApiFailure(f"{name}: not a report.json of roca redteam", code="NoReport")
    return report


def put_report(api: Api, report: Mapping[str, Any], body: bytes) -> str:
    """Keep a report where `roca redteam` keeps its own; its key.

    Raises:
        ApiFailure: it was refused, or nothing answers.
    """
    try:
        return keep_report(api.client("s3"), api.platform.region, report, body)
    except (ClientError, BotoCoreError) as error:
        raise failure_of(error) from error
