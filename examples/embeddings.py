"""Embeddings of three families, and which sentence is nearest to a question."""

import json
import math

import boto3

bedrock = boto3.client("bedrock-runtime")


def titan(text, **_):
    """Amazon Titan Text Embeddings V2: one text, a choice of dimensions."""
    body = {"inputText": text, "dimensions": 512, "normalize": True}
    answer = bedrock.invoke_model(modelId="amazon.titan-embed-text-v2:0", body=json.dumps(body))
    return json.loads(answer["body"].read())["embedding"]


def cohere(text, purpose):
    """Cohere Embed: many texts at once, each for search or to be found."""
    body = {"texts": [text], "input_type": f"search_{purpose}"}
    answer = bedrock.invoke_model(modelId="cohere.embed-multilingual-v3", body=json.dumps(body))
    return json.loads(answer["body"].read())["embeddings"][0]


def nova(text, purpose):
    """Amazon Nova Multimodal Embeddings, of a text."""
    body = {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_INDEX" if purpose == "document" else "GENERIC_RETRIEVAL",
            "embeddingDimension": 1024,
            "text": {"truncationMode": "END", "value": text},
        },
    }
    answer = bedrock.invoke_model(modelId="amazon.nova-2-multimodal-embeddings-v1:0", body=json.dumps(body))
    return json.loads(answer["body"].read())["embeddings"][0]["embedding"]


def cosine(one, other):
    """Of two vectors."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


sentences = ["The river flows into the sea.", "Bread is baked in an oven.", "The parliament voted for a law."]
question = "Where does the water of a stream go?"
for embed in (titan, cohere, nova):
    asked = embed(question, purpose="query")
    scored = sorted(((cosine(asked, embed(text, purpose="document")), text) for text in sentences), reverse=True)
    print(f"{embed.__name__}: {len(asked)} dimensions; nearest: {scored[0][1]}")
