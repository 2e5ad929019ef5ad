"""That every sampling setting really acts, as tests for any engine that reports log-probabilities.

```python
class TestMine(SamplingSuite):
    @staticmethod
    def spec(folder):
        return LoadSpec("me.mine-v1:0", "mine", make_a_small_model(folder), context_length=256)

    END_TOKEN = 2
```
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rocamadre.core.errors import InvalidRequest
from rocamadre.core.messages import GenerationRequest, Sampling, TextDelta, TokenLogprob
from rocamadre.engines.protocol import LoadSpec
from rocamadre.testing.engine_suite import Running, finish_of, text_of

PROMPT = "The quick brown fox"
_LENGTH = 16
_DRAWS = 240


def continued(prompt: str = PROMPT, *, logprobs: int | None = 20, **sampling: Any) -> GenerationRequest:
    """A raw prompt continued; settings that are not given leave the model's distribution as it is."""
    given = {"temperature": 1.0, "top_p": 1.0, "max_tokens": _LENGTH, **sampling}
    return GenerationRequest(prompt=prompt, sampling=Sampling(**given), logprobs=logprobs)


def tokens_of(running: Running, request: GenerationRequest) -> list[TokenLogprob]:
    """The tokens of one generation, each with its candidates."""
    return [token for event in running.events(request) if isinstance(event, TextDelta) for token in event.logprobs]


def text(running: Running, **sampling: Any) -> str:
    """The text of one generation."""
    return text_of(running.events(continued(logprobs=None, **sampling)))


class SamplingSuite:
    """For engines that sample by themselves."""

    END_TOKEN: int
    """Id of the token that ends an answer."""

    @staticmethod
    def spec(folder: Path) -> LoadSpec:
        """The model to check; override it. `folder` is empty and private."""
        raise NotImplementedError("override `spec`")

    @pytest.fixture(scope="class")
    @classmethod
    def running(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
        """The engine, loaded once for the class."""
        running = Running(cls.spec(tmp_path_factory.mktemp("model")), tmp_path_factory.mktemp("home"))
        yield running
        running.close()

    def test_greedy_takes_the_likeliest(self, running: Running) -> None:
        """At each step, the first of the candidates."""
        tokens = tokens_of(running, continued(temperature=0.0, min_tokens=_LENGTH))
        assert len(tokens) >= _LENGTH // 2
        for token in tokens:
            assert token.logprob == pytest.approx(max(logprob for _, _, logprob in token.top), abs=1e-4)

    @pytest.mark.parametrize("only", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}, {"temperature": 1e-3}])
    def test_settings_that_leave_one_candidate_are_greedy(self, running: Running, only: dict[str, Any]) -> None:
        """Whatever the seed."""
        greedy = text(running, temperature=0.0)
        assert {text(running, seed=seed, **{"temperature": 1.7, **only}) for seed in range(4)} == {greedy}

    @pytest.mark.parametrize("temperature", [0.7, 1.0, 2.0])
    def test_top_k(self, running: Running, temperature: float) -> None:
        """Only the first `k` candidates are picked, and not always the same of them."""
        places = Counter[int]()
        for seed in range(6):
            request = continued(top_k=3, temperature=temperature, seed=seed)
            places.update(_place(token) for token in tokens_of(running, request))
        assert set(places) <= {0, 1, 2}
        assert len(places) > 1

    @pytest.mark.parametrize("temperature", [1.0, 2.0])
    def test_top_p(self, running: Running, temperature: float) -> None:
        """What is picked lies within the nucleus at temperature 1: the temperature acts on what is left."""
        seen = 0
        for seed in range(6):
            for token in tokens_of(running, continued(top_p=0.25, temperature=temperature, seed=seed)):
                before = math.fsum(math.exp(logprob) for _, _, logprob in token.top[: _place(token)])
                assert before < 0.25 + 1e-4
                seen += _place(token) > 0
        assert seen > 0

    @pytest.mark.parametrize("temperature", [1.0, 2.0])
    def test_min_p(self, running: Running, temperature: float) -> None:
        """What is picked has at least that share of the best candidate's probability at temperature 1."""
        seen = 0
        for seed in range(6):
            for token in tokens_of(running, continued(min_p=0.5, temperature=temperature, seed=seed)):
                assert token.logprob is not None
                assert token.logprob >= token.top[0][2] + math.log(0.5) - 1e-4
                seen += _place(token) > 0
        assert seen > 0

    @pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
    def test_temperature_gives_the_frequencies_that_it_should(self, running: Running, temperature: float) -> None:
        """Among four candidates, each is drawn as often as its probability says, within four standard deviations."""
        (first, *_) = tokens_of(running, continued(max_tokens=1, temperature=0.0, min_tokens=1))
        weights = [math.exp(logprob / temperature) for _, _, logprob in first.top[:4]]
        drawn = Counter[int]()
        for seed in range(_DRAWS):
            (token, *_) = tokens_of(
                running, continued(max_tokens=1, min_tokens=1, top_k=4, temperature=temperature, seed=seed)
            )
            drawn[_place(token)] += 1
        for place, weight in enumerate(weights):
            expected = weight / math.fsum(weights)
            deviation = math.sqrt(_DRAWS * expected * (1 - expected))
            assert abs(drawn[place] - _DRAWS * expected) <= 4 * deviation + 1

    def test_seeds(self, running: Running) -> None:
        """The same seed repeats itself; another writes something else."""
        texts = [text(running, seed=seed) for seed in range(6)]
        assert [text(running, seed=seed) for seed in range(6)] == texts
        assert len(set(texts)) > 3

    @pytest.mark.parametrize(
        "penalty", [{"repetition_penalty": 1.8}, {"frequency_penalty": 2.0}, {"presence_penalty": 2.0}]
    )
    def test_penalties_make_repetition_rarer(self, running: Running, penalty: dict[str, float]) -> None:
        """Counted over greedy answers."""
        prompts = [PROMPT, "hello", "uno dos tres", "0123"]
        plain = sum(_repeats(running, prompt) for prompt in prompts)
        assert sum(_repeats(running, prompt, **penalty) for prompt in prompts) < plain

    @pytest.mark.parametrize("name", ["frequency_penalty", "presence_penalty"])
    def test_negative_penalties_make_repetition_commoner(self, running: Running, name: str) -> None:
        """Counted over greedy answers."""
        prompts = [PROMPT, "hello", "uno dos tres", "0123"]
        plain = sum(_repeats(running, prompt) for prompt in prompts)
        assert sum(_repeats(running, prompt, **{name: -2.0}) for prompt in prompts) > plain

    def test_logit_bias_and_minimum(self, running: Running) -> None:
        """A biased end mark ends the answer at once, but not before the minimum."""
        ended = finish_of(running.events(continued(logprobs=None, logit_bias={self.END_TOKEN: 100.0})))
        assert (ended.reason, ended.usage.output_tokens) == ("end_turn", 1)
        later = continued(logprobs=None, logit_bias={self.END_TOKEN: 100.0}, min_tokens=6)
        usage = finish_of(running.events(later)).usage
        assert 6 <= usage.output_tokens <= 7
        banned = continued(logprobs=None, logit_bias={self.END_TOKEN: -100.0}, seed=1)
        assert finish_of(running.events(banned)).reason == "max_tokens"

    def test_stop_and_limit_go_with_sampling(self, running: Running) -> None:
        """The text before a stop sequence is what it is without."""
        whole = text(running, seed=3, logit_bias={self.END_TOKEN: -100.0})
        stop = next(letter for letter in whole[3:] if letter.isascii() and letter.isalnum())
        assert text(running, seed=3, logit_bias={self.END_TOKEN: -100.0}, stop=(stop,)) == whole[: whole.index(stop)]
        limited = continued(logprobs=None, seed=3, max_tokens=3, logit_bias={self.END_TOKEN: -100.0})
        assert finish_of(running.events(limited)).usage.output_tokens == 3

    def test_beams_are_searched_or_refused(self, running: Running) -> None:
        """Never ignored."""
        request = GenerationRequest(prompt=PROMPT, sampling=Sampling(beams=3, max_tokens=4))
        if running.spec.engine == "torch":
            assert finish_of(running.events(request)).usage.output_tokens <= 4
        else:
            with pytest.raises(InvalidRequest, match="beams"):
                running.events(request)


def _place(token: TokenLogprob) -> int:
    """Where a token stands among its candidates."""
    assert token.logprob is not None
    return sum(logprob > token.logprob + 1e-6 for _, _, logprob in token.top)


def _repeats(running: Running, prompt: str, **sampling: Any) -> int:
    """How many tokens of a greedy answer were there before."""
    tokens = tokens_of(running, continued(prompt, temperature=0.0, max_tokens=32, min_tokens=32, **sampling))
    return len(tokens) - len({token.token_id for token in tokens})
