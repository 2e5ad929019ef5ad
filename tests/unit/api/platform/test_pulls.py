from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from rocamadre.api.http import HttpRequest
from rocamadre.api.platform.pulls import begin, one, pulls, stop
from rocamadre.catalog.operations import find_model
from rocamadre.catalog.pull import Progress
from rocamadre.catalog.pulls import _watcher
from rocamadre.core.errors import AccessDenied, InvalidRequest, NotFound
from rocamadre.jobs.inline import InlineJobs
from rocamadre.jobs.runner import JobPlatform, RunStopped
from rocamadre.server.kinds import JOB_KINDS

_spec = importlib.util.spec_from_file_location("catalog_files", Path(__file__).parents[2] / "catalog" / "conftest.py")
files = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(files)


def get(query: str = "", *values: str) -> HttpRequest:
    return HttpRequest("GET", b"/", query.encode(), {}, b"", values)


@pytest.fixture
def jobs(context):
    platform = context.platform
    return InlineJobs(
        JOB_KINDS, JobPlatform(platform.settings, platform.sql, platform.objects, platform.clock, api=None)
    )


@pytest.fixture
def gguf(tmp_path):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(files.llama_gguf())
    return path


async def ask(answer):
    return msgspec.json.decode((await answer).body)


async def test_a_model_is_pulled_in_the_background(context, post, jobs, gguf):
    body = {"source": str(gguf), "name": "small"}
    begun = await ask(post(begin, context, body))
    assert (begun["status"], begun["source"], begun["name"]) == ("InProgress", str(gguf), "small")
    assert await ask(post(begin, context, body)) == begun
    assert jobs.drain() == 1
    told = await ask(one(context, get("", begun["id"])))
    assert (told["status"], told["step"], told["message"]) == ("Completed", "done", "")
    assert find_model(context.platform, told["model_id"]).short_name == "small"
    assert told["ended_at"] >= told["created_at"]


async def test_what_fails_says_why(context, post, jobs, tmp_path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"no model")
    begun = await ask(post(begin, context, {"source": str(bad)}))
    jobs.drain()
    told = await ask(one(context, get("", begun["id"])))
    assert told["status"] == "Failed"
    assert "bad.gguf" in told["message"] or "GGUF" in told["message"]
    assert told["model_id"] == ""


async def test_pulls_are_listed_chosen_paged_and_each_account_sees_its_own(context, post, jobs, gguf, tmp_path):
    ids = []
    for number in range(3):
        copy = tmp_path / f"copy{number}.gguf"
        copy.write_bytes(gguf.read_bytes())
        ids.append((await ask(post(begin, context, {"source": str(copy)})))["id"])
    told = await ask(pulls(context, get("limit=2")))
    assert [each["id"] for each in told["pulls"]] == [ids[2], ids[1]]
    told = await ask(pulls(context, get(f"limit=2&after={told['next']}")))
    assert [each["id"] for each in told["pulls"]] == [ids[0]]
    assert "next" not in told
    assert (await ask(pulls(context, get("status=Failed"))))["pulls"] == []
    other = replace(context, account="999999999999")
    assert (await ask(pulls(other, get())))["pulls"] == []
    with pytest.raises(NotFound, match="no pull"):
        await one(other, get("", ids[0]))
    with pytest.raises(InvalidRequest, match="limit"):
        await pulls(context, get("limit=1000"))


async def test_one_that_has_not_begun_is_stopped_at_once(context, post, jobs, gguf):
    begun = await ask(post(begin, context, {"source": str(gguf)}))
    stopped = await ask(post(stop, context, {}, begun["id"]))
    assert stopped["status"] == "Stopped"
    assert jobs.drain() == 0
    # The same wish begins anew.
    again = await ask(post(begin, context, {"source": str(gguf)}))
    assert again["id"] != begun["id"]
    jobs.drain()
    assert (await ask(one(context, get("", again["id"]))))["status"] == "Completed"
    assert (await ask(post(stop, context, {}, again["id"])))["status"] == "Completed"


def test_one_that_fetches_leaves_between_two_pieces(monkeypatch):
    monkeypatch.setattr("rocamadre.catalog.pulls._LOOK_EVERY_S", -1.0)
    look = _watcher(lambda: True)
    look(Progress("check"))
    with pytest.raises(RunStopped):
        look(Progress("fetch", "a", 1, 2))


@pytest.mark.parametrize(
    "body", [{}, {"source": 3}, {"source": "x/y", "more": 1}, {"source": "x/y", "kind": "Q9"}, b"{"]
)
async def test_what_cannot_be_meant_is_refused(context, post, body):
    with pytest.raises(InvalidRequest):
        await post(begin, context, body)


@pytest.mark.parametrize("source", ["/etc/passwd", "./model", "../x/y", "~/model", "C:\\x", "a b/c", "hf:/etc/passwd"])
async def test_where_keys_are_wanted_no_path_is_looked_at(make_context, post, source):
    context = make_context(server={"auth": "required"})
    with pytest.raises((AccessDenied, InvalidRequest)) as caught:
        await post(begin, context, {"source": source})
    assert "OWNER/NAME" in caught.value.message


async def test_where_keys_are_wanted_a_name_is_a_repository(make_context, post, tmp_path, monkeypatch):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    context = make_context(server={"auth": "required"})
    assert (await ask(post(begin, context, {"source": "owner/name"})))["source"] == "hf:owner/name"
    assert json.loads((await pulls(context, get())).body)["pulls"][0]["status"] == "InProgress"
