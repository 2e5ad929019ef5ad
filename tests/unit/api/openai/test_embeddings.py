import base64
import json

import numpy as np
import pytest

from rocamadre.api.openai.embeddings import embeddings
from rocamadre.api.openai.errors import BadParameter
from rocamadre.api.openai.models import model, models
from rocamadre.catalog.errors import UnknownModel
from rocamadre.core.errors import InvalidRequest

EMBED = "rocamadre.fake-embed-v1:0"


async def ask(post, context, **more):
    reply = await post(embeddings, context, {"model": EMBED, "input": "a b", **more})
    return json.loads(reply.body)


async def test_answer(context, post):
    answer = await ask(post, context, input=["a b", "c"])
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert [len(item["embedding"]) for item in answer["data"]] == [384, 384]
    assert (answer["object"], answer["model"]) == ("list", EMBED)
    assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert context.notes["input_tokens"] == 3


async def test_base64_holds_the_same_numbers(context, post):
    floats = (await ask(post, context, encoding_format="float"))["data"][0]["embedding"]
    packed = (await ask(post, context, encoding_format="base64"))["data"][0]["embedding"]
    assert np.frombuffer(base64.b64decode(packed), "<f4") == pytest.approx(np.array(floats), abs=1e-7)


async def test_dimensions(context, post):
    vector = (await ask(post, context, dimensions=512))["data"][0]["embedding"]
    assert len(vector) == 512
    assert context.reply_headers["x-rocamadre-dimension-map"] == "hadamard-384-512-v1"


async def test_dimensions_that_cannot_be_had(context, post):
    with pytest.raises(InvalidRequest, match="allowed"):
        await ask(post, context, dimensions=100)


async def test_aliases_have_the_size_that_their_clients_expect(context, post):
    answer = await ask(post, context, model="amazon.titan-embed-text-v2:0")
    assert len(answer["data"][0]["embedding"]) == 1024
    assert answer["model"] == EMBED
    assert context.reply_headers["x-rocamadre-model"] == EMBED


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": ""}, "input[0]", None),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [1, 2]}, "input", "unsupported_value"),
        ({"input": [[1]]}, "input", "unsupported_value"),
        ({"input": {"a": 1}}, "input", "invalid_type"),
        ({"input": ["a"] * 2049}, "input", "invalid_value"),
        ({"encoding_format": "hex"}, "encoding_format", "invalid_value"),
        ({"dimensions": 0}, "dimensions", "integer_below_min_value"),
        ({"truncate": "END"}, "truncate", "unknown_parameter"),
    ],
)
async def test_bad_parameters(context, post, change, param, code):
    with pytest.raises(BadParameter) as caught:
        await ask(post, context, **change)
    assert caught.value.param == (param if code else "input")
    assert caught.value.code == (code or "invalid_value")


async def test_text_models_do_not_embed(context, post):
    with pytest.raises(InvalidRequest, match="writes text"):
        await ask(post, context, model="rocamadre.fake-v1:0")


async def test_models(context, post):
    listed = json.loads((await post(models, context, b"")).body)
    assert listed["object"] == "list"
    assert {"rocamadre.fake-v1:0", EMBED} <= {item["id"] for item in listed["data"]}
    one = json.loads((await post(model, context, b"", EMBED)).body)
    assert one in listed["data"]


async def test_models_by_alias_say_which_it_is(context, post):
    found = json.loads((await post(model, context, b"", "amazon.nova-lite-v1:0")).body)
    assert found["id"] == "rocamadre.fake-v1:0"
    assert context.reply_headers["x-rocamadre-model"] == "rocamadre.fake-v1:0"


async def test_unknown_model(context, post):
    with pytest.raises(UnknownModel):
        await post(model, context, b"", "nobody.nothing")
