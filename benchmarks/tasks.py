"""Real tasks, before and after tuning, as a user would do it: `python -m benchmarks.tasks [--only NAME …]`.

By the public API alone: the rows go to S3, CreateModelCustomizationJob trains roca-mini on them, the job is polled,
and base and custom model are asked the test rows through Converse, greedily and in the same words. Accuracy is an
answer equal to the label to the letter; token F1 is SQuAD's. Intervals are 95 % by the bootstrap over the test rows;
that of the gain is over the differences of the same rows. The base is not told the labels, so beside an accuracy stands
what always giving the commonest label would score.

Data: the sets that `benchmarks/task_data.py` names, below the folder `ROCA_DATA`. Answers and finished tasks are kept
in the work folder, and so is the server's state: a run that was killed goes on, also in the middle of a training.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import signal
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks import harness, task_data
from benchmarks.task_data import Row, Task

BASE = "rocamadre.roca-mini-v1:0"
ROLE = "arn:aws:iam::123456789012:role/tuning"
BUCKET = "tasks"
UNDER_WAY = ("InProgress", "Stopping")
ASKED_AT_ONCE = 4
_POLL_S = 2.0


@dataclass(frozen=True)
class Case:
    """A task with the settings that it is learned with; `epochCount` and such are hyperparameters of the job."""

    title: str
    make: Callable[[Path], Task]
    hyperparameters: dict[str, str] = field(default_factory=dict)
    note: str = ""


FULL = {"method": "full", "evaluate_every": "40"}
"""All weights move: the model is small, and adapters would save nothing."""
CASES = {
    "banking77": Case(
        "Banking77: which of 20 intents a message has",
        lambda data: task_data.banking(data, task_data.TWENTY_INTENTS, train=1300, validation=100, test=400),
        FULL | {"learningRate": "0.0005", "batchSize": "16", "epochCount": "3"},
        "20 of the 77 intents",
    ),
    "qamr": Case(
        "QAMR: questions about a sentence",
        lambda data: task_data.qamr(data, train=2500, validation=100, test=300),
        FULL | {"learningRate": "0.001", "batchSize": "8", "epochCount": "1"},
    ),
    "squad-es": Case(
        "SQuAD-es: questions about a sentence",
        lambda data: task_data.squad_es(data, train=2000, validation=100, test=300),
        FULL | {"learningRate": "0.001", "batchSize": "8", "epochCount": "1"},
        "the sentence that has the answer instead of the whole passage; training articles to train, test articles to "
        "measure",
    ),
    "told-br": Case(
        "ToLD-Br: whether a tweet is toxic",
        lambda data: task_data.told_br(data, train=2000, validation=120, test=400),
        FULL | {"learningRate": "0.001", "batchSize": "8", "epochCount": "3"},
        "as many of each label; what one of three annotators alone saw is left out",
    ),
}


class Bench:
    """A running platform, and clients of it."""

    def __init__(self, address: str, work: Path) -> None:
        self.address, self.work = address, work
        self.s3 = harness.client("s3", address)
        self.bedrock = harness.client("bedrock", address)
        self.runtime = harness.client("bedrock-runtime", address)
        if BUCKET not in {each["Name"] for each in self.s3.list_buckets()["Buckets"]}:
            self.s3.create_bucket(Bucket=BUCKET)

    def begin(self, name: str, case: Case, task: Task) -> str:
        """Make the job, or find it again; its name."""
        files = {part: task_data.lines(getattr(task, part)).encode() for part in ("train", "validation")}
        wanted = json.dumps(case.hyperparameters, sort_keys=True).encode()
        job = f"{name}-{hashlib.sha256(b''.join(files.values()) + wanted).hexdigest()[:12]}"
        if job not in {each["jobName"] for each in self._jobs(job)}:
            uris = {}
            for part, content in files.items():
                self.s3.put_object(Bucket=BUCKET, Key=f"{job}/{part}.jsonl", Body=content)
                uris[part] = {"s3Uri": f"s3://{BUCKET}/{job}/{part}.jsonl"}
            self.bedrock.create_model_customization_job(
                jobName=job,
                customModelName=job,
                roleArn=ROLE,
                baseModelIdentifier=BASE,
                trainingDataConfig=uris["train"],
                validationDataConfig={"validators": [uris["validation"]]},
                outputDataConfig={"s3Uri": f"s3://{BUCKET}/{job}/out/"},
                hyperParameters=case.hyperparameters,
            )
        return job

    def finished(self, job: str) -> dict[str, Any]:
        """The job when it is over.

        Raises:
            SystemExit: it failed.
        """
        while (told := self.bedrock.get_model_customization_job(jobIdentifier=job))["status"] in UNDER_WAY:
            time.sleep(_POLL_S)
        if told["status"] != "Completed":
            raise SystemExit(f"{job} is {told['status']}: {told.get('failureMessage', '')}")
        return dict(told)

    def _jobs(self, name: str) -> list[dict[str, Any]]:
        found = self.bedrock.list_model_customization_jobs(nameContains=name)
        return list(found["modelCustomizationJobSummaries"])

    def events(self, job_arn: str) -> list[dict[str, Any]]:
        """What the trainer said while it ran, which Amazon's API does not tell: the losses before the first step."""
        url = f"{self.address}/_rocamadre/jobs/{urllib.parse.quote(job_arn, safe='')}/events"
        asked = AWSRequest("GET", url)
        SigV4Auth(Credentials("AKIABENCHMARK", "benchmark"), "bedrock", "us-east-1").add_auth(asked)
        wanted = urllib.request.Request(url, headers=dict(asked.headers.items()))
        with urllib.request.urlopen(wanted, timeout=60) as answer:
            return [json.loads(line) for line in answer]

    def answers(self, model: str, rows: Sequence[Row], *, most: int, kept: Path) -> list[str]:
        """What a model says to each prompt, greedily; those that were asked before are read from a file."""
        known: dict[str, str] = {}
        if kept.exists():
            known = dict(json.loads(line) for line in kept.read_text("utf-8").splitlines() if line.endswith("]"))
        wanted = list(dict.fromkeys(row.prompt for row in rows if row.prompt not in known))
        kept.write_text("".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in known.items()), "utf-8")
        with kept.open("a", encoding="utf-8") as stream, ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
            for prompt, said in zip(wanted, pool.map(lambda each: self._say(model, each, most), wanted), strict=True):
                known[prompt] = said
                stream.write(json.dumps([prompt, said], ensure_ascii=False) + "\n")
        return [known[row.prompt] for row in rows]

    def _say(self, model: str, prompt: str, most: int) -> str:
        found = self.runtime.converse(
            modelId=model,
            messages=[{"role": "user", "content": [{"text": prompt}]}],
            inferenceConfig={"maxTokens": most, "temperature": 0},
        )
        return "".join(block.get("text", "") for block in found["output"]["message"]["content"])


def figures(bench: Bench, case: Case, task: Task, name: str) -> dict[str, Any]:
    """One task, from its job to its scores."""
    job = bench.finished(name)
    arn = job["outputModelArn"]
    events = bench.events(job["jobArn"])
    losses = {event["step"]: event["loss"] for event in events if event["event"] == "validation"}
    begun = next(event for event in events if event["event"] == "started")
    steps = [event for event in events if event["event"] == "step"]
    scores = {}
    for when, model in (("before", BASE), ("after", arn)):
        kept = bench.work / f"{job['jobName']}-{when}.jsonl"
        said = bench.answers(model, task.test, most=task.most, kept=kept)
        scores[when] = [task.score(text, row.accepted) for text, row in zip(said, task.test, strict=True)]
    gain = [after - before for before, after in zip(scores["before"], scores["after"], strict=True)]
    best = min(losses[step] for step in losses if step)
    return {
        "title": case.title,
        "language": task.language,
        "note": case.note,
        "examples": {part: len(getattr(task, part)) for part in ("train", "validation", "test")},
        "hyperparameters": case.hyperparameters,
        "parameters_trained": begun["trainable"],
        "steps": len(steps),
        "tokens": steps[-1]["tokens"],
        "training_minutes": round(sum(_seconds(steps)) / 60, 1),
        "validation_loss": {"before": round(losses[0], 3), "after": round(best, 3)},
        "metric": task.metric,
        "before": task_data.interval(scores["before"]),
        "after": task_data.interval(scores["after"]),
        "gain": task_data.interval(gain),
        "commonest_label": task.commonest_label,
    }


def _seconds(steps: Sequence[dict[str, Any]]) -> list[float]:
    """Of each step, from its tokens and its rate."""
    before, found = 0, []
    for step in steps:
        found.append((step["tokens"] - before) / step["tokens_per_s"])
        before = step["tokens"]
    return found


def main() -> int:
    """Run what is not there yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES), metavar="NAME")
    parser.add_argument("--work", type=Path, default=harness.ROOT / ".roca" / "benchmarks" / "tasks")
    options = parser.parse_args()
    data = task_data.data_folder()
    options.work.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with harness.server(home=options.work / "home") as (address, _, _):
        bench = Bench(address, options.work)
        tasks = {name: CASES[name].make(data) for name in options.only}
        # One trains at a time; the others queue, and train while answers are asked for.
        jobs = {name: bench.begin(name, CASES[name], task) for name, task in tasks.items()}
        for name in options.only:
            found = figures(bench, CASES[name], tasks[name], jobs[name])
            print(json.dumps(found, ensure_ascii=False), file=sys.stderr)
            done = options.work / f"{name}.json"
            done.with_suffix(".tmp").write_text(json.dumps(found, ensure_ascii=False), "utf-8")
            done.with_suffix(".tmp").replace(done)
            there = {each: options.work / f"{each}.json" for each in CASES}
            kept = {each: json.loads(path.read_text("utf-8")) for each, path in there.items() if path.exists()}
            harness.report("tasks", {"base": BASE, "tasks": kept})
    return 0


if __name__ == "__main__":
    sys.exit(main())
