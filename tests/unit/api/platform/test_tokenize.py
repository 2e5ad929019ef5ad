from __future__ import annotations

import msgspec
import pytest

from rocamadre.api.platform.tokenize import tokenize
from rocamadre.core.errors import InvalidRequest

FAKE = "rocamadre.fake-v1:0"


async def test_a_prompt_and_a_conversation(context, post, engine):
    reply = await post(tokenize, context, {"model": FAKE, "prompt": "one two"})
    told = msgspec.json.decode(reply.body)
    assert told == {"model": FAKE, "engine": "fake", "prompt": "one two", "tokens": [0, 1], "count": 2}
    await post(
        tokenize, context, {"model": FAKE, "messages": [{"role": "user", "content": "Hi"}], "system": "Be brief"}
    )
    asked = engine.asked[-1]
    assert (asked.prompt, asked.system, asked.messages[0].content[0].text) == (None, "Be brief", "Hi")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        {"prompt": "x"},
        {"model": FAKE},
        {"model": FAKE, "prompt": "x", "messages": [{"role": "user", "content": "y"}]},
        {"model": FAKE, "prompt": "x", "system": "y"},
        {"model": FAKE, "prompt": 1},
        {"model": FAKE, "prompt": "x" * 1_000_001},
        {"model": FAKE, "messages": [{"role": "tool", "content": "y"}]},
        {"model": FAKE, "prompt": "x", "more": 1},
    ],
)
async def test_refusals(context, post, body):
    with pytest.raises(InvalidRequest):
        await post(tokenize, context, body)
