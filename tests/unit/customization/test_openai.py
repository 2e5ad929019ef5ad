"""Fine-tuning on the OpenAI wire through its own client, with stubs that train and publish without torch."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import openai
import pytest

from rocamadre.customization import jobs as customization_jobs
from rocamadre.testing.inprocess import ADDRESS
from rocamadre.testing.jobs import inline_jobs
from rocamadre.testing.requests import WireRequest

STUBS = Path(__file__).parents[2] / "stubs"
LINES = [
    {"messages": [{"role": "user", "content": f"Q{n}"}, {"role": "assistant", "content": f"A{n}"}]} for n in range(16)
]


@pytest.fixture(autouse=True)
def _stubs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(STUBS))
    monkeypatch.setattr(customization_jobs, "TRAINER", "stub_trainer")
    monkeypatch.setattr(customization_jobs, "PUBLISHER", "stub_publisher")


@pytest.fixture
def client(server):
    def answer(request):
        got = server.send(
            WireRequest(request.method, request.url.raw_path.partition(b"?")[0], request.url.query, {}, request.read()),
            dict(request.headers),
        )
        return httpx.Response(got.status, headers=got.headers, content=got.body)

    http = httpx.Client(transport=httpx.MockTransport(answer))
    with openai.OpenAI(base_url=f"{ADDRESS}/v1", api_key="testing", max_retries=0, http_client=http) as made:
        yield made


@pytest.fixture
def upload(client):
    def make(lines=LINES, purpose="fine-tune"):
        return client.files.create(file=("data.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose=purpose).id

    return make


def test_a_job_from_its_beginning_to_a_model_that_answers(server, client, upload):
    training, validation = upload(), upload(LINES[:4])
    tuning = client.fine_tuning.jobs
    job = tuning.create(
        model="roca-mini",
        training_file=training,
        validation_file=validation,
        suffix="my harbour",
        seed=7,
        metadata={"team": "red"},
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 2}},
        },
    )
    assert (job.status, job.object, job.model, job.seed) == ("queued", "fine_tuning.job", "roca-mini", 7)
    assert (job.hyperparameters.n_epochs, job.hyperparameters.batch_size) == (2, 2)
    assert job.hyperparameters.learning_rate_multiplier == 2
    assert (job.training_file, job.validation_file, job.metadata) == (training, validation, {"team": "red"})
    assert job.fine_tuned_model is None
    inline_jobs(server).drain()
    job = tuning.retrieve(job.id)
    assert (job.status, job.error, job.trained_tokens) == ("succeeded", None, 80)
    assert job.fine_tuned_model.startswith("ft:roca-mini:rocamadre:my-harbour:")
    assert job.finished_at >= job.created_at
    messages = [event.message for event in tuning.list_events(job.id, limit=50)]
    assert messages[0] == "The job has successfully completed"
    assert messages[-1] == f"Created fine-tuning job: {job.id}"
    metrics = [event for event in tuning.list_events(job.id) if event.type == "metrics"]
    assert len(metrics) == 10
    assert {"step", "train_loss", "total_steps", "full_valid_loss"} <= set(metrics[0].data)
    (checkpoint,) = tuning.checkpoints.list(job.id)
    assert checkpoint.fine_tuned_model_checkpoint == job.fine_tuned_model
    lines = client.files.content(job.result_files[0]).text.splitlines()
    assert lines[0] == "step,train_loss,valid_loss"
    assert len(lines) == 11
    said = client.chat.completions.create(
        model=job.fine_tuned_model, messages=[{"role": "user", "content": "Hello there"}]
    )
    assert "Hello there" in said.choices[0].message.content


def test_lists_cancel_pause_and_resume(server, client, upload):
    tuning, training = client.fine_tuning.jobs, upload()
    made = [tuning.create(model="roca-mini", training_file=training, metadata={"n": str(n)}).id for n in range(3)]
    assert [job.id for job in tuning.list()] == made[::-1]
    assert [job.id for job in tuning.list(limit=1)] == made[::-1]
    assert [job.id for job in tuning.list(metadata={"n": "1"})] == [made[1]]
    assert tuning.cancel(made[0]).status == "cancelled"
    assert tuning.pause(made[1]).status == "paused"
    inline_jobs(server).drain()
    assert [tuning.retrieve(each).status for each in made] == ["cancelled", "paused", "succeeded"]
    with pytest.raises(openai.ConflictError, match="succeeded"):
        tuning.cancel(made[2])
    with pytest.raises(openai.ConflictError, match="cancelled"):
        tuning.resume(made[0])
    assert tuning.resume(made[1]).status == "queued"
    inline_jobs(server).drain()
    assert tuning.retrieve(made[1]).status == "succeeded"
    with pytest.raises(openai.NotFoundError):
        tuning.retrieve("ftjob-none")


def test_a_failure_is_told(server, client, upload):
    job = client.fine_tuning.jobs.create(model="roca-mini", training_file=upload([*LINES, {"messages": []}]))
    inline_jobs(server).drain()
    job = client.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "failed"
    assert "data.jsonl, line 17" in job.error.message


REFUSED = {
    "integrations": ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
    "another method": ({"method": {"type": "dpo", "dpo": {}}}, "'dpo' is not built"),
    "epochs": ({"hyperparameters": {"n_epochs": 0}}, "n_epochs"),
    "a suffix": ({"suffix": "x" * 65}, "at most 64"),
    "a file": ({"training_file": "file-none"}, "No such File"),
    "an embedder": ({"model": "rocamadre.fake-embed-v1:0"}, "no customization at all"),
    "an unknown parameter": ({"extra_body": {"colour": "red"}}, "Unknown parameter: 'colour'"),
}


def test_what_is_refused(client, upload, subtests):
    training = upload()
    for name, (changes, told) in REFUSED.items():
        with subtests.test(name), pytest.raises(openai.BadRequestError) as caught:
            client.fine_tuning.jobs.create(**{"model": "roca-mini", "training_file": training} | changes)
        assert told in str(caught.value)
    with pytest.raises(openai.NotFoundError):
        client.fine_tuning.jobs.create(model="gpt-none", training_file=training)
    with pytest.raises(openai.BadRequestError, match="purpose"):
        client.fine_tuning.jobs.create(model="roca-mini", training_file=upload(purpose="batch"))
    with pytest.raises(openai.NotFoundError, match="graders"):
        client.get("/fine_tuning/alpha/graders/run", cast_to=object)
