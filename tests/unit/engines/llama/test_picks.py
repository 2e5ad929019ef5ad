import pytest

from rocamadre.core.errors import ModelFailure
from rocamadre.engines.llama.picks import Scores


class Broken:
    """Answers as llama.cpp does where the numbers overflowed."""

    reply_timeout_s = 1.0

    async def ask(self, path, body, *, timeout_s):
        return {"completion_probabilities": [{"id": 1, "token": "a", "logprob": None, "top_logprobs": []}]}


async def test_probabilities_that_are_no_numbers():
    picks = Scores(Broken(), {}, vocabulary_size=10, plain_token=1)
    with pytest.raises(ModelFailure, match="not finite"):
        await picks.of_token([1, 2], 1, 5)
