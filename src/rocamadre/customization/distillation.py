"""The teacher's answers: asked of the platform itself, each written down as it comes, so that a kill costs none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from rocamadre.batch.jobs import run_records
from rocamadre.batch.lines import Line
from rocamadre.batch.progress import Done, Progress
from rocamadre.batch.running import Call, Record, Source, concurrency
from rocamadre.batch.running import Job as Asking
from rocamadre.core.errors import InvalidRequest, RocamadreError
from rocamadre.customization.types import Job, Teacher
from rocamadre.datasets import canonical
from rocamadre.datasets.rendered import render_example
from rocamadre.datasets.tokenizer import ModelTokenizer
from rocamadre.datasets.types import Chat, Prompt
from rocamadre.jobs.api import ApiAnswer
from rocamadre.jobs.rundir import RunDir
from rocamadre.jobs.runner import RunStopped, Work
from rocamadre.training.teacher_answers import Answer, Counts, learn_from_answers, prompt_key

_LONGEST = timedelta(days=30)


class _Block(msgspec.Struct):
    text: str = ""


class _Message(msgspec.Struct):
    content: list[_Block] = []


class _Output(msgspec.Struct):
    message: _Message


class _Usage(msgspec.Struct):
    inputTokens: int = 0
    outputTokens: int = 0


class _Answer(msgspec.Struct):
    output: _Output
    stopReason: str = "end_turn"
    usage: _Usage = msgspec.field(default_factory=_Usage)


class _Told(msgspec.Struct):
    """What the teacher said to the prompt of a line; nothing where the answer was there."""

    place: int
    text: str = ""
    stop_reason: str = ""


class _Refusal(msgspec.Struct):
    message: str = ""


def ask_teacher(
    work: Work, job: Job, folder: RunDir, *, tokenizer: ModelTokenizer, prompts: Path, answered: Path
) -> dict[str, Any]:
    """Have every prompt answered and write the conversations.

    A conversation that has its answer already keeps it. What of the answers is learned, `training.teacher_answers`
    decides: whole ones that are no refusals, each prompt once.

    Args:
        work: The run.
        job: With a teacher.
        folder: Of the run; answers are kept in it as they come.
        tokenizer: Of the base; a conversation that is longer than the settings allow is left out.
        prompts: Canonical prompts and conversations.
        answered: Where the conversations go: those that had an answer, then the others in the order of the prompts.

    Returns:
        `model`, `given` (answers that were there), how many prompts were `kept`, `repeated`, `refused`, `cut`,
        `empty`, `failed` and `too_long`, and the tokens of asking, `input_tokens` and `output_tokens`.

    Raises:
        RunStopped: it was asked to stop.
        InvalidRequest: nothing is left to learn.
    """
    teacher, platform = job.teacher, work.platform
    assert teacher is not None
    asking = Asking(
        work,
        job.account,
        job.region,
        (Source(0, lambda: _lines(prompts), lambda line: _record(teacher, line)),),
        (platform.clock.now() + _LONGEST).timestamp(),
        concurrency(platform.settings),
        lambda progress: folder.note(
            platform.clock, {"event": "teacher", "answered": progress.counts.good, "failed": progress.counts.bad}
        ),
    )
    with Progress(folder.work / "answers", 1) as progress:
        if run_records(asking, progress) == "stopped":
            raise RunStopped
        taken = Counts()
        long: list[int] = []
        written = canonical.write(answered, _short_enough(_learned(prompts, progress, taken), job, tokenizer, long))
        told = {**asdict(taken), "given": progress.counts.good - taken.prompts, "failed": progress.counts.bad}
        told |= {"too_long": len(long), "records": written}
        if not written:
            reason = next(progress.lines(0, good=False), b"").decode().strip()
            shown = ", ".join(f"{count} {name}" for name, count in told.items() if count)
            raise InvalidRequest(
                f"nothing is left to learn of the answers of {teacher.model_id}: {shown}. Cut answers ended at "
                f"maxResponseLengthForInference, {teacher.max_tokens}. {reason}".strip()
            )
        tokens = {"input_tokens": progress.counts.read, "output_tokens": progress.counts.written}
    return {"model": teacher.model_id, **told, **tokens}


def _short_enough(chats: Iterable[Chat], job: Job, tokenizer: ModelTokenizer, long: list[int]) -> Iterator[Chat]:
    """Those that fit into a row; the lengths of the others are added to a list."""
    for chat in chats:
        length = len(render_example(chat, tokenizer, tokenizer.template).ids)
        if length <= job.settings["max_length"]:
            yield chat
        else:
            long.append(length)


def _learned(prompts: Path, progress: Progress, counts: Counts) -> Iterator[Chat]:
    """What is learned of the answers."""
    answers: dict[str, Answer] = {}
    asked: list[Prompt] = []
    places = {line.place: line.data for line in _lines(prompts) if line.data is not None}
    for data in progress.lines(0, good=True):
        told = msgspec.json.decode(data, type=_Told)
        example = canonical.decode(places[told.place])
        if isinstance(example, Chat):
            yield example
        elif isinstance(example, Prompt):
            answers[prompt_key(example)] = Answer(told.text, told.stop_reason)
            asked.append(example)
    by_turns = {prompt.turns: prompt_key(prompt) for prompt in asked}
    yield from learn_from_answers(asked, lambda turns: answers[by_turns[tuple(turns)]], counts)


def _lines(path: Path) -> Iterator[Line]:
    with path.open("rb") as stream:
        for place, data in enumerate(stream):
            yield Line(place, place + 1, data.rstrip(b"\n"))


def _record(teacher: Teacher, line: Line) -> Record:
    assert line.data is not None
    example = canonical.decode(line.data)
    if isinstance(example, Chat):
        return Record(None, lambda _: Done(True, 0, 0, msgspec.json.encode(_Told(line.place))))
    assert isinstance(example, Prompt)
    body: dict[str, Any] = {
        "messages": [
            {"role": turn.role, "content": [{"text": turn.text}]} for turn in example.turns if turn.role != "system"
        ],
        "inferenceConfig": {"maxTokens": teacher.max_tokens, "temperature": 0.0},
    }
    if example.turns[0].role == "system":
        body["system"] = [{"text": example.turns[0].text}]
    path = f"/bedrock-runtime/model/{quote(teacher.model_id, safe='')}/converse"
    return Record(Call(path, msgspec.json.encode(body)), lambda answer: _finish(line.place, answer))


def _finish(place: int, answer: ApiAnswer | None) -> Done:
    assert answer is not None
    try:
        if answer.status != 200:
            raise RocamadreError(msgspec.json.decode(answer.body, type=_Refusal).message)
        found = msgspec.json.decode(answer.body, type=_Answer)
        text = "".join(block.text for block in found.output.message.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Done(False, 0, 0, msgspec.json.encode("the answer cannot be read"))
    except RocamadreError as error:
        return Done(False, 0, 0, msgspec.json.encode(error.message))
    told = msgspec.json.encode(_Told(place, text, found.stopReason))
    return Done(True, found.usage.inputTokens, found.usage.outputTokens, told)
