"""Batch inference on the fake engine, undisturbed and under kill -9.

`python -m benchmarks.batch [--records 10000] [--kills 20] [--seed N]`; ends with 1 when a record is lost or doubled.

Two jobs of the same size. The first runs in peace, for the rate. During the second, server and worker are killed in
turn at random moments, the server is started again, and at the end the output is compared with the input: every record
exactly once, every answer that of its own question, and the manifest's counts true.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.harness import ROOT, _address, client, report

FAKE = "rocamadre.fake-v1:0"
OVER = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}
ROLE = "arn:aws:iam::123456789012:role/batch"


class Bench:
    """A server that is killed and started again on the same home.

    Args:
        home: Its state.
        seed: Of the moments of the kills.
    """

    def __init__(self, home: Path, seed: int) -> None:
        self.home = home
        self.random = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self._environment = os.environ | {
            "ROCA_HOME": str(home),
            "ROCA_SERVER__PORT": "0",
            "ROCA_CONSOLE__ENABLED": "false",
            "ROCA_CONFIG": os.devnull,
            "ROCA_LOG__ACCESS": "false",
        }
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "rocamadre.server"]
        self.process = subprocess.Popen(command, env=self._environment, cwd=ROOT)
        self.address = _address(self.process, self.home)
        self.bedrock = client("bedrock", self.address)
        self.s3 = client("s3", self.address)

    def stop(self) -> None:
        """Stop the server as `roca down` does."""
        self.process.terminate()
        self.process.wait(30)

    def worker(self) -> psutil.Process | None:
        """The worker's process."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if "rocamadre.server.worker" in child.cmdline():
                    return child
            except psutil.Error:
                continue
        return None

    def kill(self, whom: str) -> None:
        """Kill the server or the worker, whichever is there."""
        worker = self.worker()
        if whom == "worker" and worker is not None:
            worker.kill()
        else:
            whom = "server"
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.start()
        self.kills[whom] += 1

    def submit(self, name: str, records: int) -> str:
        """Put the input there and ask for the job; its ARN."""
        lines = (
            json.dumps({"recordId": f"R{n:08d}", "modelInput": {"messages": [_message(n)]}}) for n in range(records)
        )
        self.s3.put_object(Bucket="bench", Key=f"{name}.jsonl", Body="\n".join(lines).encode())
        answer = self.bedrock.create_model_invocation_job(
            jobName=name,
            roleArn=ROLE,
            modelId=FAKE,
            modelInvocationType="Converse",
            inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://bench/{name}.jsonl"}},
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": "s3://bench/out/"}},
        )
        return str(answer["jobArn"])

    def job(self, arn: str) -> dict[str, Any]:
        """How far a job is."""
        return dict(self.bedrock.get_model_invocation_job(jobIdentifier=arn))

    def check(self, arn: str, name: str, records: int) -> list[str]:
        """What is wrong with a job's output; empty when nothing is."""
        faults = []
        prefix = f"out/{arn.rpartition('/')[2]}/"
        body = self.s3.get_object(Bucket="bench", Key=f"{prefix}{name}.jsonl.out")["Body"].read()
        lines = [json.loads(line) for line in body.splitlines()]
        counted = Counter(line["recordId"] for line in lines)
        wanted = {f"R{n:08d}" for n in range(records)}
        if lost := wanted - set(counted):
            faults.append(f"{len(lost)} records lost")
        if doubled := [each for each, count in counted.items() if count > 1]:
            faults.append(f"{len(doubled)} records doubled")
        wrong = sum(not _answers(line) for line in lines)
        if wrong:
            faults.append(f"{wrong} records with an error or another's answer")
        manifest = json.loads(self.s3.get_object(Bucket="bench", Key=f"{prefix}manifest.json.out")["Body"].read())
        counts = [manifest[f"{sort}RecordCount"] for sort in ("total", "processed", "success", "error")]
        if counts != [records, records, records, 0]:
            faults.append(f"the manifest counts {counts}")
        return faults


def _message(number: int) -> dict[str, Any]:
    return {"role": "user", "content": [{"text": f"Say the number {number}"}]}


def _answers(line: dict[str, Any]) -> bool:
    if "modelOutput" not in line:
        return False
    text = line["modelOutput"]["output"]["message"]["content"][0]["text"]
    return str(text).endswith(f"Say the number {int(line['recordId'][1:])}")


def undisturbed(bench: Bench, records: int) -> tuple[dict[str, Any], list[str]]:
    """A job in peace."""
    arn = bench.submit("peace", records)
    began = time.monotonic()
    first, at = 0, began
    while (job := bench.job(arn))["status"] not in OVER:
        if not first and job.get("processedRecordCount"):
            first, at = job["processedRecordCount"], time.monotonic()
        time.sleep(0.1)
    seconds = time.monotonic() - began
    faults = [] if job["status"] == "Completed" else [f"undisturbed: {job['status']}: {job.get('message')}"]
    faults += bench.check(arn, "peace", records) if not faults else []
    worker = bench.worker()
    return {
        "seconds": round(seconds, 1),
        "records_per_s": round(records / seconds),
        "records_per_s_once_running": round((records - first) / (time.monotonic() - at)) if first else None,
        "worker_memory_bytes": worker.memory_info().rss if worker else None,
    }, faults


def under_fire(bench: Bench, records: int, kills: int, seconds: float) -> tuple[dict[str, Any], list[str]]:
    """A job during which somebody is killed now and then.

    Args:
        bench: The server.
        records: Of the job.
        kills: How many.
        seconds: What the same job took in peace; the kills are spread by how many records are done.
    """
    arn = bench.submit("fire", records)
    began = time.monotonic()
    marks = sorted(bench.random.random() * 0.95 * records for _ in range(kills))
    while True:
        try:
            job = bench.job(arn)
        except (BotoCoreError, ClientError):
            time.sleep(0.05)
            continue
        if job["status"] in OVER or time.monotonic() - began > 600 + 20 * seconds:
            break
        if marks and job.get("processedRecordCount", 0) >= marks[0]:
            marks.pop(0)
            time.sleep(bench.random.random() * 0.3)
            bench.kill(bench.random.choice(("server", "worker")))
        time.sleep(0.05)
    faults = [] if job["status"] == "Completed" else [f"under fire: {job['status']}: {job.get('message')}"]
    faults += bench.check(arn, "fire", records) if not faults else []
    if bench.kills.total() < kills:
        faults.append(f"only {bench.kills.total()} kills of {kills} were made")
    return {"seconds": round(time.monotonic() - began, 1), "kills": dict(bench.kills)}, faults


def main() -> int:
    """Run and report; 1 when there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--dry", action="store_true", help="print only, do not write the results' file")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="roca-batch-"))
    bench = Bench(home, options.seed)
    try:
        bench.s3.create_bucket(Bucket="bench")
        peace, faults = undisturbed(bench, options.records)
        fire, more = under_fire(bench, options.records, options.kills, peace["seconds"])
        faults += more
    finally:
        bench.stop()
        if not os.environ.get("ROCA_BENCH_KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    figures = {"seed": options.seed, "records": options.records, "peace": peace, "fire": fire, "faults": faults}
    if options.dry:
        print(json.dumps(figures, indent=2))
    else:
        report("batch", figures)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
