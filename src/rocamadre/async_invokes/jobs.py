"""A call's steps: ask the model, piece by piece, then put the output where it was wanted."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection

from rocamadre.async_invokes.families import Piece, Plan, find_family
from rocamadre.async_invokes.operations import KIND as KIND_NAME
from rocamadre.async_invokes.operations import MOST_TEXT_BYTES
from rocamadre.async_invokes.tables import end_invoke, select_invoke
from rocamadre.async_invokes.types import AsyncInvoke, Status
from rocamadre.core.errors import InvalidRequest, ModelFailure, Unavailable
from rocamadre.jobs.api import ApiSession
from rocamadre.jobs.rundir import RunDir, write_whole
from rocamadre.jobs.runner import JobKind, Outcome, Step, Work
from rocamadre.store.objects.protocol import parse_uri

logger = logging.getLogger(__name__)

AT_A_TIME = 4
"""Pieces of one call that are asked for together."""
MOST_TRIES = 12
"""Of one piece, when the server or the model cannot answer; pauses double up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 30.0

_LATER = frozenset({408, 424, 429, 500, 502, 503, 504})


def ask(work: Work) -> dict[str, Any]:
    """Ask for every piece that is not there yet.

    Raises:
        InvalidRequest: the text in S3 is gone, too long or no UTF-8, or no piece could be answered.
        ModelFailure: the model could not be reached for a long time.
    """
    invoke = _invoke(work)
    folder = _folder(work, invoke.arn)
    folder.begin({"invoke": invoke.arn})
    with folder.held():
        plan, path = _plan(work, invoke, folder), folder.work / "pieces.jsonl"
        done = _whole_lines(path)
        with path.open("ab") as file:
            asyncio.run(_ask_all(work, invoke, plan.bodies[done:], file))
        pieces = _pieces(path)
    if all(piece.error for piece in pieces):
        raise InvalidRequest(pieces[0].error)
    return {"pieces": len(pieces)}


def publish(work: Work) -> None:
    """Put the output there, file by file, each whole; the last one says that the others are there."""
    invoke = _invoke(work)
    folder = _folder(work, invoke.arn)
    bucket, prefix = parse_uri(invoke.folder_uri)
    with folder.held():
        plan = _plan(work, invoke, folder)
        for name, data in plan.files(_pieces(folder.work / "pieces.jsonl"), invoke.folder_uri):
            content_type = "application/jsonl" if name.endswith(".jsonl") else "application/json"
            work.platform.objects.of(invoke.account).put(bucket, f"{prefix}/{name}", data, content_type=content_type)


def tidy(work: Work) -> None:
    """Remove what was only needed on the way."""
    _folder(work, work.run_id).discard()


def settle(tx: Connection, work: Work, outcome: Outcome) -> None:
    """Write how the call ended; of one that failed nothing is kept."""
    status: Status = "Completed" if outcome.end == "completed" else "Failed"
    tidy(work)
    end_invoke(tx, work.run_id, status, message=outcome.reason, now=work.platform.clock.now())


KIND = JobKind(KIND_NAME, (Step("ask", ask), Step("publish", publish), Step("tidy", tidy)), settle)


def _invoke(work: Work) -> AsyncInvoke:
    with work.platform.sql.connect() as connection:
        invoke = select_invoke(connection, work.run_id)
    if invoke is None:
        raise InvalidRequest("the call was removed while it ran")
    return invoke


def _plan(work: Work, invoke: AsyncInvoke, folder: RunDir) -> Plan:
    family, given = find_family(invoke.base_id), msgspec.json.decode(invoke.model_input)
    uri = family.check(given)
    return family.plan(given, _text(work, invoke, uri, folder.work / "text") if uri else "")


def _text(work: Work, invoke: AsyncInvoke, uri: str, copy: Path) -> str:
    """The text as it was when the run began, whatever becomes of the object meanwhile."""
    if not copy.is_file():
        bucket, key = parse_uri(uri)
        objects = work.platform.objects.of(invoke.account)
        if objects.head(bucket, key).size_bytes > MOST_TEXT_BYTES:
            raise InvalidRequest(f"{uri} has over {MOST_TEXT_BYTES} bytes")
        write_whole(copy, objects.read(bucket, key))
    try:
        return copy.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{uri} is no UTF-8 text") from error


def _folder(work: Work, arn: str) -> RunDir:
    name = hashlib.sha256(arn.encode()).hexdigest()[:16]
    return RunDir(work.platform.settings.home / "runs" / f"async-{name}")


def _whole_lines(path: Path) -> int:
    """Lines that are there; what a kill tore is cut off."""
    if not path.is_file():
        return 0
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        os.truncate(path, end)
    return data.count(b"\n")


def _pieces(path: Path) -> list[Piece]:
    return [msgspec.json.decode(line, type=Piece) for line in path.read_bytes().splitlines()]


async def _ask_all(work: Work, invoke: AsyncInvoke, bodies: Sequence[Mapping[str, Any]], file: IO[bytes]) -> None:
    """Ask for some pieces at a time, and write down in order what came of them."""
    async with work.platform.api.session() as session:
        for start in range(0, len(bodies), AT_A_TIME):
            tasks = [
                _ask(work, session, invoke, msgspec.json.encode(body)) for body in bodies[start : start + AT_A_TIME]
            ]
            for piece in await asyncio.gather(*tasks):
                file.write(msgspec.json.encode(piece) + b"\n")
            file.flush()


async def _ask(work: Work, session: ApiSession, invoke: AsyncInvoke, body: bytes) -> Piece:
    """What came of a body: an answer, or the sentence with which it was refused."""
    path = f"/model/{quote(invoke.base_id, safe='')}/invoke"
    pause_s, reason = 0.1, ""
    for attempt in range(MOST_TRIES):
        if attempt:
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
        try:
            answer = await session.post(path, body, account=invoke.account, region=invoke.region)
        except Unavailable as error:
            reason = error.message
            continue
        if answer.status == 200:
            return Piece(answer=msgspec.json.decode(answer.body))
        reason = _reason(answer.body)
        if answer.status not in _LATER:
            return Piece(error=reason)
    logger.info("async_invoke.gave_up", extra={"run": work.run_id, "tries": MOST_TRIES})
    raise ModelFailure(f"the model could not answer in {MOST_TRIES} tries: {reason}")


def _reason(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body).get("message") or "refused")
    except (msgspec.DecodeError, AttributeError):
        return "refused"
