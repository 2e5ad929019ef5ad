import asyncio
import json
import math

import pytest

from rocamadre.core.errors import InvalidRequest, ModelFailure, RocamadreError
from rocamadre.core.messages import (
    Document,
    Finish,
    GenerationRequest,
    Media,
    Message,
    Sampling,
    Text,
    TextDelta,
    ToolChoice,
    ToolSpec,
    ToolUseDelta,
    ToolUseStart,
)
from rocamadre.core.settings import EngineSettings
from rocamadre.engines.fake import FakeEngine, count_tokens, tokens_of
from rocamadre.engines.fake_rules import ERRORS, load_rules
from rocamadre.engines.protocol import LoadSpec


def ask(text="hello there", *, rules=None, options=None, context_length=2048, **request):
    sampling = Sampling(**request.pop("sampling", {}))
    made = GenerationRequest(messages=(Message("user", (Text(text),)),), sampling=sampling, **request)
    return run(made, rules=rules, options=options, context_length=context_length)


def run(request, *, rules=None, options=None, context_length=2048, path=None):
    async def go():
        engine = await started(rules, options, context_length)
        return [event async for event in engine.converse(request)]

    return asyncio.run(go())


async def started(rules=None, options=None, context_length=2048):
    spec = LoadSpec("test.fake-v1:0", "fake", None, context_length, {"rules": rules or [], **(options or {})})
    engine = FakeEngine(spec, EngineSettings(), None)
    await engine.start()
    return engine


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_says_back_what_was_said_marked_as_fake_word_by_word():
    events = ask("hello there")
    assert text_of(events) == "[fake] You said: hello there"
    assert [event.text for event in events[:-1]] == ["[fake]", " You", " said:", " hello", " there"]
    assert events[-1].reason == "end_turn"
    assert events[-1].usage.output_tokens == 5


def test_usage_equals_render():
    request = GenerationRequest(messages=(Message("user", (Text("one two three"),)),), system="be brief")

    async def go():
        engine = await started()
        return await engine.render(request)

    rendered = asyncio.run(go())
    assert run(request)[-1].usage.input_tokens == len(rendered.token_ids)


@pytest.mark.parametrize("text", ["", "a", " a ", "a  b\nc ", "  ", "niño – ação 🙂 fin"])
def test_tokens_are_the_text_and_counted_alike(text):
    assert "".join(tokens_of(text)) == text
    assert len(tokens_of(text)) == count_tokens(text)


def test_limit_is_true():
    events = ask("a b c d e", sampling={"max_tokens": 4})
    assert text_of(events) == "[fake] You said: a"
    assert (events[-1].reason, events[-1].usage.output_tokens) == ("max_tokens", 4)


def test_exact_limit_ends_the_turn():
    assert ask("a", sampling={"max_tokens": 4})[-1].reason == "end_turn"


def test_stop_sequence_over_two_tokens_is_left_out():
    events = ask("uno dos tres", sampling={"stop": ("o dos t",)})
    assert text_of(events) == "[fake] You said: un"
    assert (events[-1].reason, events[-1].stop_sequence) == ("stop_sequence", "o dos t")


def test_text_held_back_for_a_stop_that_never_comes_is_given():
    assert text_of(ask("say EN", sampling={"stop": ("END",)})) == "[fake] You said: say EN"


def test_min_tokens():
    assert ask("a", sampling={"min_tokens": 10})[-1].usage.output_tokens == 10


def test_seed_changes_the_answer_and_repeats():
    seeds = [text_of(ask("a", sampling={"seed": seed})) for seed in (1, 2, 1)]
    assert seeds[0] == seeds[2] != seeds[1]


def test_rule_file_in_both_forms(tmp_path):
    toml = tmp_path / "rules.toml"
    toml.write_text('[[rules]]\nmatch = "weather"\nanswer = "Sunny."\n')
    both = tmp_path / "rules.json"
    both.write_text(json.dumps({"rules": [{"match": "weather", "answer": "Sunny."}]}))
    for path in (toml, both):
        assert text_of(ask("the weather?", rules=str(path))) == "[fake] Sunny."
    assert text_of(ask("other", rules=str(toml))) == "[fake] You said: other"


def test_rule_by_regex_and_system_and_without_mark():
    rules = [{"regex": "(?i)json$", "system": "brief", "answer": '{"a": 1}', "mark": False}]
    assert text_of(ask("as JSON", rules=rules, system="be brief")) == '{"a": 1}'
    assert text_of(ask("as JSON", rules=rules)) == "[fake] You said: as JSON"


def test_rule_calls_a_tool():
    tool = ToolSpec("book", "", {"type": "object"})
    rules = [{"match": "table", "tool": {"name": "book", "input": {"people": 2}}}]
    events = ask("a table", rules=rules, tools=(tool,))
    assert isinstance(events[0], ToolUseStart)
    assert events[0].name == "book"
    assert json.loads("".join(event.json for event in events if isinstance(event, ToolUseDelta))) == {"people": 2}
    assert events[-1].reason == "tool_use"


def test_tool_that_is_not_offered_is_refused():
    with pytest.raises(InvalidRequest, match="book"):
        ask("a table", rules=[{"tool": {"name": "book"}}])


def test_a_tool_that_must_be_called_is_called_with_a_small_valid_input():
    schema = {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}, "required": ["day"]}
    book, cook = ToolSpec("book", "", schema), ToolSpec("cook", "", {"type": "object"})
    events = ask("a table", tools=(cook, book), tool_choice=ToolChoice("tool", "book"))
    assert [type(each) for each in events[:2]] == [ToolUseStart, ToolUseDelta]
    assert events[0].name == "book"
    assert json.loads(events[1].json) == {"day": "2026-01-31"}
    assert events[-1].reason == "tool_use"
    assert ask("a table", tools=(cook, book), tool_choice=ToolChoice("any"))[0].name == "cook"


def test_a_schema_is_followed_and_a_wrong_one_refused():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "required": ["n"]}
    assert json.loads(text_of(ask("hello", schema=schema))) == {"n": 3}
    with pytest.raises(InvalidRequest, match="uniqueItems"):
        ask("hello", schema={"type": "array", "uniqueItems": True})


@pytest.mark.parametrize("kind", sorted(ERRORS))
def test_rule_raises_each_error_after_some_tokens(kind):
    async def go():
        engine = await started([{"error": kind, "error_after": 2, "error_message": "scripted"}])
        seen = []
        stream = engine.converse(GenerationRequest(prompt="a b c"))
        seen += [await anext(stream), await anext(stream)]
        with pytest.raises(ERRORS[kind], match="scripted"):
            await anext(stream)
        return seen

    assert text_of(asyncio.run(go())) == "[fake] You"


@pytest.mark.parametrize(
    "rules",
    [[{"error": "nope"}], [{"answr": "x"}], [{"regex": "("}], "absent.json", [{"delay_s": "x"}]],
)
def test_wrong_rules_are_refused(rules):
    with pytest.raises(InvalidRequest):
        load_rules(rules)


def test_prompt_longer_than_the_context_is_refused_with_counts():
    with pytest.raises(InvalidRequest, match=r"12 tokens.*at most 9"):
        ask(" ".join("x" * 10), context_length=10)


def test_documents_are_read_and_images_refused():
    document = Message("user", (Document("notes", "the cat sat"), Text("who?")))
    assert "notes: the cat sat who?" in text_of(run(GenerationRequest(messages=(document,))))
    with pytest.raises(InvalidRequest, match="image"):
        run(GenerationRequest(messages=(Message("user", (Media("image", "png", b""),)),)))


def test_logprobs_and_echo():
    events = run(GenerationRequest(prompt="a b", logprobs=2, echo=True))
    assert events[0].text == "a b"
    assert events[0].logprobs[0].logprob is None
    assert [len(event.logprobs[0].top) for event in events[1:-1]] == [2] * (len(events) - 2)


def test_embeddings_are_unit_and_nearer_for_shared_words():
    async def go():
        engine = await started(options={"dimensions": 64})
        return await engine.embed(["the red cat", "the red dog", "nada que ver", "the red cat"])

    made = asyncio.run(go())
    one, two, three, again = made.vectors
    dot = lambda a, b: sum(x * y for x, y in zip(a, b, strict=True))  # noqa: E731
    assert one == again
    assert len(one) == 64
    assert math.isclose(dot(one, one), 1.0, abs_tol=1e-9)
    assert dot(one, two) > dot(one, three) + 0.3
    assert made.token_counts == (3, 3, 3, 3)


def test_rerank_prefers_the_text_with_the_query():
    async def go():
        return await (await started()).rerank("red cat", ["blue sky", "a red cat"])

    low, high = asyncio.run(go())
    assert 0 <= low < high <= 1


def test_same_request_same_answer():
    assert ask("again") == ask("again")


def test_empty_answer_rule_finishes():
    events = ask("x", rules=[{"answer": "", "mark": False}])
    assert isinstance(events[-1], Finish)
    assert text_of(events) == ""


def test_errors_are_the_declared_ones():
    assert all(issubclass(error, RocamadreError) for error in ERRORS.values())
    assert ERRORS["model_failure"] is ModelFailure
