import pytest

from rocamadre.engines.profiles.registry import default_dimensions, find_profile
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingRequest

ID = "0123456789abcdef0123456789abcdef"


def profile(base_id, aliased=True):
    return find_profile(base_id, embeds=True, aliased=aliased)


@pytest.mark.parametrize(
    ("base_id", "body", "request_"),
    [
        ("amazon.titan-embed-text-v1", {"inputText": "a"}, EmbeddingRequest(("a",), 1536)),
        ("amazon.titan-embed-g1-text-02", {"inputText": "a"}, EmbeddingRequest(("a",), 1536)),
        ("amazon.titan-embed-text-v2:0", {"inputText": "a"}, EmbeddingRequest(("a",), 1024, by_type=True)),
        (
            "amazon.titan-embed-text-v2:0",
            {
                "inputText": "a",
                "dimensions": 256,
                "normalize": True,
                "embeddingTypes": ["binary", "float", "binary"][:2],
            },
            EmbeddingRequest(("a",), 256, ("bits", "float"), by_type=True),
        ),
        (
            "cohere.embed-english-v3",
            {"texts": ["a", "b"], "input_type": "search_document"},
            EmbeddingRequest(("a", "b"), 1024, too_long="cut_end"),
        ),
        (
            "cohere.embed-multilingual-v3",
            {"texts": ["a"], "input_type": "clustering", "truncate": "START", "embedding_types": ["int8", "ubinary"]},
            EmbeddingRequest(("a",), 1024, ("int8", "ubinary"), "cut_start", by_type=True),
        ),
        (
            "cohere.embed-v4:0",
            {
                "inputs": [{"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
                "input_type": "search_query",
                "output_dimension": 512,
                "truncate": "RIGHT",
            },
            EmbeddingRequest(("a\nb",), 512, too_long="cut_end"),
        ),
        (
            "cohere.embed-v4:0",
            {"texts": ["a"], "input_type": "search_query", "truncate": "NONE"},
            EmbeddingRequest(("a",), 1536, too_long="refuse"),
        ),
    ],
)
def test_requests(base_id, body, request_):
    assert profile(base_id).read(body) == request_


def test_local_models_keep_their_own_size():
    local = profile("rocamadre.minilm-l6-v2:0", aliased=False)
    assert local.read({"inputText": "a"}).dimensions is None
    assert local.read({"inputText": "a", "dimensions": 512}).dimensions == 512


def test_titan_answers():
    first, second = profile("amazon.titan-embed-text-v1"), profile("amazon.titan-embed-text-v2:0")
    answer = EmbeddingAnswer({"float": [[0.5, -0.5]], "bits": [[1, 0]]}, (3,), ID)
    assert first.write(first.read({"inputText": "a"}), answer) == {
        "embedding": [0.5, -0.5],
        "inputTextTokenCount": 3,
    }
    asked = second.read({"inputText": "a", "embeddingTypes": ["binary", "float"]})
    assert second.write(asked, answer) == {
        "embedding": [0.5, -0.5],
        "embeddingsByType": {"binary": [1, 0], "float": [0.5, -0.5]},
        "inputTextTokenCount": 3,
    }


def test_cohere_answers():
    cohere = profile("cohere.embed-english-v3")
    answer = EmbeddingAnswer({"float": [[0.5], [1.0]], "int8": [[64], [127]]}, (1, 1), ID)
    plain = cohere.write(cohere.read({"texts": ["a", "b"], "input_type": "search_query"}), answer)
    assert plain == {
        "id": "01234567-89ab-cdef-0123-456789abcdef",
        "texts": ["a", "b"],
        "embeddings": [[0.5], [1.0]],
        "response_type": "embeddings_floats",
    }
    body = {"texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float", "int8"]}
    typed = cohere.write(cohere.read(body), answer)
    assert typed["embeddings"] == {"float": [[0.5], [1.0]], "int8": [[64], [127]]}
    assert typed["response_type"] == "embeddings_by_type"


def test_default_dimensions():
    assert default_dimensions("amazon.titan-embed-text-v2:0") == 1024
    assert default_dimensions("cohere.embed-v4:0") == 1536
    assert default_dimensions("rocamadre.minilm-l6-v2:0") is None
