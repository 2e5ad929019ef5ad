from __future__ import annotations

import sys

import pytest

from rocamadre.cli import models, output
from rocamadre.cli.session import Session
from rocamadre.cli.store import local_host
from rocamadre.customization.cards import write_model_card
from rocamadre.testing.models import OwnModels


def test_list_and_show(roca):
    listed = {model["short_name"]: model for model in roca("models", "list", "--json").json}
    assert {"fake", "fake-embed"} <= set(listed)
    assert "rocamadre.fake-v1:0" in roca("models", "list").out
    assert roca("models", "show", "fake", "--json").json["id"] == "rocamadre.fake-v1:0"
    assert "TEXT" in roca("models", "show", "fake").out
    assert roca("models", "show", "nope").code == 4


def test_models_of_accounts(roca, home):
    with local_host(Session(home)) as host:
        mine = OwnModels(host)
        arn, imported = mine.custom("harbour"), mine.imported("brought")
        theirs = OwnModels(host, account="210987654321").custom("harbour")
        write_model_card(host.sql, home / "models", arn)
    listed = {model["id"]: model for model in roca("models", "list", "--json").json}
    assert (listed[arn]["account"], listed[theirs]["account"]) == ("123456789012", "210987654321")
    assert listed[imported]["source"] == "imported"
    assert "brought" in roca("models", "list").out
    shown = roca("models", "show", arn)
    assert shown.out.startswith("# harbour\n")
    assert "- loss: 0.5" in shown.out
    assert roca("models", "show", arn, "--json").json["facts"]["method"] == "lora"
    ambiguous = roca("models", "rm", "harbour")
    assert (ambiguous.code, theirs in ambiguous.err) == (1, True)
    assert roca("models", "rm", theirs).code == 0
    assert roca("models", "rm", "harbour", "--json").json == {"id": arn}
    assert roca("models", "rm", "brought").code == 0
    assert not list((home / "models").glob("*-*"))


def test_aliases(roca):
    assert "anthropic.claude-*" in roca("models", "alias").out
    assert roca("models", "alias", "my.*", "fake").code == 0
    assert {"pattern": "my.*", "model_id": "rocamadre.fake-v1:0", "source": "command", "note": ""} in roca(
        "models", "alias", "--json"
    ).json
    assert roca("models", "alias", "my.*", "--remove").code == 0
    assert roca("models", "alias", "my.*", "--remove").code == 4
    assert roca("models", "alias", "x", "nope").code == 4
    assert roca("models", "alias", "x").code == 2
    assert roca("models", "alias", "--remove").code == 2


def test_remote_and_rm(roca):
    added = roca("models", "remote", "big", "llama", "--base-url", "http://127.0.0.1:9/v1", "--json").json
    assert added["options"] == {"protocol": "openai", "model": "llama", "base_url": "http://127.0.0.1:9/v1"}
    assert roca("models", "remote", "bad", "llama").code == 1
    assert roca("models", "rm", "big").code == 0
    assert roca("models", "rm", "big").code == 4
    refused = roca("models", "rm", "fake")
    assert refused.code == 1
    assert "cannot be removed" in refused.err


def test_a_pull_that_cannot_be_is_told(roca, tmp_path):
    (tmp_path / "not.gguf").write_bytes(b"nothing")
    result = roca("models", "pull", str(tmp_path / "not.gguf"))
    assert result.code == 1
    assert result.err.count("\n") <= 3
    assert "Traceback" not in result.err


def test_a_failed_preparation_is_told(roca, monkeypatch):
    monkeypatch.setattr(models, "sys", type("Other", (), {"executable": "/bin/false"}))
    assert roca("models", "prepare").code == 1


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_plain_without_a_terminal(monkeypatch, capfd, terminal):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with output.progress("pulling x") as bar:
        bar(5, 10)
        bar(5, 10)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert ("━" in captured.err) is terminal
    assert "pulling x" in captured.err
