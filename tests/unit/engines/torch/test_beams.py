"""Beam search against transformers' own, on the tiny models."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from rocamadre.core.errors import InvalidRequest  # noqa: E402
from rocamadre.core.messages import Finish, GenerationRequest, Sampling, TextDelta  # noqa: E402
from rocamadre.engines.torch.beams import search  # noqa: E402
from rocamadre.engines.torch.decoding import generate  # noqa: E402
from rocamadre.engines.torch.model import TorchModel  # noqa: E402
from rocamadre.engines.torch.sampling import Choice  # noqa: E402
from rocamadre.testing.tiny import tiny_llama  # noqa: E402

PROMPTS = ["The quick", "El veloz", "À noite, vovô", "0123", "hello 🙂"]


@pytest.fixture(scope="module")
def causal(tmp_path_factory):
    return TorchModel(tiny_llama(tmp_path_factory.mktemp("llama"), seed=5), context_length=256, threads=1)


@pytest.fixture(scope="module")
def encoder_decoder(tmp_path_factory):
    path = tiny_llama(tmp_path_factory.mktemp("t5"))
    (path / "model.safetensors").unlink()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(path / "tokenizer.json"), eos_token="<|im_end|>", pad_token="<|bos|>"
    )
    tokenizer.save_pretrained(path)
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, n_positions=256,
        decoder_start_token_id=0, eos_token_id=tokenizer.eos_token_id, pad_token_id=0,
    )  # fmt: skip
    transformers.set_seed(3)
    transformers.T5ForConditionalGeneration(config).save_pretrained(path)
    return TorchModel(path, context_length=256, threads=1)


def ours(model, tokens, *, beams, limit, stops=(), **fields):
    choice = Choice.from_fields(fields)
    *_, found = search(model, tokens, choice, beams=beams, limit=limit, stops=stops)
    return found


def theirs(model, tokens, *, beams, limit, **more):
    out = model.model.generate(
        torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens), dtype=torch.long), num_beams=beams,
        max_new_tokens=limit, do_sample=False, return_dict_in_generate=True, output_scores=True, **more,
    )  # fmt: skip
    start = 1 if model.kind == "encoder-decoder" else len(tokens)
    sequence = out.sequences[0, start:].tolist()
    end = next((place + 1 for place, token in enumerate(sequence) if token in model.ends), len(sequence))
    return tuple(sequence[:end]), float(out.sequences_scores[0])


@pytest.mark.parametrize("beams", [2, 4, 7])
@pytest.mark.parametrize("limit", [1, 5, 24])
@pytest.mark.parametrize("kind", ["causal", "encoder_decoder"])
def test_the_same_sequence_and_score_as_transformers(request, kind, beams, limit):
    model = request.getfixturevalue(kind)
    for prompt in PROMPTS:
        tokens = model.tokenizer(prompt)["input_ids"]
        found = ours(model, tokens, beams=beams, limit=limit)
        expected, score = theirs(model, tokens, beams=beams, limit=limit)
        assert found.tokens == expected, prompt
        assert found.score == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("bias", [1.0, 2.5, 4.0])
def test_sequences_that_end_early(causal, bias):
    """With the end mark made likelier, sequences of different lengths compete."""
    end, lengths = causal.ends[0], set()
    for prompt in PROMPTS:
        tokens = causal.tokenizer(prompt)["input_ids"]
        found = ours(causal, tokens, beams=3, limit=20, logit_bias={end: bias})
        expected, score = theirs(causal, tokens, beams=3, limit=20, sequence_bias={(end,): bias})
        assert (found.tokens, found.ended) == (expected, expected[-1] == end), prompt
        assert found.score == pytest.approx(score, abs=1e-4)
        lengths.add(len(found.tokens))
    assert len(lengths) > 1 or bias != 2.5


def test_minimum_and_repetition_penalty_act_as_in_transformers(causal):
    end = causal.ends[0]
    for prompt in PROMPTS:
        tokens = causal.tokenizer(prompt)["input_ids"]
        found = ours(causal, tokens, beams=3, limit=12, min_tokens=6, logit_bias={end: 4.0}, repetition_penalty=1.3)
        expected, _ = theirs(
            causal, tokens, beams=3, limit=12, min_new_tokens=6, sequence_bias={(end,): 4.0}, repetition_penalty=1.3
        )
        assert len(found.tokens) >= 6
        assert found.tokens == expected, prompt


def test_the_search_finds_what_greedy_misses(causal):
    better = 0
    for prompt in PROMPTS:
        tokens = causal.tokenizer(prompt)["input_ids"]
        greedy = ours(causal, tokens, beams=1, limit=16)
        found = ours(causal, tokens, beams=8, limit=16)
        better += found.score > greedy.score + 1e-6
    assert better > 0


def test_a_stop_sequence_finishes_a_sequence(causal):
    tokens = causal.tokenizer("The quick")["input_ids"]
    whole = causal.tokenizer.decode(ours(causal, tokens, beams=3, limit=16).tokens)
    stop = next(letter for letter in whole[2:] if letter.isascii() and letter.isalnum())
    found = ours(causal, tokens, beams=3, limit=16, stops=("never there", stop))
    assert found.stop == stop
    request = GenerationRequest(prompt="The quick", sampling=Sampling(beams=3, max_tokens=16, stop=(stop,)), echo=True)
    *events, finish = generate(causal, request, {"beams": 3})
    text = "".join(event.text for event in events)
    assert text.startswith("The quick")
    assert stop not in text.removeprefix("The quick")
    assert (finish.reason, finish.stop_sequence) == ("stop_sequence", stop)


def test_the_search_lets_others_in_between_and_ends_with_text(causal):
    request = GenerationRequest(prompt="hello", sampling=Sampling(beams=4, max_tokens=5))
    *steps, last, finish = generate(causal, request, {})
    assert [step.text for step in steps] == [""] * 5
    assert isinstance(last, TextDelta)
    assert isinstance(finish, Finish)
    assert finish.usage.output_tokens == 5
    assert finish.reason == "max_tokens"


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"temperature": 0.5}, "temperature would do nothing"),
        ({"top_k": 3, "top_p": 0.5}, "top_p, top_k would do nothing"),
        ({"beams": 17}, "1 to 16 beams"),
        ({"beams": 0}, None),
    ],
)
def test_what_does_not_go_with_beams(causal, more, match):
    request = GenerationRequest(prompt="hello", sampling=Sampling(**{"beams": 4, "max_tokens": 2, **more}))
    if match is None:
        assert list(generate(causal, request, {"temperature": 0.0}))
        return
    with pytest.raises(InvalidRequest, match=match):
        list(generate(causal, request, {}))


def test_log_probabilities_and_beams(causal):
    request = GenerationRequest(prompt="hello", sampling=Sampling(beams=4, max_tokens=2), logprobs=1)
    with pytest.raises(InvalidRequest, match="leave logprobs or beams out"):
        list(generate(causal, request, {}))
