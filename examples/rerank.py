"""Rerank: order texts by how well they answer a question, both ways there are."""

import json

import boto3

TEXTS = ["Stones are hard.", "The river flows into the sea.", "Bread is baked in an oven.", "Streams feed the river."]
QUERY = "Where does the water of a river go?"

runtime = boto3.client("bedrock-agent-runtime")
region = runtime.meta.region_name
found = runtime.rerank(
    queries=[{"type": "TEXT", "textQuery": {"text": QUERY}}],
    sources=[
        {"type": "INLINE", "inlineDocumentSource": {"type": "TEXT", "textDocument": {"text": text}}} for text in TEXTS
    ],
    rerankingConfiguration={
        "type": "BEDROCK_RERANKING_MODEL",
        "bedrockRerankingConfiguration": {
            "numberOfResults": 2,
            "modelConfiguration": {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/amazon.rerank-v1:0"},
        },
    },
)
for result in found["results"]:
    print(f"{result['relevanceScore']:.3f}", TEXTS[result["index"]])

body = {"api_version": 2, "query": QUERY, "documents": TEXTS, "top_n": 2}
answer = boto3.client("bedrock-runtime").invoke_model(modelId="cohere.rerank-v3-5:0", body=json.dumps(body))
best = json.load(answer["body"])["results"][0]
print("InvokeModel agrees:", best["index"] == found["results"][0]["index"])
