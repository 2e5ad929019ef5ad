"""Multimodal embedding families, for text, and rerankers."""

import pytest

from rocamadre.core.errors import InvalidRequest, NotBuilt
from rocamadre.engines.profiles.nova_embed import Segment, cut, read_segmented
from rocamadre.engines.profiles.registry import default_dimensions, find_profile
from rocamadre.engines.profiles.types import EmbeddingAnswer, EmbeddingRequest, Ranked, RerankRequest

ID = "0123456789abcdef0123456789abcdef"
TITAN = "amazon.titan-embed-image-v1"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
OLDER = "twelvelabs.marengo-embed-2-7-v1:0"
NEWER = "twelvelabs.marengo-embed-3-0-v1:0"
COHERE = "cohere.rerank-v3-5:0"
AMAZON = "amazon.rerank-v1:0"
OWN = "rocamadre.minilm-l6-v2:0"


def profile(base_id, body=None):
    return find_profile(base_id, embeds=True, aliased=base_id != OWN, body=body)


def read(base_id, body):
    return profile(base_id, body).read(body)


def nova(**params):
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {"embeddingPurpose": "GENERIC_INDEX", **params},
    }


def segmented(**params):
    params = {"embeddingPurpose": "GENERIC_INDEX", **params}
    return {"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params}


TEXT = {"truncationMode": "END", "value": "Hello"}


@pytest.mark.parametrize(
    ("base_id", "body", "request_"),
    [
        (TITAN, {"inputText": "Hello"}, EmbeddingRequest(("Hello",), 1024)),
        (
            TITAN,
            {"inputText": "Hello", "embeddingConfig": {"outputEmbeddingLength": 384}},
            EmbeddingRequest(("Hello",), 384),
        ),
        (NOVA, nova(text=TEXT), EmbeddingRequest(("Hello",), 3072, measures_cut=True)),
        (
            NOVA,
            nova(text=TEXT | {"truncationMode": "START"}, embeddingDimension=256),
            EmbeddingRequest(("Hello",), 256, too_long="cut_start", measures_cut=True),
        ),
        (OLDER, {"inputType": "text", "inputText": "Hello"}, EmbeddingRequest(("Hello",), 1024)),
        (
            OLDER,
            {"inputType": "text", "inputText": "Hello", "textTruncate": "none"},
            EmbeddingRequest(("Hello",), 1024, too_long="refuse"),
        ),
        (NEWER, {"inputType": "text", "text": {"inputText": "Hello"}}, EmbeddingRequest(("Hello",), 512)),
    ],
)
def test_embedding_requests(base_id, body, request_):
    assert read(base_id, body) == request_


def test_embedding_answers():
    request = EmbeddingRequest(("Hello",))
    answer = EmbeddingAnswer({"float": [[0.5, -0.5]]}, (3,), ID)
    assert profile(TITAN).write(request, answer) == {
        "embedding": [0.5, -0.5],
        "inputTextTokenCount": 3,
        "message": None,
    }
    assert profile(NOVA).write(request, answer) == {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, -0.5]}]}
    cut_ = EmbeddingAnswer({"float": [[0.5, -0.5]]}, (3,), ID, (40,))
    assert profile(NOVA).write(request, cut_)["embeddings"][0]["truncatedCharLength"] == 40
    for base_id in (OLDER, NEWER):
        assert profile(base_id).write(request, answer) == {"data": [{"embedding": [0.5, -0.5]}]}


@pytest.mark.parametrize(
    ("base_id", "size"), [(TITAN, 1024), (NOVA, 3072), (OLDER, 1024), (NEWER, 512), (COHERE, None)]
)
def test_default_dimensions(base_id, size):
    assert default_dimensions(base_id) == size


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        (TITAN, {"inputImage": "AAEC"}, "#/inputImage: the local model embeds text only"),
        (TITAN, {"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 512}}, "512 is not a valid enum value"),
        (NOVA, {}, r"#: required key \[taskType\] not found"),
        (NOVA, nova(), "exactly one of text, image, audio, video is required"),
        (NOVA, nova(text={"truncationMode": "END"}), "exactly one of value, source"),
        (NOVA, nova(image={"format": "png"}), "#/singleEmbeddingParams/image: the local model embeds text only"),
        (NOVA, nova(text=TEXT, embeddingDimension=512), "512 is not a valid enum value"),
        (NOVA, segmented(text=TEXT), "SEGMENTED_EMBEDDING is for StartAsyncInvoke"),
        (OLDER, {"inputType": "video", "mediaSource": {}}, "#/inputType: the local model embeds text only, not video"),
        (OLDER, {"inputType": "text"}, r"required key \[inputText\] not found"),
        (NEWER, {"inputType": "text_image", "text_image": {}}, "not text_image"),
        (NEWER, {"inputType": "text", "inputText": "a"}, r"extraneous key \[inputText\]"),
    ],
)
def test_bad_embedding_bodies(base_id, body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(base_id, body)


def test_nova_texts_in_s3_are_for_asynchronous_calls():
    source = {"truncationMode": "END", "source": {"s3Location": {"uri": "s3://bucket/key"}}}
    with pytest.raises(NotBuilt, match="#/singleEmbeddingParams/text/source"):
        read(NOVA, nova(text=source))
    assert read_segmented(segmented(text=source)).uri == "s3://bucket/key"


def test_nova_segments():
    request = read_segmented(
        segmented(text=TEXT | {"segmentationConfig": {"maxLengthChars": 800}}, embeddingDimension=384)
    )
    assert (request.text, request.uri, request.most_characters, request.dimensions) == ("Hello", "", 800, 384)
    text = "word " * 400
    pieces = request.segments(text)
    assert "".join(each.text for each in pieces) == text
    assert all(len(each.text) <= 800 and text[each.start : each.end] == each.text for each in pieces)
    asked = request.request(pieces)
    assert (asked.texts, asked.dimensions) == (tuple(each.text for each in pieces), 384)
    assert read_segmented(segmented(text=TEXT)).most_characters == 32_000
    for wrong in (799, 50_001):
        with pytest.raises(InvalidRequest, match="maxLengthChars"):
            read_segmented(segmented(text=TEXT | {"segmentationConfig": {"maxLengthChars": wrong}}))


def test_segments_are_cut_after_words_where_there_are_any():
    assert cut("one two three", 8) == (Segment(0, 8, "one two "), Segment(8, 13, "three"))
    assert [each.text for each in cut("a" * 10, 4)] == ["aaaa", "aaaa", "aa"]
    assert cut("", 5) == ()


# -- rerankers -------------------------------------------------------------------------------------------------------

DOCUMENTS = [
    "Carson City is the capital of Nevada.",
    {"title": "Washington", "text": "The capital."},
    {"text": "Plain."},
]
TEXTS = ("Carson City is the capital of Nevada.", "title: Washington\ntext: The capital.", "Plain.")


@pytest.mark.parametrize(
    ("base_id", "more"), [(AMAZON, {}), (COHERE, {"api_version": 2}), (COHERE, {"return_documents": False}), (OWN, {})]
)
def test_rerank_requests(base_id, more):
    body = {"query": "What is the capital?", "documents": DOCUMENTS, **more}
    assert read(base_id, body) == RerankRequest("What is the capital?", TEXTS)
    assert read(base_id, body | {"top_n": 2}).top_n == 2


def test_rerank_answers():
    ranked = (Ranked(2, 0.9), Ranked(0, 0.1))
    for base_id in (AMAZON, COHERE):
        assert profile(base_id).write(ranked) == {
            "results": [{"index": 2, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
        }


@pytest.mark.parametrize(
    ("base_id", "body", "sentence"),
    [
        (AMAZON, {"query": "a"}, r"#: required key \[documents\] not found"),
        (AMAZON, {"query": "", "documents": ["a"]}, "#/query: expected minLength: 1"),
        (AMAZON, {"query": "a", "documents": []}, "#/documents: expected minimum item count: 1"),
        (AMAZON, {"query": "a", "documents": ["a"] * 1001}, "maximum item count: 1000"),
        (AMAZON, {"query": "a", "documents": ["a"], "api_version": 2}, r"extraneous key \[api_version\]"),
        (COHERE, {"query": "a", "documents": ["a"], "top_n": 0}, "#/top_n: 0 is not greater or equal to 1"),
        (COHERE, {"query": "a", "documents": ["a", " "]}, "#/documents/1: the document is blank"),
        (COHERE, {"query": "a", "documents": ["a"], "return_documents": True}, "#/return_documents"),
        (
            COHERE,
            {"query": "a", "documents": [1]},
            "#/documents/0: expected type: String or JSONObject, found: Integer",
        ),
    ],
)
def test_bad_rerank_bodies(base_id, body, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        read(base_id, body)


def test_rerank_what_comes_later():
    with pytest.raises(NotBuilt, match="#/max_tokens_per_doc"):
        read(COHERE, {"query": "a", "documents": ["a"], "max_tokens_per_doc": 9})
