import json

import pytest

from rocamadre.api.bedrock_runtime.count_tokens import count_tokens
from rocamadre.api.bedrock_runtime.invoke_model import invoke as answer_body
from rocamadre.api.bedrock_runtime.invoke_model import invoke_model, invoke_model_with_response_stream
from rocamadre.api.inference.generation import resolve_model
from rocamadre.core.errors import InvalidRequest, ModelFailure, Throttled
from rocamadre.core.messages import Finish, TextDelta, Usage

LLAMA = "meta.llama3-8b-instruct-v1:0"
TITAN_EMBED = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-english-v3"


def request(model, body, **more):
    return {"modelId": model, "body": body if isinstance(body, bytes) else json.dumps(body).encode(), **more}


async def invoke(context, model, body, **more):
    response = await invoke_model(context, request(model, body, **more))
    assert response["contentType"] == "application/json"
    return json.loads(response["body"])


async def chunks(context, model, body):
    response = await invoke_model_with_response_stream(context, request(model, body))
    return [json.loads(event["chunk"]["bytes"]) async for event in response["body"]]


async def test_answer_and_headers(context):
    body = await invoke(context, LLAMA, {"prompt": "Hi"})
    assert body == {
        "generation": "Hello world",
        "prompt_token_count": 7,
        "generation_token_count": 2,
        "stop_reason": "stop",
    }
    assert int(context.reply_headers.pop("x-amzn-bedrock-invocation-latency")) >= 0
    assert context.reply_headers == {
        "x-rocamadre-model": "rocamadre.fake-v1:0",
        "x-amzn-bedrock-input-token-count": "7",
        "x-amzn-bedrock-output-token-count": "2",
        "x-amzn-bedrock-cache-read-input-token-count": "0",
        "x-amzn-bedrock-cache-write-input-token-count": "0",
    }


async def test_stream_ends_with_the_metrics(context, engine):
    events = await chunks(context, LLAMA, {"prompt": "Hi"})
    metrics = events[-1].pop("amazon-bedrock-invocationMetrics")
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (7, 2)
    assert metrics["invocationLatency"] >= metrics["firstByteLatency"] >= 0
    assert all("amazon-bedrock-invocationMetrics" not in event for event in events)
    assert "".join(event["generation"] for event in events) == "Hello world"
    assert context.notes["output_tokens"] == 2
    assert engine.closed == 1


async def test_stream_counts_the_prompt_first_where_its_format_says_it_first(context, engine):
    events = await chunks(context, LLAMA, {"prompt": "one two three"})
    counted, generated = engine.asked
    assert counted == generated
    assert events[0]["prompt_token_count"] == (await engine.render(counted)).token_ids.__len__()


async def test_early_and_late_errors_of_streams(context, engine):
    engine.events = (ModelFailure("died"),)
    with pytest.raises(ModelFailure):
        await chunks(context, LLAMA, {"prompt": "Hi"})
    engine.events = (TextDelta("a"), ModelFailure("died"))
    response = await invoke_model_with_response_stream(context, request(LLAMA, {"prompt": "Hi"}))
    assert json.loads((await anext(response["body"]))["chunk"]["bytes"])["generation"] == "a"
    with pytest.raises(ModelFailure):
        await anext(response["body"])
    await response["body"].aclose()
    assert engine.running == 0


async def test_what_the_engine_remembered_is_input(context, engine):
    engine.events = (TextDelta("a"), Finish("end_turn", Usage(2, 1, 5)))
    assert (await invoke(context, LLAMA, {"prompt": "Hi"}))["prompt_token_count"] == 7
    assert context.reply_headers["x-amzn-bedrock-input-token-count"] == "7"
    assert (await chunks(context, LLAMA, {"prompt": "Hi"}))[-1]["amazon-bedrock-invocationMetrics"][
        "inputTokenCount"
    ] == 7


async def test_an_answer_without_text_is_one_chunk(context, engine):
    engine.events = (Finish("end_turn", Usage(3, 0)),)
    events = await chunks(context, "mistral.mistral-7b-instruct-v0:2", {"prompt": "Hi"})
    assert [event["outputs"] for event in events] == [[{"text": "", "stop_reason": "stop"}]]


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b'{"prompt": NaN}', b"[" * 100_000])
async def test_bodies_that_are_no_json(context, data):
    with pytest.raises(InvalidRequest, match=r"^Malformed input request, please reformat your input and try again\.$"):
        await invoke_model(context, request(LLAMA, data))


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/json; charset=utf-8", "text/plain, */*;q=0.8"]
)
@pytest.mark.parametrize("content_type", [None, "application/json", "binary/octet-stream"])
async def test_headers_taken(context, accept, content_type):
    assert await invoke(context, LLAMA, {"prompt": "Hi"}, accept=accept, contentType=content_type)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"accept": "text/plain"}, InvalidRequest),
        ({"contentType": "text/html"}, InvalidRequest),
        ({"guardrailIdentifier": "abc"}, InvalidRequest),
        ({"guardrailVersion": "1"}, InvalidRequest),
        ({"requestMetadata": "[]"}, InvalidRequest),
    ],
)
async def test_headers_refused(context, headers, error):
    with pytest.raises(error):
        await invoke(context, LLAMA, {"prompt": "Hi"}, **headers)
    with pytest.raises(error):
        await invoke_model_with_response_stream(context, request(LLAMA, {"prompt": "Hi"}, **headers))


async def test_images_are_refused_by_the_model(context):
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAEC"}}
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [block]}],
    }
    with pytest.raises(InvalidRequest, match="doesn't support the image content block"):
        await invoke(context, "anthropic.claude-3-haiku-20240307-v1:0", body)


async def test_local_ids_take_chat_and_prompts(context):
    chat = await invoke(context, "rocamadre.fake-v1:0", {"messages": [{"role": "user", "content": "Hi"}]})
    assert chat["choices"][0]["message"]["content"] == "Hello world"
    prompt = await invoke(context, "fake", {"prompt": "Hi"})
    assert prompt["generation"] == "Hello world"
    assert "x-rocamadre-model" not in context.reply_headers


async def test_titan_embeddings(context):
    body = await invoke(
        context, TITAN_EMBED, {"inputText": "a b", "dimensions": 512, "embeddingTypes": ["binary", "float"]}
    )
    assert len(body["embedding"]) == 512
    assert body["embeddingsByType"]["float"] == body["embedding"]
    assert body["embeddingsByType"]["binary"] == [int(value > 0) for value in body["embedding"]]
    assert sum(value * value for value in body["embedding"]) == pytest.approx(1, abs=1e-5)
    assert body["inputTextTokenCount"] == 2
    assert context.reply_headers["x-rocamadre-dimension-map"] == "hadamard-384-512-v1"
    assert context.reply_headers["x-amzn-bedrock-input-token-count"] == "2"
    assert "x-amzn-bedrock-output-token-count" not in context.reply_headers


async def test_local_embeddings_keep_their_size(context):
    body = await invoke(context, "rocamadre.fake-embed-v1:0", {"inputText": "a"})
    assert len(body["embedding"]) == 384
    assert "x-rocamadre-dimension-map" not in context.reply_headers


async def test_cohere_embeddings(context):
    body = {"texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["int8", "ubinary"]}
    answer = await invoke(context, COHERE, body)
    assert [len(vector) for vector in answer["embeddings"]["int8"]] == [1024, 1024]
    assert [len(vector) for vector in answer["embeddings"]["ubinary"]] == [128, 128]


LONG = " ".join(f"w{number}" for number in range(30))


async def test_long_texts_are_cut_and_it_is_said(context):
    await invoke(context, TITAN_EMBED, {"inputText": LONG})
    assert context.reply_headers["x-rocamadre-truncated"] == "1"


async def test_long_texts_are_refused_where_the_client_wants_it(context):
    with pytest.raises(InvalidRequest, match="texts at 1 are longer than the model reads, which is 8 tokens"):
        await invoke(context, COHERE, {"texts": ["a", LONG], "input_type": "search_query", "truncate": "NONE"})


async def test_long_texts_are_cut_where_the_client_says_nothing(context):
    await invoke(context, COHERE, {"texts": ["a", LONG], "input_type": "search_query"})
    assert context.reply_headers["x-rocamadre-truncated"] == "1"


async def test_the_start_of_long_texts_can_go(context, engine):
    body = {"texts": ["a", LONG], "input_type": "search_query", "truncate": "START"}
    answer = await invoke(context, COHERE, body)
    last_words = " ".join(LONG.split()[-8:])
    end = await invoke(context, COHERE, {"texts": [last_words], "input_type": "search_query"})
    assert answer["embeddings"][1] == pytest.approx(end["embeddings"][0], abs=1e-6)
    assert len(engine.asked) < 25


@pytest.mark.parametrize("mode", ["END", "START"])
async def test_nova_says_how_much_was_read_of_a_text_that_was_cut(context, mode):
    def body(text):
        params = {"embeddingPurpose": "CLUSTERING", "text": {"truncationMode": mode, "value": text}}
        return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params | {"embeddingDimension": 384}}

    words = LONG.split()
    kept = " ".join(words[:8] if mode == "END" else words[-8:])
    (one,) = (await invoke(context, "amazon.nova-2-multimodal-embeddings-v1:0", body(LONG)))["embeddings"]
    # The space beside the last word that fits is read too.
    assert one["truncatedCharLength"] in (len(kept), len(kept) + 1)
    (other,) = (await invoke(context, "amazon.nova-2-multimodal-embeddings-v1:0", body(kept)))["embeddings"]
    assert "truncatedCharLength" not in other
    assert one["embedding"] == pytest.approx(other["embedding"], abs=1e-6)


async def test_cache_points_make_usage_tell_what_was_cached(context, engine):
    engine.events = (TextDelta("a"), Finish("end_turn", Usage(2, 1, 5, 4)))
    point = {"cachePoint": {"type": "default"}}
    body = {"messages": [{"role": "user", "content": [{"text": "Hi"}, point]}]}
    usage = (await invoke(context, "amazon.nova-lite-v1:0", body))["usage"]
    assert (usage["inputTokens"], usage["cacheReadInputTokenCount"], usage["cacheWriteInputTokenCount"]) == (2, 5, 4)
    assert context.reply_headers["x-amzn-bedrock-cache-read-input-token-count"] == "5"
    metadata = (await chunks(context, "amazon.nova-lite-v1:0", body))[-1]["metadata"]
    assert metadata["usage"]["cacheWriteInputTokenCount"] == 4
    body["messages"][0]["content"].pop()
    assert (await invoke(context, "amazon.nova-lite-v1:0", body))["usage"]["inputTokens"] == 11


async def test_one_body_can_be_answered_without_a_request(context):
    resolved = resolve_model(context, LLAMA)
    assert (await answer_body(context, resolved, {"prompt": "Hi"}))["generation"] == "Hello world"
    with pytest.raises(InvalidRequest, match=r"#: expected type: JSONObject, found: JSONArray"):
        await answer_body(context, resolved, [])


async def test_empty_texts_are_refused(context):
    with pytest.raises(InvalidRequest, match="text 1 is empty"):
        await invoke(context, COHERE, {"texts": ["a", ""], "input_type": "search_query"})


async def test_embedding_models_do_not_stream(context):
    with pytest.raises(InvalidRequest, match="unsupported for streaming"):
        await chunks(context, TITAN_EMBED, {"inputText": "a"})


async def test_embeddings_pay_tokens(make_context):
    context = make_context(limits={"tokens_per_minute": 3})
    await invoke(context, TITAN_EMBED, {"inputText": "a b c d e"})
    with pytest.raises(Throttled):
        await invoke(context, TITAN_EMBED, {"inputText": "a"})


async def test_count_tokens_asks_what_the_call_asks(context, engine):
    converse = {"messages": [{"role": "user", "content": [{"text": "one two"}]}], "system": [{"text": "be brief"}]}
    counted = await count_tokens(context, {"modelId": "amazon.nova-lite-v1:0", "input": {"converse": converse}})
    assert counted["inputTokens"] == len((await engine.render(engine.asked[0])).token_ids)
    assert engine.asked[0].system == "be brief"
    body = json.dumps({"prompt": "one two"}).encode()
    await count_tokens(context, {"modelId": LLAMA, "input": {"invokeModel": {"body": body}}})
    await invoke(context, LLAMA, {"prompt": "one two"})
    assert engine.asked[-1] == engine.asked[-2]


async def test_count_tokens_refuses_embeddings(context):
    with pytest.raises(InvalidRequest, match="counting tokens"):
        await count_tokens(context, {"modelId": TITAN_EMBED, "input": {"invokeModel": {"body": b"{}"}}})
