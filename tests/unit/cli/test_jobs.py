"""`roca jobs` and the picture of a training, with the server's answers made by hand."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rocamadre.cli import jobs, training_view
from rocamadre.cli.exits import CommandFailed, Exit
from rocamadre.cli.session import Session

ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/rocamadre.roca-mini-v1:0/abcdefghijkl"
PROGRESS = {
    "state": "training", "reason": "", "step": 30, "steps": 60, "epoch": 0.5, "loss": 2.5, "validation_loss": 2.75,
    "tokens_per_s": 1234.5, "eta_s": 61.0, "warnings": ["it is hot"], "losses": [[1, 4.0], [15, None], [30, 2.5]],
    "validation_losses": [[0, 3.5], [30, 2.75]],
}  # fmt: skip
JOB = {
    "id": ARN, "kind": "customization", "name": "harbour", "status": "InProgress", "reason": "", "ended_at": None,
    "created_at": "2026-11-21T10:00:00Z", "progress": PROGRESS, "can_stop": True, "model_name": "harbour",
    "foreseen": [{"name": "memory_bytes", "predicted": 9e8, "happened": 1e9, "error": -0.1, "bar": 0.2}],
}  # fmt: skip
BATCH = {**JOB, "id": "batch_1", "kind": "openai-batch", "name": "/v1/chat", "status": "completed"}
BATCH["progress"] = {"total": 10, "good": 9, "bad": 1}
PULL = {**JOB, "kind": "model-pull", "progress": {"done_bytes": 5e6, "total_bytes": 1e7}}


@pytest.fixture
def server(monkeypatch):
    """Answers by path; what was asked is kept."""
    asked = []
    answers = {}

    def answer(method):
        def call(server, path, *rest, **options):
            asked.append((method, path))
            for start, value in answers.items():
                if path.startswith(start):
                    return value
            raise CommandFailed(f"no job at {path}", Exit.NOT_FOUND)

        return call

    monkeypatch.setattr(Session, "server", lambda self: object())
    for name in ("get", "post", "lines"):
        monkeypatch.setattr(jobs, name, answer(name))
    server = type("Server", (), {})()
    server.asked, server.answers = asked, answers
    return server


def test_list(roca, server):
    server.answers["/_rocamadre/jobs?"] = {"jobs": [JOB, BATCH, PULL], "next": ARN}
    told = roca("jobs", "list", "--kind", "customization", "--status", "active", "--find", "har bour")
    assert server.asked[0] == (
        "get",
        "/_rocamadre/jobs?kind=customization&status=active&find=har+bour&limit=50",
    )
    assert "training, step 30 of 60, loss 2.500, validation 2.750, 1,234 tokens/s, 1 min left" in told.out
    assert "10 of 10, 1 failed" in told.out
    assert "5.0 MB of 10.0 MB" in told.out
    assert "abcdefghijkl" in told.out
    assert "--limit 100" in told.err
    assert roca("jobs", "list", "--json").json["next"] == ARN


def test_show(roca, server):
    server.answers["/_rocamadre/jobs/harbour"] = JOB
    told = roca("jobs", "show", "harbour").out
    assert "4.000 █▁ 2.500" in told
    assert "3.500 █▁ 2.750" in told
    assert "warning: it is hot" in told
    assert "900.0 MB" in told
    assert "-10 %" in told
    assert roca("jobs", "show", "harbour", "--json").json == JOB
    assert roca("jobs", "show", "nobody").code == 4


def test_names_are_escaped(roca, server):
    server.answers["/_rocamadre/jobs/"] = JOB
    roca("jobs", "show", ARN)
    assert server.asked[0][1].count("/") == 3
    assert "%3A" in server.asked[0][1]


def test_logs(roca, server):
    server.answers["/_rocamadre/jobs/harbour/"] = ["one", "two"]
    assert roca("jobs", "logs", "-f", "harbour").out == "one\ntwo\n"
    roca("jobs", "logs", "harbour", "--events")
    assert [path for _, path in server.asked] == [
        "/_rocamadre/jobs/harbour/logs?follow=true",
        "/_rocamadre/jobs/harbour/events?follow=false",
    ]


@pytest.mark.parametrize("verb", ["stop", "resume"])
def test_stop_and_resume(roca, server, verb):
    server.answers[f"/_rocamadre/jobs/harbour/{verb}"] = {**JOB, "status": "Stopping"}
    assert roca("jobs", verb, "harbour").out == "harbour: Stopping\n"
    assert roca("jobs", verb, "harbour", "--json").json["status"] == "Stopping"
    assert server.asked[0] == ("post", f"/_rocamadre/jobs/harbour/{verb}")


def test_a_curve_in_a_line():
    assert training_view.sparkline([]) == ""
    assert training_view.sparkline([1.0, 1.0]) == "▁▁"
    long = training_view.sparkline([float(n) for n in range(1000)], width=8)
    assert long == "▁▂▃▄▅▆▇█"


def test_the_picture_has_it_all():
    console = Console(file=io.StringIO(), width=200)
    console.print(training_view._picture("harbour [from] roca-mini", JOB))
    shown = console.file.getvalue()
    for part in ("harbour [from] roca-mini", "step 30 of 60", "loss 4.000 █▁ 2.500", "warning: it is hot", "━"):
        assert part in shown
    console.print(training_view._picture("harbour", {"progress": None}))


def test_watching_ends_when_the_job_does(capsys):
    def state(**changes):
        return {**JOB, "progress": {**PROGRESS, **changes}}

    steps = [
        state(state="queued", steps=0, warnings=[]),
        state(step=1),
        state(step=2),
        state(step=59),
        state(state="paused", reason="the disk is full"),
        {**JOB, "ended_at": "2026-11-21T10:05:00Z", "progress": {**PROGRESS, "state": "over"}},
    ]
    looks = iter(steps)
    ended = training_view.watch(lambda: next(looks), title="harbour", poll_s=0)
    assert ended["ended_at"]
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "waiting for its turn"
    assert lines.count("warning: it is hot") == 1
    assert sum(line.startswith("training") for line in lines) == 2
    assert any("paused, the disk is full" in line for line in lines)
