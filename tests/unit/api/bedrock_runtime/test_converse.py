import pytest

from rocamadre.api.bedrock_runtime.converse import converse
from rocamadre.core.errors import InvalidRequest, ModelFailure, NotBuilt, Throttled
from rocamadre.core.messages import (
    Document,
    Finish,
    Message,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    ToolUseDelta,
    ToolUseEnd,
    ToolUseStart,
    Usage,
)


def ask(*content, **more):
    return {"modelId": "amazon.nova-lite-v1:0", "messages": [{"role": "user", "content": list(content)}], **more}


def turn(role, text):
    return {"role": role, "content": [{"text": text}]}


async def test_answer(context, engine):
    response = await converse(context, ask({"text": "Hi"}))
    assert response["output"] == {"message": {"role": "assistant", "content": [{"text": "Hello world"}]}}
    assert response["stopReason"] == "end_turn"
    assert response["usage"] == {
        "inputTokens": 7,
        "outputTokens": 2,
        "totalTokens": 9,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }
    assert response["metrics"]["latencyMs"] >= 0
    assert "additionalModelResponseFields" not in response
    assert context.reply_headers == {"x-rocamadre-model": "rocamadre.fake-v1:0"}
    assert context.notes == {"model": "rocamadre.fake-v1:0", "input_tokens": 7, "output_tokens": 2}
    assert engine.closed == 1
    text = context.platform.metrics.render()
    assert b'rocamadre_input_tokens_total{model="rocamadre.fake-v1:0"} 7.0' in text
    assert b'rocamadre_output_tokens_total{model="rocamadre.fake-v1:0"} 2.0' in text
    assert b'rocamadre_first_token_seconds_count{model="rocamadre.fake-v1:0"} 1.0' in text


async def test_own_id_is_no_alias(context):
    await converse(context, ask({"text": "Hi"}) | {"modelId": "rocamadre.fake-v1:0"})
    assert context.reply_headers == {}


async def test_what_the_engine_is_asked(context, engine):
    await converse(
        context,
        {
            "modelId": "rocamadre.fake-v1:0",
            "system": [{"text": "Be brief."}, {"text": "Be kind."}],
            "messages": [turn("user", "One"), turn("assistant", "Two"), turn("user", "Three")],
            "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.8, "stopSequences": ["END"]},
            "additionalModelRequestFields": {
                "topK": 5,
                "min_p": 0.1,
                "seed": 3,
                "repetition_penalty": 1.1,
                "frequency_penalty": 0.2,
                "presence_penalty": -0.2,
                "min_tokens": 2,
            },
        },
    )
    asked = engine.asked[0]
    assert asked.system == "Be brief.\n\nBe kind."
    assert asked.messages == (
        Message("user", (Text("One"),)),
        Message("assistant", (Text("Two"),)),
        Message("user", (Text("Three"),)),
    )
    assert asked.sampling == Sampling(
        max_tokens=9,
        min_tokens=2,
        temperature=0.5,
        top_p=0.8,
        top_k=5,
        min_p=0.1,
        seed=3,
        stop=("END",),
        repetition_penalty=1.1,
        frequency_penalty=0.2,
        presence_penalty=-0.2,
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"top_k": 7}, Sampling(top_k=7)),
        ({"k": 7}, Sampling(top_k=7)),
        ({"inferenceConfig": {"topK": 7}}, Sampling(top_k=7)),
        ({"greedy": True}, Sampling(temperature=0.0)),
        ({"greedy": False}, Sampling()),
        ({"thinking": {"type": "disabled"}}, Sampling()),
    ],
)
async def test_additional_fields(context, engine, fields, expected):
    await converse(context, ask({"text": "Hi"}, additionalModelRequestFields=fields))
    assert engine.asked[0].sampling == expected


async def test_top_p_of_zero_is_greedy(context, engine):
    await converse(context, ask({"text": "Hi"}, inferenceConfig={"topP": 0, "temperature": 1}))
    assert engine.asked[0].sampling.temperature == 0
    assert engine.asked[0].sampling.top_p is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"colour": 1}, r"#: extraneous key \[colour\] is not permitted"),
        ({"top_k": "many"}, "#/top_k: expected type: Integer, found: String"),
        ({"min_p": 1.5}, "#/min_p: 1.5 is not less or equal to 1"),
        ({"seed": True}, "#/seed: expected type: Integer, found: Boolean"),
        ("top_k", "#: expected type: JSONObject, found: String"),
    ],
)
async def test_additional_fields_refused(context, engine, fields, sentence):
    with pytest.raises(InvalidRequest, match=f"Malformed input request: {sentence}, please reformat"):
        await converse(context, ask({"text": "Hi"}, additionalModelRequestFields=fields))
    assert engine.asked == []


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        ([], "The messages field is empty"),
        ([turn("assistant", "a")], "A conversation must start with a user message"),
        ([turn("user", "a"), turn("user", "b")], "must alternate between user and assistant roles"),
        ([turn("user", "a"), turn("assistant", "b")], "A conversation must end with a user message"),
        ([turn("user", " \n")], "The text field in the ContentBlock object at messages.0.content.0 is blank"),
        ([{"role": "user", "content": []}], "The content field in the Message object at messages.0 is empty"),
        ([{"role": "user", "content": [{}]}], "The ContentBlock object at messages.0.content.0 must set exactly one"),
        ([{"role": "user", "content": [{"text": "a"}, {"text": ""}]}], "messages.0.content.1 is blank"),
    ],
)
async def test_turn_rules(context, messages, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        await converse(context, {"modelId": "rocamadre.fake-v1:0", "messages": messages})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("promptVariables", {"a": {"text": "b"}}),
        ("outputConfig", {"effort": "low"}),
    ],
)
async def test_later_members_are_refused_by_name(context, member, value):
    with pytest.raises(NotBuilt, match=member):
        await converse(context, ask({"text": "Hi"}, **{member: value}))


@pytest.mark.parametrize(
    "block",
    [
        {"toolAddition": {"tool": {"name": "x"}}},
        {"citationsContent": {}},
    ],
)
async def test_later_blocks_are_refused_by_name(context, block):
    with pytest.raises(NotBuilt, match=rf"messages.0.content.1.{next(iter(block))}"):
        await converse(context, ask({"text": "Hi"}, block))


async def test_later_system_blocks_are_refused(context):
    image = {"guardContent": {"image": {"format": "png", "source": {"bytes": b"x"}}}}
    with pytest.raises(NotBuilt, match=r"system\.0\.guardContent"):
        await converse(context, ask({"text": "Hi"}, system=[image]))


@pytest.mark.parametrize("kind", ["image", "video", "audio"])
async def test_absent_modalities(context, kind):
    block = {kind: {"format": "x", "source": {"bytes": b"123"}}}
    with pytest.raises(InvalidRequest, match=f"doesn't support the {kind} content block"):
        await converse(context, ask({"text": "Look"}, block))


def document(data=b"a,b\n1,2", form="csv", name="prices", **more):
    return {"document": {"format": form, "name": name, "source": {"bytes": data}, **more}}


async def test_documents_become_text(context, engine):
    await converse(
        context,
        ask(
            document(),
            document(b"<p>caf\xc3\xa9</p><script>x</script>", "html", "page (1)"),
            {"document": {"name": "note", "source": {"text": "As text."}}},
            {"document": {"name": "parts", "source": {"content": [{"text": "a"}, {"text": "b"}]}}},
            {"text": "Sum up"},
        ),
    )
    assert engine.asked[0].messages[0].content == (
        Document("prices", "a,b\n1,2"),
        Document("page (1)", "café"),
        Document("note", "As text."),
        Document("parts", "a\n\nb"),
        Text("Sum up"),
    )


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        (document(form="doc"), "doc"),
        (document(b"\x00\x01"), "binary file"),
        (document(b"x" * 4_718_593), "at most 4718592 are taken"),
        (document(b"  \n"), "holds no text"),
        (document(name="a.b"), "can only contain alphanumeric characters"),
        (document(name="é"), "can only contain alphanumeric characters"),
        (document(name="a\tb"), "can only contain alphanumeric characters"),
        (document(name="a  b"), "more than one consecutive whitespace"),
        (document(citations={"enabled": True}), "citations"),
        (document(context="c"), "context"),
        ({"document": {"name": "a", "source": {"bytes": b"x"}}}, "format is missing"),
        ({"document": {"name": "a", "format": "txt", "source": {"s3Location": {"uri": "s3://abc/b"}}}}, "no bucket"),
    ],
)
async def test_documents_refused(context, block, sentence):
    with pytest.raises((InvalidRequest, NotBuilt), match=sentence):
        await converse(context, ask(block, {"text": "Sum up"}))


async def test_a_document_s_name_may_have_underscores(context, engine):
    await converse(context, ask(document(name="Document_1 (a)-[b]_csv"), {"text": "Sum up"}))
    assert engine.asked[0].messages[0].content[0].name == "Document_1 (a)-[b]_csv"


async def test_document_needs_text_beside_it(context):
    with pytest.raises(InvalidRequest, match="needs a text block too"):
        await converse(context, ask(document()))


async def test_at_most_five_documents(context):
    with pytest.raises(InvalidRequest, match="6 documents; at most 5"):
        await converse(context, ask({"text": "x"}, *(document(name=f"d {n}") for n in range(6))))


async def test_stop_sequence_in_response_fields(context, engine):
    engine.events = (TextDelta("a"), Finish("stop_sequence", Usage(1, 2), "END"))
    response = await converse(
        context, ask({"text": "Hi"}, additionalModelResponseFieldPaths=["/stop_sequence", "/other"])
    )
    assert response["additionalModelResponseFields"] == {"stop_sequence": "END"}
    assert response["stopReason"] == "stop_sequence"


@pytest.mark.parametrize("path", ["", "/", "stop_sequence"])
async def test_bad_pointers(context, path):
    with pytest.raises(InvalidRequest, match="not a valid JSON Pointer"):
        await converse(context, ask({"text": "Hi"}, additionalModelResponseFieldPaths=[path]))


async def test_blocks_of_an_answer_keep_their_order(context, engine):
    engine.events = (
        ReasoningDelta("Hm"),
        ReasoningDelta("m"),
        TextDelta("Let me "),
        TextDelta("look."),
        ToolUseStart("t1", "weather"),
        ToolUseDelta('{"city":'),
        ToolUseDelta('"Sucre"}'),
        ToolUseEnd(),
        Finish("tool_use", Usage(1, 9, 3, 4)),
    )
    response = await converse(context, ask({"text": "Hi"}))
    assert response["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hmm"}}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "t1", "name": "weather", "input": {"city": "Sucre"}}},
    ]
    # What the engine remembered is input like the rest: nobody placed a cache point.
    assert response["usage"] == {
        "inputTokens": 8,
        "outputTokens": 9,
        "totalTokens": 17,
        "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 0,
    }
    assert context.notes["input_tokens"] == 8


async def test_reasoning_comes_back(context, engine):
    messages = [
        turn("user", "a"),
        {"role": "assistant", "content": [{"reasoningContent": {"reasoningText": {"text": "Hm"}}}, {"text": "b"}]},
        turn("user", "c"),
    ]
    await converse(context, {"modelId": "rocamadre.fake-v1:0", "messages": messages})
    assert engine.asked[0].messages[1].content == (Reasoning("Hm"), Text("b"))


async def test_empty_answer_still_has_a_first_block(context, engine):
    engine.events = (Finish("end_turn", Usage(3, 0)),)
    response = await converse(context, ask({"text": "Hi"}))
    assert response["output"]["message"]["content"] == [{"text": ""}]


@pytest.mark.parametrize("events", [(), (TextDelta("a"),), (TextDelta("a"), ModelFailure("died"))])
async def test_answers_that_break_off_are_errors(context, engine, events):
    engine.events = events
    with pytest.raises(ModelFailure):
        await converse(context, ask({"text": "Hi"}))
    assert engine.running == 0


async def test_embedding_models_do_not_converse(context):
    with pytest.raises(InvalidRequest, match="doesn't support the model that you provided"):
        await converse(context, ask({"text": "Hi"}) | {"modelId": "amazon.titan-embed-text-v2:0"})


async def test_metadata_keys_are_noted_without_values(context):
    await converse(context, ask({"text": "Hi"}, requestMetadata={"team": "secret", "app": "x"}))
    assert context.notes["request_metadata"] == "app,team"
    assert "secret" not in str(context.notes)


async def test_tokens_per_minute(make_context):
    context = make_context(limits={"tokens_per_minute": 20})
    await converse(context, ask({"text": "Hi"}))
    await converse(context, ask({"text": "Hi"}))
    await converse(context, ask({"text": "Hi"}))  # 2 of 20 were left: it is let in and pays 9.
    with pytest.raises(Throttled, match="more than 20 tokens per minute") as caught:
        await converse(context, ask({"text": "Hi"}))
    assert 20 < caught.value.retry_after_s < 30
    assert b'rocamadre_throttled_total{reason="tokens_per_minute"} 1.0' in context.platform.metrics.render()


@pytest.mark.parametrize("events", [(ModelFailure("died"),), (TextDelta("a"), ModelFailure("died"))])
async def test_failed_generations_cost_nothing(make_context, engine, events):
    context = make_context(limits={"tokens_per_minute": 20})
    engine.events = events
    for _ in range(5):
        with pytest.raises(ModelFailure):
            await converse(context, ask({"text": "Hi"}))
