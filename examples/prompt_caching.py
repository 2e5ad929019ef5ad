"""Prompt caching: a long beginning is read once, later questions read it from the cache."""

import boto3

MODEL = "us.amazon.nova-pro-v1:0"
HANDBOOK = " ".join(f"Rule {number}: leave the place as you found it, and close gate {number}." for number in range(70))

bedrock = boto3.client("bedrock-runtime")
for question in ("What is rule 3?", "What is rule 7?", "What is rule 11?"):
    usage = bedrock.converse(
        modelId=MODEL,
        system=[{"text": HANDBOOK}, {"cachePoint": {"type": "default"}}],
        messages=[{"role": "user", "content": [{"text": question}]}],
        inferenceConfig={"maxTokens": 5},
    )["usage"]
    print(
        f"{question} {usage['inputTokens']} tokens read,",
        f"{usage.get('cacheWriteInputTokens', 0)} written to the cache, {usage.get('cacheReadInputTokens', 0)} from it",
    )
