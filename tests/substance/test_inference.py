"""What the embedded language model does when it is asked, through every door that leads to it."""

from __future__ import annotations

import json
import math
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

MODEL = "rocamadre.roca-mini-v1:0"
QUESTIONS = ("What is a river?", "¿Qué es un río y dónde nace?", "O que é um rio? Ação, coração.", "def f(x): 🌊\n\t1")
GREEDY = {"maxTokens": 24, "temperature": 0}


def user(*texts):
    return [{"role": "user", "content": [{"text": text} for text in texts]}]


def say(runtime, text, model=MODEL, **settings):
    answer = runtime.converse(modelId=model, messages=user(text), inferenceConfig=GREEDY | settings)
    return answer["output"]["message"]["content"][0]["text"], answer["stopReason"], answer["usage"]


def invoke(runtime, model, body):
    return json.loads(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())


@pytest.fixture(scope="module")
def client(address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key="testing", max_retries=0) as found:
        yield found


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_answers_repeat(runtime, question):
    answers = {say(runtime, question)[0] for _ in range(3)}
    assert len(answers) == 1


@pytest.mark.parametrize("question", QUESTIONS)
def test_counted_tokens_are_those_reported(runtime, question):
    document = {"document": {"format": "txt", "name": "note", "source": {"bytes": question.encode() * 5}}}
    conversations = [
        {"messages": user(question)},
        {"messages": user(question), "system": [{"text": "Sé breve."}]},
        {"messages": [*user("a"), {"role": "assistant", "content": [{"text": question}]}, *user("b", question)]},
        {"messages": [{"role": "user", "content": [document, {"text": question}]}]},
    ]
    counts = []
    for asked in conversations:
        counts.append(runtime.count_tokens(modelId=MODEL, input={"converse": asked})["inputTokens"])
        for _ in range(2):  # The second time the engine remembers the prompt; the count stays.
            usage = runtime.converse(modelId=MODEL, inferenceConfig={"maxTokens": 3}, **asked)["usage"]
            assert usage["inputTokens"] == counts[-1]
            assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert counts[0] < min(counts[1:])


FAMILIES = {
    "amazon.nova-lite-v1:0": (
        lambda text: {
            "messages": user(text),
            "inferenceConfig": {"maxTokens": 24, "temperature": 0, "topP": 1},
        },
        lambda answer: answer["output"]["message"]["content"][0]["text"],
        lambda chunks: "".join(
            chunk["contentBlockDelta"]["delta"]["text"] for chunk in chunks if "contentBlockDelta" in chunk
        ),
    ),
    "anthropic.claude-3-haiku-20240307-v1:0": (
        lambda text: {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 24,
            "temperature": 0,
            "messages": [{"role": "user", "content": text}],
        },
        lambda answer: answer["content"][0]["text"],
        lambda chunks: "".join(chunk["delta"]["text"] for chunk in chunks if chunk["type"] == "content_block_delta"),
    ),
    "anthropic.claude-v2:1": (
        lambda text: {
            "prompt": f"\n\nHuman: {text}\n\nAssistant:",
            "max_tokens_to_sample": 24,
            "temperature": 0,
            "top_p": 1,
            "top_k": 0,
        },
        lambda answer: answer["completion"],
        lambda chunks: "".join(chunk["completion"] for chunk in chunks),
    ),
    "meta.llama3-8b-instruct-v1:0": (
        lambda text: {
            "prompt": f"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{text}<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
            "max_gen_len": 24,
            "temperature": 0,
            "top_p": 1,
        },
        lambda answer: answer["generation"],
        lambda chunks: "".join(chunk["generation"] for chunk in chunks),
    ),
    "mistral.mistral-7b-instruct-v0:2": (
        lambda text: {"prompt": f"<s>[INST] {text} [/INST]", "max_tokens": 24, "temperature": 0, "top_p": 1},
        lambda answer: answer["outputs"][0]["text"],
        lambda chunks: "".join(chunk["outputs"][0]["text"] for chunk in chunks),
    ),
    "mistral.mistral-large-2407-v1:0": (
        lambda text: {"messages": [{"role": "user", "content": text}], "max_tokens": 24, "temperature": 0},
        lambda answer: answer["choices"][0]["message"]["content"],
        lambda chunks: "".join(chunk["choices"][0]["message"]["content"] for chunk in chunks),
    ),
    "amazon.titan-text-express-v1": (
        lambda text: {
            "inputText": f"User: {text}\nBot:",
            "textGenerationConfig": {"maxTokenCount": 24, "temperature": 0, "topP": 1},
        },
        lambda answer: answer["results"][0]["outputText"],
        lambda chunks: "".join(chunk["outputText"] for chunk in chunks),
    ),
    "openai.gpt-oss-20b-1:0": (
        lambda text: {"messages": [{"role": "user", "content": text}], "max_tokens": 24, "temperature": 0},
        lambda answer: answer["choices"][0]["message"]["content"],
        lambda chunks: "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks),
    ),
}


@pytest.mark.parametrize("model", FAMILIES)
def test_every_body_format_reaches_the_same_model(runtime, model):
    """Whatever the format, the question goes through the local model's own template, so the answer is the same."""
    write, read, join = FAMILIES[model]
    text, _, usage = say(runtime, QUESTIONS[0])
    body = write(QUESTIONS[0])
    answered = runtime.invoke_model(modelId=model, body=json.dumps(body))
    headers = answered["ResponseMetadata"]["HTTPHeaders"]
    assert read(json.loads(answered["body"].read())) == text
    assert headers["x-rocamadre-model"] == MODEL
    assert int(headers["x-amzn-bedrock-input-token-count"]) == usage["inputTokens"]
    assert int(headers["x-amzn-bedrock-output-token-count"]) == usage["outputTokens"]
    counted = runtime.count_tokens(modelId=model, input={"invokeModel": {"body": json.dumps(body)}})
    assert counted["inputTokens"] == usage["inputTokens"]
    events = runtime.invoke_model_with_response_stream(modelId=model, body=json.dumps(body))["body"]
    chunks = [json.loads(event["chunk"]["bytes"]) for event in events]
    assert join(chunks) == text
    metrics = chunks[-1]["amazon-bedrock-invocationMetrics"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (usage["inputTokens"], usage["outputTokens"])


def test_streams_say_the_same_as_calls(runtime, client):
    text, reason, usage = say(runtime, QUESTIONS[1])
    events = list(runtime.converse_stream(modelId=MODEL, messages=user(QUESTIONS[1]), inferenceConfig=GREEDY)["stream"])
    assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == text
    assert events[-2] == {"messageStop": {"stopReason": reason}}
    assert events[-1]["metadata"]["usage"] == usage
    chat = {"model": MODEL, "messages": [{"role": "user", "content": QUESTIONS[1]}], "temperature": 0, "max_tokens": 24}
    assert client.chat.completions.create(**chat).choices[0].message.content == text
    pieces = client.chat.completions.create(stream=True, **chat)
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == text


def test_stop_sequences_stop_and_are_left_out(runtime):
    text, _, _ = say(runtime, QUESTIONS[0])
    middle = len(text) // 2
    stop = text[middle : middle + 4]
    cut, reason, _ = say(runtime, QUESTIONS[0], stopSequences=["never said, surely", stop])
    assert reason == "stop_sequence"
    assert cut == text[: text.index(stop)] or (cut == "" and text.startswith(stop))


def test_lengths(runtime):
    _, reason, usage = say(runtime, QUESTIONS[0], maxTokens=5)
    assert (reason, usage["outputTokens"]) == ("max_tokens", 5)
    longer = runtime.converse(
        modelId=MODEL,
        messages=user("Hi"),
        inferenceConfig={"maxTokens": 200, "temperature": 0},
        additionalModelRequestFields={"min_tokens": 150},
    )
    assert 150 <= longer["usage"]["outputTokens"] <= 200


def test_seeds(client):
    def ask(seed):
        answer = client.completions.create(model=MODEL, prompt="The", max_tokens=20, temperature=1.5, seed=seed)
        return answer.choices[0].text

    assert ask(1) == ask(1)
    assert len({ask(seed) for seed in range(4)}) > 1
    several = client.completions.create(model=MODEL, prompt="The", max_tokens=20, temperature=1.5, seed=1, n=3)
    assert [choice.text for choice in several.choices] == [ask(1), ask(2), ask(3)]


def test_what_is_picked_can_be_changed(runtime, client):
    answer = client.completions.create(model=MODEL, prompt="The river", max_tokens=8, temperature=0, logprobs=1)
    entry = (
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Hi"}],
            max_tokens=1,
            temperature=0,
            logprobs=True,
            top_logprobs=5,
        )
        .choices[0]
        .logprobs.content[0]
    )
    assert entry.token == entry.top_logprobs[0].token
    assert entry.logprob == pytest.approx(entry.top_logprobs[0].logprob, abs=1e-4)
    assert [top.logprob for top in entry.top_logprobs] == sorted((t.logprob for t in entry.top_logprobs), reverse=True)
    assert sum(math.exp(top.logprob) for top in entry.top_logprobs) <= 1.001
    plain = say(runtime, "Hi", maxTokens=16)[0]
    changed = runtime.converse(
        modelId=MODEL,
        messages=user("Hi"),
        inferenceConfig={"maxTokens": 16, "temperature": 0},
        additionalModelRequestFields={"repetition_penalty": 5.0},
    )["output"]["message"]["content"][0]["text"]
    assert changed != plain
    assert len(answer.choices[0].logprobs.tokens) == 8


def test_echo_scores_the_prompt(client):
    prompt = "El río nace en la montaña."
    scored = client.completions.create(model=MODEL, prompt=prompt, max_tokens=0, echo=True, logprobs=0).choices[0]
    assert scored.text == prompt
    assert "".join(scored.logprobs.tokens) == prompt
    assert scored.logprobs.token_logprobs[0] is None
    assert all(value <= 0 for value in scored.logprobs.token_logprobs[1:])
    likely, unlikely = (
        sum(
            client.completions.create(model=MODEL, prompt=text, max_tokens=0, echo=True, logprobs=0)
            .choices[0]
            .logprobs.token_logprobs[1:]
        )
        / len(text)
        for text in ("The river is in the city.", "xq zzv kkp wwj qqx vvy.")
    )
    assert likely > unlikely


def test_prompts_that_are_too_long_are_refused(runtime, client):
    with pytest.raises(runtime.exceptions.ValidationException, match="reads at most"):
        say(runtime, "word " * 20_000)
    with pytest.raises(runtime.exceptions.ValidationException, match="reads at most"):
        runtime.converse_stream(modelId=MODEL, messages=user("word " * 20_000))
    with pytest.raises(openai.BadRequestError, match="reads at most"):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "word " * 20_000}])


def test_many_at_once_do_not_mix(runtime):
    expected = {question: say(runtime, question)[2]["inputTokens"] for question in QUESTIONS}
    with ThreadPoolExecutor(12) as pool:
        asked = list(QUESTIONS) * 6
        found = list(pool.map(lambda question: say(runtime, question)[2]["inputTokens"], asked))
    assert found == [expected[question] for question in asked]


def active(address):
    request = urllib.request.Request(f"{address}/_rocamadre/status", headers={"authorization": "Bearer testing"})
    with urllib.request.urlopen(request) as answer:
        engines = json.load(answer)["engines"]
    return sum(engine["active"] for engine in engines)


def test_a_client_that_leaves_frees_its_slot(client, address):
    long = {"max_tokens": 1500, "temperature": 1.5, "stream": True}
    streams = [client.completions.create(model=MODEL, prompt="The river", n=n, **long) for n in (1, 4)]
    for stream in streams:
        next(stream)
    assert active(address) > 0
    for stream in streams:
        stream.close()
    left = time.monotonic()
    while active(address):
        assert time.monotonic() - left < 1, "a second after the clients left, their generations still run"
        time.sleep(0.02)
