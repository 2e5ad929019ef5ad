"""Converse: a system prompt, settings, a second turn, and what the answer says of itself."""

import boto3

MODEL = "us.amazon.nova-lite-v1:0"

bedrock = boto3.client("bedrock-runtime")
system = [{"text": "You are a guide in the mountains. Answer in one short sentence."}]
settings = {"maxTokens": 60, "temperature": 0.2, "topP": 0.9, "stopSequences": ["###"]}
messages = []

for question in ("Where do rivers begin?", "And where do they end?"):
    messages.append({"role": "user", "content": [{"text": question}]})
    answer = bedrock.converse(modelId=MODEL, system=system, messages=messages, inferenceConfig=settings)
    messages.append(answer["output"]["message"])
    print("question:", question)
    print("answer:", answer["output"]["message"]["content"][0]["text"])
    print("stop reason:", answer["stopReason"])
    print("tokens:", answer["usage"]["inputTokens"], "in,", answer["usage"]["outputTokens"], "out")
    print("milliseconds:", answer["metrics"]["latencyMs"])
