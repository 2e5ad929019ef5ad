from __future__ import annotations

import pytest

from rocamadre.catalog.errors import UnknownModel
from rocamadre.catalog.families import families, find_family
from rocamadre.catalog.operations import get_model, list_models, resolve
from rocamadre.catalog.tables import ALIASES
from rocamadre.core.errors import InvalidRequest, NotBuilt, NotFound

MINI = "rocamadre.roca-mini-v1:0"
HERE = "arn:aws:bedrock:us-east-1:123456789012"


@pytest.mark.parametrize(
    "model_id",
    [
        MINI,
        "roca-mini",
        f"us.{MINI}",
        f"{MINI}:128k",
        f"arn:aws:bedrock:us-east-1::foundation-model/{MINI}",
        f"{HERE}:inference-profile/global.{MINI}",
    ],
)
def test_our_own_ids_are_no_aliases(ctx, model_id):
    resolved = resolve(ctx, model_id)
    assert (resolved.requested, resolved.base_id, resolved.model.id) == (model_id, MINI, MINI)
    assert not resolved.aliased


@pytest.mark.parametrize(
    ("model_id", "base_id"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0"),
        ("us.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite-v1:0"),
        ("amazon.nova-pro-v1:0:300k", "amazon.nova-pro-v1:0"),
        ("amazon.titan-text-express-v1", "amazon.titan-text-express-v1"),
        ("apac.anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("anthropic.claude-v2:1:200k", "anthropic.claude-v2:1"),
        ("us-gov.anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("jp.anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("us.meta.llama3-1-70b-instruct-v1:0:128k", "meta.llama3-1-70b-instruct-v1:0"),
        ("mistral.mixtral-8x7b-instruct-v0:1", "mistral.mixtral-8x7b-instruct-v0:1"),
        ("cohere.command-r-plus-v1:0", "cohere.command-r-plus-v1:0"),
        ("ai21.jamba-1-5-mini-v1:0", "ai21.jamba-1-5-mini-v1:0"),
        ("us.deepseek.r1-v1:0", "deepseek.r1-v1:0"),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0"),
        ("qwen.qwen3-32b-v1:0", "qwen.qwen3-32b-v1:0"),
        ("us.writer.palmyra-x5-v1:0", "writer.palmyra-x5-v1:0"),
        (f"{HERE}:inference-profile/eu.amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0"),
        ("arn:aws:bedrock:eu-west-1::foundation-model/meta.llama3-8b-instruct-v1:0", "meta.llama3-8b-instruct-v1:0"),
    ],
)
def test_ids_of_known_text_families_run_on_the_default_model(ctx, model_id, base_id):
    resolved = resolve(ctx, model_id)
    assert (resolved.requested, resolved.base_id, resolved.model.id) == (model_id, base_id, MINI)
    assert resolved.aliased


@pytest.mark.parametrize(
    "model_id",
    [
        "amazon.titan-embed-text-v1",
        "amazon.titan-embed-text-v2:0:8k",
        "cohere.embed-english-v3:0:512",
        "amazon.titan-embed-image-v1",
        "amazon.nova-2-multimodal-embeddings-v1:0",
        "us.twelvelabs.marengo-embed-3-0-v1:0",
        "cohere.rerank-v3-5:0",
        "amazon.rerank-v1:0",
    ],
)
def test_embedding_families_run_on_the_default_embedder(make_context, minilm, model_id):
    resolved = resolve(make_context(), model_id)
    assert resolved.model.embeds
    assert resolved.model.short_name == "minilm"
    assert resolved.base_id == model_id.removeprefix("us.").removesuffix(":8k").removesuffix(":512")


def test_rerankers_run_on_the_setting_of_their_own(make_context, minilm):
    context = make_context(default_reranker="fake-embed")
    assert resolve(context, "cohere.rerank-v3-5:0").model.short_name == "fake-embed"
    assert resolve(context, "cohere.embed-english-v3").model.short_name == "minilm"
    with pytest.raises(InvalidRequest, match=r"default_reranker names rocamadre\.fake-v1:0"):
        resolve(make_context(default_reranker="fake"), "cohere.rerank-v3-5:0")


@pytest.mark.parametrize(
    ("model_id", "needs"),
    [
        ("amazon.nova-canvas-v1:0", "image generation"),
        ("us.amazon.nova-reel-v1:1", "video generation"),
        ("amazon.nova-sonic-v1:0", "speech"),
        ("stability.sd3-5-large-v1:0", "image generation"),
        ("twelvelabs.pegasus-1-2-v1:0", "video understanding"),
    ],
)
def test_absent_modalities_are_refused_with_what_exists(ctx, model_id, needs):
    with pytest.raises(UnknownModel, match=rf"needs {needs}, which no model here has; there are: {MINI}"):
        resolve(ctx, model_id)


def test_an_unknown_id_is_refused_with_what_exists(ctx):
    with pytest.raises(UnknownModel) as caught:
        resolve(ctx, "acme.rocket-v1:0")
    assert caught.value.message.startswith("The provided model identifier is invalid.")
    assert MINI in caught.value.message
    assert "meta.llama*" in caught.value.message
    assert caught.value.codes[0] == "ValidationException"


@pytest.mark.parametrize(
    "arn",
    [
        f"{HERE}:prompt/ABCDEFGHIJ:1",
        "arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
    ],
)
def test_kinds_that_come_later_say_so(ctx, arn):
    with pytest.raises(NotBuilt, match="yet; give a model id"):
        resolve(ctx, arn)


@pytest.mark.parametrize(
    "resource",
    [
        "provisioned-model/abcdefabcdef",
        "custom-model/amazon.nova-lite-v1/abcdefabcdef",
        "custom-model-deployment/abcdefabcdef",
        "imported-model/abcdefabcdef",
    ],
)
def test_what_an_account_does_not_have_is_refused(ctx, resource):
    with pytest.raises(UnknownModel, match=f"No {resource.partition('/')[0].replace('-', ' ')}"):
        resolve(ctx, f"{HERE}:{resource}")


@pytest.mark.parametrize("arn", ["arn:aws:bedrock:us-east-1:123456789012:guardrail/abc", "arn:aws:s3:::bucket"])
def test_an_arn_of_something_else_is_refused(ctx, arn):
    with pytest.raises(UnknownModel, match="no ARN of a model"):
        resolve(ctx, arn)


def test_half_an_arn_is_refused(ctx):
    with pytest.raises(InvalidRequest, match="is not an ARN"):
        resolve(ctx, "arn:aws:bedrock")


def test_settings_aliases_win_over_the_table_but_not_over_a_real_name(make_context):
    ctx = make_context(aliases={"amazon.nova-*": "fake", "amazon.nova-lite-v1:0": MINI, MINI: "fake", "gpt-4o": "fake"})
    assert resolve(ctx, "us.amazon.nova-pro-v1:0").model.short_name == "fake"
    assert resolve(ctx, "amazon.nova-lite-v1:0").model.id == MINI
    assert resolve(ctx, MINI).model.id == MINI
    assert resolve(ctx, "gpt-4o").aliased


def test_an_alias_to_a_model_that_is_not_here_says_which(make_context):
    ctx = make_context(aliases={"gpt-4o": "absent"})
    with pytest.raises(UnknownModel, match="'gpt-4o' is an alias of 'absent', and that model is not here"):
        resolve(ctx, "gpt-4o")


def test_a_family_whose_default_is_not_here_names_the_setting(ctx):
    with pytest.raises(UnknownModel, match=r"catalog\.default_embedder.*'rocamadre.minilm-l6-v2:0'.*not here"):
        resolve(ctx, "amazon.titan-embed-text-v2:0")


def test_a_default_of_the_wrong_kind_is_refused(make_context):
    with pytest.raises(InvalidRequest, match="does not make embedding"):
        resolve(make_context(default_embedder=MINI), "amazon.titan-embed-text-v2:0")


def test_the_model_is_listed_only_when_its_file_is_there(make_context, models_folder):
    (models_folder / "roca-mini" / "roca-mini-q8_0.gguf").unlink()
    ctx = make_context()
    assert [model.source for model in list_models(ctx)] == ["fake", "fake"]
    with pytest.raises(UnknownModel, match="not here"):
        resolve(ctx, MINI)


def test_facts_of_the_embedded_model_come_from_its_file_and_card(ctx):
    model = get_model(ctx, MINI)
    assert (model.context_length, model.parameters) == (1024, 8 * 16 + 8)
    assert model.size_bytes == model.path.stat().st_size
    assert (model.licence, model.languages) == ("apache-2.0", ("en", "es", "pt"))


def test_a_damaged_embedded_file_hides_that_model_alone(make_context, models_folder, caplog):
    (models_folder / "roca-mini" / "roca-mini-q8_0.gguf").write_bytes(b"GGUF damaged")
    assert [model.source for model in list_models(make_context())] == ["fake", "fake"]
    assert "catalog.embedded_damaged" in caplog.text


def test_the_embedder_is_listed_once_it_is_ready(make_context, minilm):
    ctx = make_context()
    model = get_model(ctx, "minilm")
    assert (model.dimensions, model.context_length, model.size_bytes, model.parameters) == (384, 256, 100, 3840)
    assert (model.licence, model.languages) == ("apache-2.0", ("en",))
    (minilm / "ready.json").unlink()
    ctx.platform.clock.advance(1.1)
    with pytest.raises(NotFound):
        get_model(ctx, "minilm")


def test_get_model_takes_no_alias(ctx):
    assert get_model(ctx, f"arn:aws:bedrock:us-east-1::foundation-model/{MINI}").id == MINI
    with pytest.raises(NotFound, match="Could not resolve the foundation model") as caught:
        get_model(ctx, "amazon.nova-lite-v1:0")
    assert caught.value.codes[0] == "ResourceNotFoundException"


def test_a_change_by_another_process_is_seen_after_a_second(ctx):
    assert resolve(ctx, "amazon.nova-lite-v1:0").model.id == MINI
    with ctx.platform.sql.begin() as tx:
        tx.execute(ALIASES.insert().values(pattern="amazon.nova-*", model_id="fake", created_at=""))
    ctx.platform.clock.advance(0.5)
    assert resolve(ctx, "amazon.nova-lite-v1:0").model.id == MINI
    ctx.platform.clock.advance(0.6)
    assert resolve(ctx, "amazon.nova-lite-v1:0").model.short_name == "fake"


def test_every_family_is_reachable():
    for family in families():
        for pattern in family.patterns:
            assert find_family(pattern.replace("*", "x-v1:0")) is family, pattern


def test_resolving_again_remembers(ctx):
    first = resolve(ctx, "us.amazon.nova-lite-v1:0")
    assert resolve(ctx, "us.amazon.nova-lite-v1:0") is first
