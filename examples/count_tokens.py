"""CountTokens: what a request would cost, before it is sent."""

import boto3

MODEL = "anthropic.claude-3-5-haiku-20241022-v1:0"

bedrock = boto3.client("bedrock-runtime")
messages = [{"role": "user", "content": [{"text": "How many tokens has this question?"}]}]
counted = bedrock.count_tokens(modelId=MODEL, input={"converse": {"messages": messages}})["inputTokens"]
used = bedrock.converse(modelId=MODEL, messages=messages, inferenceConfig={"maxTokens": 1})["usage"]["inputTokens"]
print("counted:", counted)
print("as billed:", counted == used)
