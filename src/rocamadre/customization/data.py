"""What a job trains on: read from where it lies, checked, and written in canonical form into the run's folder."""

from __future__ import annotations

import hashlib
import platform as machine
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgspec

from rocamadre import __version__
from rocamadre.core.context import Platform
from rocamadre.customization.distillation import ask_teacher
from rocamadre.customization.logs import read_logs
from rocamadre.customization.types import Job, Part, PartStatus, Source
from rocamadre.datasets import canonical
from rocamadre.datasets.sources import PathSource, find_sources
from rocamadre.datasets.sources import Source as DataSource
from rocamadre.datasets.tokenizer import ModelTokenizer, open_tokenizer
from rocamadre.datasets.types import Chat, Example, Prompt, Text
from rocamadre.datasets.validation import Rules, load_examples
from rocamadre.files.operations import get_file
from rocamadre.jobs.rundir import RunDir, read_json, write_json
from rocamadre.jobs.runner import JobPlatform, RunStopped, Work

_CHECK_RECORDS = 1000
_PROMPTS = 8
_PROMPT_CHARACTERS = 400
_PREPARED = "prepared.json"
_PACKAGES = ("torch", "transformers", "peft")
_WANTED: dict[str, tuple[type, ...]] = {
    "FINE_TUNING": (Chat,),
    "CONTINUED_PRE_TRAINING": (Text,),
    "DISTILLATION": (Prompt, Chat),
}


def write_data(
    work: Work, job: Job, base: Path, folder: RunDir, moved: Callable[[Part, PartStatus], None]
) -> dict[str, Any]:
    """Write `train.jsonl` and `validation-<n>.jsonl`; done again after a kill, and not again once it is whole.

    Args:
        work: The run.
        job: What is wanted.
        base: The weights that are trained; their tokenizer counts.
        folder: Of the run.
        moved: Told how far it is.

    Returns:
        `records`, `validation_records`, `sha256` of the training data, and of a distillation `teacher`.

    Raises:
        InvalidRequest: records are wrong; the message names the first of them.
        NotFound: data is gone.
        RunStopped: it was asked to stop.
    """
    place = folder.work / _PREPARED
    known: dict[str, Any] | None = read_json(place)
    if known is not None:
        return known
    tokenizer = open_tokenizer(base)
    target = folder.work / "train.jsonl"
    asks = job.teacher is not None and not job.training.use_answers
    first = folder.work / "prompts.jsonl" if asks else target
    counts: dict[str, Any] = {"records": _write(work, job, job.training, first, tokenizer)}
    counts["validation_records"] = [
        _write(work, job, source, folder.work / f"validation-{number}.jsonl", tokenizer)
        for number, source in enumerate(job.validation)
    ]
    for uri, name in forgetting_sets(job.settings).items():
        path = folder.work / "forgetting" / f"{name}.jsonl"
        path.parent.mkdir(exist_ok=True, mode=0o700)
        _write(work, job, Source(uri), path, tokenizer, kinds=(Chat, Text))
    moved("validation", "Completed")
    moved("dataProcessing", "InProgress")
    if asks:
        counts["teacher"] = ask_teacher(work, job, folder, tokenizer=tokenizer, prompts=first, answered=target)
        counts["records"] = counts["teacher"]["records"]
    with target.open("rb") as stream:
        counts["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
    write_json(place, counts)
    moved("dataProcessing", "Completed")
    return counts


def forgetting_sets(settings: Mapping[str, Any]) -> dict[str, str]:
    """URIs of the data on which a run is to see what its model forgets, each with a name of its own.

    >>> forgetting_sets({"forgetting_data": "s3://data/greetings.jsonl, s3://data/de/greetings.jsonl"})
    {'s3://data/greetings.jsonl': 'greetings', 's3://data/de/greetings.jsonl': 'greetings-2'}
    """
    found: dict[str, str] = {}
    for uri in filter(None, (each.strip() for each in settings.get("forgetting_data", "").split(","))):
        stem = re.sub(r"[^\w-]", "-", uri.rstrip("/").rpartition("/")[2].partition(".")[0]) or "set"
        taken = found.values()
        others = (f"{stem}-{number}" for number in count(2))
        found[uri] = stem if stem not in taken else next(name for name in others if name not in taken)
    return found


def data_sources(platform: JobPlatform | Platform, account: str, region: str, uri: str) -> list[DataSource]:
    """The files that an `s3://` URI or a file of the OpenAI wire stands for.

    Raises:
        NotFound: there is none.
        InvalidRequest: the URI is none.
    """
    if uri.startswith("file-"):
        file = get_file(platform, account, region, uri)
        return [PathSource(platform.settings.home / "files" / file.id, file.name)]
    return find_sources(uri, platform.objects.of(account))


def certificate_prompts(folder: RunDir) -> list[dict[str, Any]]:
    """Some prompts of the data, in canonical form, by which the served model is compared with the trained one."""
    found: list[dict[str, Any]] = []
    for example in islice(canonical.read(folder.work / "train.jsonl"), _PROMPTS):
        if isinstance(example, Chat):
            prompt: Example = Prompt(example.turns[:-1])
        elif isinstance(example, Text):
            prompt = Text(example.text[:_PROMPT_CHARACTERS])
        else:
            continue
        found.append(msgspec.json.decode(canonical.encode(prompt)))
    return found


def data_facts() -> dict[str, str]:
    """With what a model was made; for its card."""
    found = {"rocamadre": __version__, "python": machine.python_version(), "machine": machine.machine()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _write(
    work: Work,
    job: Job,
    source: Source,
    path: Path,
    tokenizer: ModelTokenizer,
    *,
    kinds: tuple[type, ...] | None = None,
) -> int:
    """Write a source's examples; returns how many."""
    found = _examples(work.platform, job, source, tokenizer, kinds or _WANTED[job.type])
    return canonical.write(path, _watched(work, found))


def _watched(work: Work, examples: Iterable[Example]) -> Iterator[Example]:
    for number, example in enumerate(examples):
        if number % _CHECK_RECORDS == 0 and work.stop_requested():
            raise RunStopped
        yield example


def _examples(
    platform: JobPlatform, job: Job, source: Source, tokenizer: ModelTokenizer, kinds: tuple[type, ...]
) -> Iterator[Example]:
    if source.logs:
        yield from read_logs(platform.objects.of(job.account), job, source)
        return
    rules = Rules(kinds=kinds, tokenizer=tokenizer, max_length=job.settings["max_length"])
    yield from load_examples(data_sources(platform, job.account, job.region, source.uri), rules)
