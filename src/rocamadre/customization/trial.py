"""Whether a model answers: it is asked for one token, as its users will ask it."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import msgspec

from rocamadre.core.errors import InvalidRequest, Unavailable
from rocamadre.jobs.api import ApiAnswer
from rocamadre.jobs.runner import RunStopped, Work

_TEXT = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}], "inferenceConfig": {"maxTokens": 1}}
_EMBEDDING = {"inputText": "Hello"}
_LATER = frozenset({408, 429, 500, 502, 503, 504})
_DIED = 424
MOST_DEATHS = 3
"""Times that its process may die under the question."""

LONGEST_PAUSE_S = 5.0


def try_model(work: Work, arn: str, *, account: str, region: str, embeds: bool) -> None:
    """Ask once; what is only busy or being loaded is asked again, for as long as it takes.

    Args:
        work: The job that wants to know.
        arn: Of the model, deployment or provisioned throughput.
        account: Whose it is.
        region: Where.
        embeds: It answers with vectors.

    Raises:
        InvalidRequest: it cannot answer; the message says why.
        RunStopped: the job was asked to stop.
    """
    asyncio.run(_try(work, arn, account, region, embeds=embeds))


async def _try(work: Work, arn: str, account: str, region: str, *, embeds: bool) -> None:
    path = f"/model/{quote(arn, safe='')}/{'invoke' if embeds else 'converse'}"
    body = msgspec.json.encode(_EMBEDDING if embeds else _TEXT)
    pause_s, deaths = 0.2, 0
    async with work.platform.api.session() as session:
        while True:
            if await asyncio.to_thread(work.stop_requested):
                raise RunStopped
            try:
                answer = await session.post(path, body, account=account, region=region)
            except Unavailable:
                answer = ApiAnswer(503, {}, b"")  # The server is being started again.
            if answer.status == 200:
                return
            deaths += answer.status == _DIED
            if (answer.status not in _LATER and answer.status != _DIED) or deaths >= MOST_DEATHS:
                raise InvalidRequest(f"the model does not answer: {_reason(answer)}")
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)


def _reason(answer: ApiAnswer) -> str:
    try:
        return str(msgspec.json.decode(answer.body).get("message") or answer.status)
    except (msgspec.DecodeError, AttributeError):
        return f"status {answer.status}"
