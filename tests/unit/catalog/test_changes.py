from __future__ import annotations

import pytest

from rocamadre.catalog.changes import RemoteSpec, add_remote, list_aliases, remove_alias, remove_model, set_alias
from rocamadre.catalog.operations import resolve
from rocamadre.core.errors import Conflict, InvalidRequest, NotFound

MINI = "rocamadre.roca-mini-v1:0"


def test_an_alias_by_command(ctx):
    host = ctx.platform
    assert resolve(ctx, "us.amazon.nova-pro-v1:0").model.id == MINI
    alias = set_alias(host, "amazon.nova-*", "fake")
    assert (alias.model_id, alias.source) == ("rocamadre.fake-v1:0", "command")
    assert resolve(ctx, "us.amazon.nova-pro-v1:0").model.short_name == "fake"
    set_alias(host, "amazon.nova-*", "roca-mini")
    assert resolve(ctx, "us.amazon.nova-pro-v1:0").model.id == MINI
    assert alias.pattern in {found.pattern for found in list_aliases(host) if found.source == "command"}
    remove_alias(host, "amazon.nova-*")
    with pytest.raises(NotFound):
        remove_alias(host, "amazon.nova-*")


def test_aliases_are_listed_in_the_order_in_which_they_decide(make_context):
    ctx = make_context(aliases={"gpt-4o": "fake"})
    set_alias(ctx.platform, "my-model", "fake")
    sources = [alias.source for alias in list_aliases(ctx.platform)]
    assert sources[:2] == ["settings", "command"]
    assert set(sources[2:]) == {"built-in"}
    by_pattern = {alias.pattern: alias for alias in list_aliases(ctx.platform)}
    assert by_pattern["amazon.nova-canvas-*"].model_id == ""
    assert "image generation" in by_pattern["amazon.nova-canvas-*"].note


def test_aliases_that_are_refused(make_context):
    host = make_context(aliases={"gpt-4o": "fake"}).platform
    for pattern, model, error in (
        ("gpt-4o", MINI, InvalidRequest),
        ("a b", MINI, InvalidRequest),
        ("roca-mini", "fake", Conflict),
        (MINI, "fake", Conflict),
        ("x", "absent", NotFound),
    ):
        with pytest.raises(error):
            set_alias(host, pattern, model)


def test_embedded_and_fake_models_stay(ctx):
    for name in (MINI, "fake"):
        with pytest.raises(InvalidRequest, match="cannot be removed"):
            remove_model(ctx.platform, name)


def test_a_remote_model(ctx):
    spec = RemoteSpec("GPT 4o", "gpt-4o", base_url="https://models.example/v1/", key_env="MODELS_KEY")
    model = add_remote(ctx.platform, spec)
    assert (model.id, model.short_name, model.engine, model.path) == ("remote.gpt-4o-v1:0", "gpt-4o", "remote", None)
    assert model.options == {
        "protocol": "openai",
        "model": "gpt-4o",
        "base_url": "https://models.example/v1",
        "api_key_env": "MODELS_KEY",
    }
    assert not resolve(ctx, "gpt-4o").aliased
    with pytest.raises(Conflict):
        add_remote(ctx.platform, spec)
    remove_model(ctx.platform, "gpt-4o")
    vectors = add_remote(
        ctx.platform, RemoteSpec("titan", "amazon.titan-embed-text-v2:0", region="us-east-1", dimensions=1024)
    )
    assert vectors.embeds
    assert vectors.options["protocol"] == "bedrock"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"base_url": "https://a/v1", "region": "us-east-1"},
        {"base_url": "ftp://a"},
        {"base_url": "https://user:secret@a/v1"},
        {"region": "moon"},
        {"region": "us-east-1", "key_env": "sk-123 456"},
        {"region": "us-east-1", "context_length": 0},
    ],
)
def test_remote_models_that_are_refused(ctx, wrong):
    with pytest.raises(InvalidRequest):
        add_remote(ctx.platform, RemoteSpec("x", "m", **wrong))
