"""Structured output: an answer that follows a JSON schema, in Converse."""

import json

import boto3

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SCHEMA = {
    "type": "object",
    "properties": {
        "dish": {"type": "string"},
        "minutes": {"type": "integer"},
        "course": {"type": "string", "enum": ["starter", "main", "dessert"]},
        "ingredients": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["dish", "minutes", "course", "ingredients"],
    "additionalProperties": False,
}

bedrock = boto3.client("bedrock-runtime")
answer = bedrock.converse(
    modelId=MODEL,
    messages=[{"role": "user", "content": [{"text": "A simple recipe with eggs."}]}],
    outputConfig={
        "textFormat": {
            "type": "json_schema",
            "structure": {"jsonSchema": {"name": "recipe", "schema": json.dumps(SCHEMA)}},
        }
    },
    inferenceConfig={"maxTokens": 1000, "temperature": 0},
)
print("stop reason:", answer["stopReason"])
if answer["stopReason"] == "end_turn":  # An answer that was cut at maxTokens is no whole JSON.
    recipe = json.loads(answer["output"]["message"]["content"][0]["text"])
    print("keys:", ", ".join(sorted(recipe)))
    print("course:", recipe["course"], "of type", type(recipe["course"]).__name__)
    print("minutes are a number:", isinstance(recipe["minutes"], int))
