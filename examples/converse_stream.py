"""ConverseStream: print an answer as it is written, and read the figures at its end."""

import boto3

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"

bedrock = boto3.client("bedrock-runtime")
answer = bedrock.converse_stream(
    modelId=MODEL,
    messages=[{"role": "user", "content": [{"text": "Tell me of a lake in the mountains."}]}],
    inferenceConfig={"maxTokens": 60},
)
pieces = 0
for event in answer["stream"]:
    if "messageStart" in event:
        print("role:", event["messageStart"]["role"])
    elif "contentBlockDelta" in event:
        pieces += 1
        print(event["contentBlockDelta"]["delta"]["text"], end="", flush=True)
    elif "messageStop" in event:
        print("\nstop reason:", event["messageStop"]["stopReason"])
    elif "metadata" in event:
        print("pieces:", pieces, "tokens:", event["metadata"]["usage"]["totalTokens"])
