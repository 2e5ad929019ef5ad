"""Documents in a conversation: a table and a page, from memory."""

import boto3

MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
TABLE = "village,inhabitants\nRocamadour,610\nAutoire,350\n"
PAGE = "<html><body><h1>Autoire</h1><p>A waterfall is near.</p></body></html>"

bedrock = boto3.client("bedrock-runtime")
answer = bedrock.converse(
    modelId=MODEL,
    messages=[
        {
            "role": "user",
            "content": [
                {"document": {"format": "csv", "name": "villages", "source": {"bytes": TABLE.encode()}}},
                {"document": {"format": "html", "name": "about Autoire", "source": {"bytes": PAGE.encode()}}},
                {"text": "Which village is larger, and what is near the other?"},
            ],
        }
    ],
    inferenceConfig={"maxTokens": 80},
)
print("answer:", answer["output"]["message"]["content"][0]["text"])
print("tokens read:", answer["usage"]["inputTokens"])
