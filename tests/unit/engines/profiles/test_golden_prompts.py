"""Families that take a prompt: Cohere Command, AI21 Jurassic-2, DeepSeek R1, Writer Palmyra, and imported models."""

import sys
from pathlib import Path

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.core.messages import (
    Finish,
    Media,
    Reasoning,
    ReasoningDelta,
    Sampling,
    Text,
    TextDelta,
    TokenLogprob,
    Usage,
)
from rocamadre.engines.collect import Answer
from rocamadre.engines.profiles.registry import find_profile

sys.path.insert(0, str(Path(__file__).parent))
from family_bodies import CREATED, DASHED, ID, assistant, chunks, facts, profile_of, read, user, write

sys.path.pop(0)

COMMAND = "cohere.command-text-v14"
JURASSIC = "ai21.j2-ultra-v1"
R1 = "deepseek.r1-v1:0"
PALMYRA = "writer.palmyra-x5-v1:0"
OWN = "rocamadre.fake-v1:0"

COMMAND_BODY = {
    "prompt": "Summarise: a long story",
    "max_tokens": 400,
    "temperature": 0.75,
    "p": 0.01,
    "k": 0,
    "stop_sequences": ["--"],
    "return_likelihoods": "NONE",
}
JURASSIC_BODY = {
    "prompt": "Translate to Spanish: hello",
    "maxTokens": 200,
    "temperature": 0.5,
    "topP": 0.5,
    "stopSequences": ["##"],
    "countPenalty": {"scale": 0},
    "presencePenalty": {"scale": 0},
    "frequencyPenalty": {"scale": 0},
}
R1_BODY = {
    "prompt": "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi<｜Assistant｜><think>\n",
    "max_tokens": 512,
    "temperature": 0.5,
    "top_p": 0.9,
}


@pytest.mark.parametrize(
    ("base_id", "body", "system", "messages", "sampling"),
    [
        (
            COMMAND,
            COMMAND_BODY,
            "",
            (user("Summarise: a long story"),),
            Sampling(max_tokens=400, temperature=0.75, top_p=0.01, top_k=0, stop=("--",)),
        ),
        (
            "cohere.command-light-text-v14",
            {"prompt": "Hi", "stream": True, "num_generations": 1, "truncate": "NONE"},
            "",
            (user("Hi"),),
            Sampling(max_tokens=256, temperature=0.9, top_p=0.75, top_k=0),
        ),
        (
            JURASSIC,
            JURASSIC_BODY,
            "",
            (user("Translate to Spanish: hello"),),
            Sampling(max_tokens=200, temperature=0.5, top_p=0.5, stop=("##",)),
        ),
        (
            "ai21.j2-mid-v1",
            {"prompt": "Hi", "minTokens": 3},
            "",
            (user("Hi"),),
            Sampling(max_tokens=200, min_tokens=3, temperature=0.5, top_p=0.5),
        ),
        (R1, R1_BODY, "Be brief.", (user("Hi"),), Sampling(max_tokens=512, temperature=0.5, top_p=0.9)),
        (R1, {"prompt": "Hi"}, "", (user("Hi"),), Sampling(max_tokens=512, temperature=0.5, top_p=0.9)),
        (
            PALMYRA,
            {"prompt": "Hi", "max_tokens": 9, "temperature": 0, "stop": ["x"]},
            "",
            (user("Hi"),),
            Sampling(max_tokens=9, temperature=0, stop=("x",)),
        ),
    ],
)
def test_requests(base_id, body, system, messages, sampling):
    request = read(base_id, body)
    assert (request.system, request.messages, request.sampling) == (system, messages, sampling)
    assert (request.prompt, request.tools, request.schema) == (None, (), None)


@pytest.mark.parametrize(
    ("base_id", "body", "written"),
    [
        (
            COMMAND,
            COMMAND_BODY,
            {
                "id": DASHED,
                "prompt": "Summarise: a long story",
                "generations": [{"id": DASHED, "text": "Hello world", "finish_reason": "COMPLETE"}],
            },
        ),
        (
            JURASSIC,
            JURASSIC_BODY,
            {
                "id": 0x01234567,
                "prompt": {"text": "Translate to Spanish: hello"},
                "completions": [{"data": {"text": "Hello world"}, "finishReason": {"reason": "endoftext"}}],
            },
        ),
        (R1, R1_BODY, {"choices": [{"text": "Hello world", "stop_reason": "stop"}]}),
        (
            PALMYRA,
            {"prompt": "Hi"},
            {
                "id": f"cmpl-{ID}",
                "object": "text_completion",
                "created": CREATED,
                "model": OWN,
                "choices": [{"index": 0, "text": "Hello world", "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9},
            },
        ),
    ],
)
def test_answers(base_id, body, written):
    assert write(base_id, body) == written


@pytest.mark.parametrize(
    ("reason", "command", "jurassic", "r1"),
    [
        ("max_tokens", "MAX_TOKENS", {"reason": "length", "length": 2}, "length"),
        ("stop_sequence", "COMPLETE", {"reason": "stop", "sequence": "--"}, "stop"),
        ("content_filtered", "ERROR_TOXIC", {"reason": "endoftext"}, "stop"),
        ("malformed_model_output", "ERROR", {"reason": "endoftext"}, "stop"),
    ],
)
def test_stop_reasons(reason, command, jurassic, r1):
    def of(base_id, body):
        return write(base_id, body, reason=reason, stop="--")

    assert of(COMMAND, COMMAND_BODY)["generations"][0]["finish_reason"] == command
    assert of(JURASSIC, JURASSIC_BODY)["completions"][0]["finishReason"] == jurassic
    assert of(R1, R1_BODY)["choices"][0]["stop_reason"] == r1


def test_command_streams_pieces_where_the_body_says_so():
    assert chunks(COMMAND, COMMAND_BODY | {"stream": True}) == [
        {"text": "Hello", "is_finished": False},
        {"text": " world", "is_finished": False},
        {
            "text": "",
            "is_finished": True,
            "finish_reason": "COMPLETE",
            "id": DASHED,
            "prompt": "Summarise: a long story",
        },
    ]


def test_command_streams_the_whole_answer_at_once_otherwise():
    (chunk,) = chunks(COMMAND, COMMAND_BODY, reason="max_tokens")
    assert [each["text"] for each in chunk["generations"]] == ["Hello world"]
    assert chunk["generations"][0]["finish_reason"] == "MAX_TOKENS"


def test_jurassic_does_not_stream():
    assert not profile_of(JURASSIC).streams


def test_r1_writes_its_thoughts_before_its_answer():
    answered = write(R1, R1_BODY, Reasoning("Hm"), Text("Hi"))
    assert answered["choices"][0]["text"] == "Hm\n</think>\n\nHi"
    streamed = chunks(
        R1, R1_BODY, ReasoningDelta("H"), ReasoningDelta("m"), TextDelta("Hi"), Finish("end_turn", Usage())
    )
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed) == "Hm\n</think>\n\nHi"
    assert [chunk["choices"][0]["stop_reason"] for chunk in streamed] == [None, None, None, "stop"]


def test_palmyra_ends_its_streams_with_a_word():
    *before, last = chunks(PALMYRA, {"prompt": "Hi"})
    assert last == "[DONE]"
    assert [chunk["choices"][0]["text"] for chunk in before] == ["Hello", " world", ""]
    assert before[-1]["usage"]["total_tokens"] == 9


def test_llama_images_stand_before_the_last_text():
    body = {"prompt": "<|start_header_id|>user<|end_header_id|>\n\nLook<|eot_id|>", "images": ["iVBORw0KGgoAAAAA"]}
    (message,) = read("meta.llama3-2-11b-instruct-v1:0", body).messages
    assert message == user(Media("image", "png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x00"), "Look")
    for wrong in ("x", "AAAA"):
        with pytest.raises(InvalidRequest, match="#/images/0"):
            read("meta.llama3-2-11b-instruct-v1:0", {"prompt": "Look", "images": [wrong]})


@pytest.mark.parametrize(
    ("base_id", "body", "what"),
    [
        (COMMAND, {"prompt": "a", "num_generations": 2}, "#/num_generations: .* several answers"),
        (COMMAND, {"prompt": "a", "return_likelihoods": "GENERATION"}, "#/return_likelihoods: .* likelihoods"),
        (COMMAND, {"prompt": "a", "truncate": "END"}, "#/truncate: "),
        (COMMAND, {"prompt": "a", "logit_bias": {"1": 2}}, "#/logit_bias: "),
        (JURASSIC, {"prompt": "a", "numResults": 3}, "#/numResults: "),
        (JURASSIC, {"prompt": "a", "presencePenalty": {"scale": 1}}, "#/presencePenalty/scale: .* penalties"),
        (OWN, {"prompt": "a", "max_tokens": 3, "suffix": "b"}, "#/suffix: "),
    ],
)
def test_what_is_not_there_is_refused(base_id, body, what):
    with pytest.raises(NotBuilt, match=what):
        read(base_id, body)


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        (COMMAND, {"message": "a"}, r"#: required key \[prompt\] not found#: extraneous key \[message\]"),
        (COMMAND, {"prompt": "a", "temperature": 6}, "#/temperature: 6 is not less or equal to 5"),
        (COMMAND, {"prompt": "a", "k": 501}, "#/k: 501 is not less or equal to 500"),
        (JURASSIC, {"prompt": "a", "max_tokens": 5}, r"extraneous key \[max_tokens\]"),
        (JURASSIC, {"prompt": "a", "minTokens": 9, "maxTokens": 5}, "#/minTokens: 9 is more than maxTokens"),
        (R1, {"messages": []}, r"required key \[prompt\] not found"),
        (R1, {"prompt": "a", "stop": ["x"] * 11}, "#/stop: expected maximum item count: 10, found: 11"),
        (PALMYRA, {"prompt": ""}, "#/prompt: expected minLength: 1"),
        (OWN, {"prompt": "a", "max_tokens": 0}, "#/max_tokens: 0 is not greater or equal to 1"),
    ],
)
def test_bad_bodies(base_id, body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(base_id, body)


# -- formats of imported models, which models asked for by their own ids take too ------------------------------------


def test_the_keys_of_a_body_say_whose_format_it_is():
    def of(body):
        return find_profile(OWN, embeds=False, aliased=False, body=body).name

    assert of({"prompt": "a", "max_gen_len": 5, "temperature": 0.1, "top_p": 1}) == "Meta Llama"
    assert of({"prompt": "a"}) == "Meta Llama"
    assert of({"prompt": "a", "max_tokens": 5}) == "OpenAI completion"
    assert of({"prompt": "a", "stop": ["x"]}) == "OpenAI completion"
    assert of({"messages": [], "max_tokens": 5}) == "OpenAI chat"
    assert of({"messages": [], "anthropic_version": "bedrock-2023-05-31"}) == "Anthropic Claude"
    assert of({}) == of(None) == of([]) == "OpenAI chat"


COMPLETION = {"prompt": "Once upon", "max_tokens": 5, "temperature": 0, "logprobs": 1, "echo": True, "seed": 3}


def test_a_completion_continues_its_prompt_as_it_is():
    request = read(OWN, COMPLETION)
    assert (request.prompt, request.messages) == ("Once upon", ())
    assert (request.logprobs, request.echo) == (1, True)
    assert request.sampling == Sampling(max_tokens=5, temperature=0, seed=3)
    assert read(OWN, {"prompt": "a", "stop": "x"}).sampling == Sampling(max_tokens=16, stop=("x",))


def test_a_completion_tells_the_candidates():
    steps = (TokenLogprob(1, " a", b" a", -0.5, ((" a", b" a", -0.5),)), TokenLogprob(2, " time", b" time", -0.25))
    answer = Answer((Text(" a time"),), Finish("max_tokens", Usage(7, 2)), steps)
    body = profile_of(OWN, COMPLETION).write(answer, facts(OWN, COMPLETION))
    assert body["choices"] == [
        {
            "index": 0,
            "text": " a time",
            "logprobs": {
                "tokens": [" a", " time"],
                "token_logprobs": [-0.5, -0.25],
                "top_logprobs": [{" a": -0.5}, None],
            },
            "finish_reason": "length",
        }
    ]
    streamed = chunks(OWN, COMPLETION, TextDelta(" a", steps[:1]), Finish("end_turn", Usage(7, 2)))
    assert streamed[0]["choices"][0]["logprobs"]["tokens"] == [" a"]
    assert streamed[-1]["choices"][0]["finish_reason"] == "stop"
    assert streamed[-1]["usage"]["total_tokens"] == 9


# -- marks of tools in prompts ---------------------------------------------------------------------------------------


def test_llama_marks_of_tools_survive():
    prompt = (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nEnvironment: ipython<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nWeather?<|eot_id|>"
        '<|start_header_id|>assistant<|end_header_id|>\n\n<|python_tag|>{"name": "weather"}<|eom_id|>'
        '<|start_header_id|>ipython<|end_header_id|>\n\n{"output": "sun"}<|eot_id|>'
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    request = read("meta.llama3-1-8b-instruct-v1:0", {"prompt": prompt})
    assert request.system == "Environment: ipython"
    assert request.messages == (
        user("Weather?"),
        assistant('<|python_tag|>{"name": "weather"}'),
        user('{"output": "sun"}'),
    )


def test_mistral_marks_of_tools_survive():
    prompt = (
        '<s>[AVAILABLE_TOOLS] [{"type": "function"}][/AVAILABLE_TOOLS][INST] Weather? [/INST]'
        '[TOOL_CALLS] [{"name": "weather"}]</s>[TOOL_RESULTS] {"content": "sun"}[/TOOL_RESULTS]'
    )
    request = read("mistral.mistral-7b-instruct-v0:2", {"prompt": prompt})
    assert request.system == '[AVAILABLE_TOOLS] [{"type": "function"}][/AVAILABLE_TOOLS]'
    assert request.messages == (
        user("Weather?"),
        assistant('[TOOL_CALLS] [{"name": "weather"}]'),
        user('[TOOL_RESULTS] {"content": "sun"}[/TOOL_RESULTS]'),
    )
    with pytest.raises(InvalidRequest, match=r"opens a turn with \[TOOL_RESULTS\]"):
        read("mistral.mistral-7b-instruct-v0:2", {"prompt": prompt.replace("[/TOOL_RESULTS]", "")})


def test_deepseek_marks_of_tools_survive():
    prompt = (
        "<｜begin▁of▁sentence｜><｜User｜>Weather?<｜Assistant｜><｜tool▁calls▁begin｜>weather<｜tool▁calls▁end｜>"
        "<｜end▁of▁sentence｜><｜tool▁outputs▁begin｜>sun<｜tool▁outputs▁end｜><｜Assistant｜>"
    )
    assert read(R1, {"prompt": prompt}).messages == (
        user("Weather?"),
        assistant("<｜tool▁calls▁begin｜>weather<｜tool▁calls▁end｜>"),
        user("<｜tool▁outputs▁begin｜>sun<｜tool▁outputs▁end｜>"),
    )


def test_a_call_in_native_form_comes_back_as_text():
    call = Text('[TOOL_CALLS] [{"name": "weather"}]')
    answered = write("mistral.mistral-7b-instruct-v0:2", {"prompt": "a"}, call)
    assert answered["outputs"] == [{"text": call.text, "stop_reason": "stop"}]
    assert write("meta.llama3-1-8b-instruct-v1:0", {"prompt": "a"}, call)["generation"] == call.text
