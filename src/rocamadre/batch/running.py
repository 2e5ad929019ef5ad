"""Asking for every record of a job: several at a time, each written down as it is answered.

A record that meets a busy or loading model is asked again for a while; one whose model failed, a few times. Whatever
else is answered, be it an error, is the record's own result and never the job's end.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from rocamadre.batch.lines import Line
from rocamadre.batch.progress import Done, Progress
from rocamadre.core.errors import Unavailable
from rocamadre.core.settings import Settings
from rocamadre.jobs.api import ApiAnswer, ApiSession
from rocamadre.jobs.runner import Work

logger = logging.getLogger(__name__)

Ended: TypeAlias = Literal["finished", "stopped", "timed_out"]

_BUSY = frozenset({429, 503, 529})
_FAILED = frozenset({408, 424, 500, 502, 504})
_MOST_FAILURES = 3
_READ_AHEAD = 64
_CHECK_S = 0.5
_LONGEST_PAUSE_S = 5.0


class Call(NamedTuple):
    """What to send for a record."""

    path: str
    body: bytes


class Record(NamedTuple):
    """One record, read.

    Attributes:
        call: What to send; None for a record that is refused without asking anybody.
        finish: Makes the record's result of an answer; of None where there is nothing to send.
    """

    call: Call | None
    finish: Callable[[ApiAnswer | None], Done]


@dataclass(frozen=True, slots=True)
class Source:
    """One input file.

    Attributes:
        number: Among the job's, from 0.
        lines: Opens it, and yields its lines.
        read: Makes a record of a line.
    """

    number: int
    lines: Callable[[], Iterator[Line]]
    read: Callable[[Line], Record]


@dataclass(frozen=True, slots=True)
class Job:
    """What `run` needs to know.

    Attributes:
        deadline: On the clock's `now()`, in seconds since the epoch.
        concurrency: Records in flight.
        tell: Called every half second with the progress; writes it where people look.
    """

    work: Work
    account: str
    region: str
    sources: tuple[Source, ...]
    deadline: float
    concurrency: int
    tell: Callable[[Progress], None]


def concurrency(settings: Settings) -> int:
    """Records of one job in flight."""
    engines = settings.engines
    return settings.batch.concurrency or engines.slots * engines.replicas


async def run(job: Job, progress: Progress) -> Ended:
    """Ask for every record that is not done yet; returns why it ended.

    Raises:
        OSError: what came of a record could not be written down.
    """
    if job.work.platform.clock.now().timestamp() >= job.deadline:
        job.tell(progress)
        return "timed_out"
    async with job.work.platform.api.session() as session, asyncio.TaskGroup() as group:
        queue: asyncio.Queue[tuple[int, int, Record] | None] = asyncio.Queue(maxsize=2 * job.concurrency)
        askers = [group.create_task(_ask_all(job, session, queue, progress)) for _ in range(job.concurrency)]
        feeder = group.create_task(_feed(job, queue, progress))
        ended = await _watch(job, progress, [feeder, *askers])
        for task in (feeder, *askers):
            task.cancel()
    return ended


async def _watch(job: Job, progress: Progress, tasks: list[asyncio.Task[None]]) -> Ended:
    platform = job.work.platform
    while True:
        _, waiting = await asyncio.wait(tasks, timeout=_CHECK_S)
        await asyncio.to_thread(progress.sync)
        await asyncio.to_thread(job.tell, progress)
        if not waiting:
            return "finished"
        if await asyncio.to_thread(job.work.stop_requested):
            return "stopped"
        if platform.clock.now().timestamp() >= job.deadline:
            return "timed_out"


async def _feed(job: Job, queue: asyncio.Queue[tuple[int, int, Record] | None], progress: Progress) -> None:
    """Read ahead a little, in a thread; blocking reads must not hold up the answers."""
    for source in job.sources:
        lines = source.lines()
        while batch := await asyncio.to_thread(_read_some, source, lines, progress):
            for index, record in batch:
                if record is not None:
                    await queue.put((source.number, index, record))
    for _ in range(job.concurrency):
        await queue.put(None)


def _read_some(source: Source, lines: Iterator[Line], progress: Progress) -> list[tuple[int, Record | None]]:
    return [
        (line.place, None if progress.has(source.number, line.place) else source.read(line))
        for line in islice(lines, _READ_AHEAD)
    ]


async def _ask_all(
    job: Job, session: ApiSession, queue: asyncio.Queue[tuple[int, int, Record] | None], progress: Progress
) -> None:
    while (item := await queue.get()) is not None:
        source, index, record = item
        answer = None if record.call is None else await _ask(job, session, record.call)
        progress.add(source, index, record.finish(answer))


async def _ask(job: Job, session: ApiSession, call: Call) -> ApiAnswer:
    """The answer to keep: neither one that says to come again, nor a failure that may not happen twice."""
    patience_s = job.work.platform.settings.batch.retry_s
    monotonic = asyncio.get_running_loop().time
    began, pause_s, failures = monotonic(), 0.05, 0
    while True:
        try:
            answer = await session.post(call.path, call.body, account=job.account, region=job.region)
        except Unavailable:
            # The server is being restarted, and ends us with it; or it is stuck, and the job's own deadline counts.
            logger.info("batch.server_away", extra={"run": job.work.run_id})
        else:
            failures += answer.status in _FAILED
            if answer.status in _BUSY:
                if monotonic() - began > patience_s:
                    return answer
            elif answer.status not in _FAILED or failures >= _MOST_FAILURES:
                return answer
        await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
