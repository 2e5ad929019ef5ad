"""Tool use: the model asks for a function, the program runs it, the model reads the result."""

import json

import boto3

MODEL = "us.amazon.nova-lite-v1:0"
PRICES = {"bread": 2.5, "cheese": 8.0, "honey": 6.0}
TOOL = {
    "toolSpec": {
        "name": "look_up_price",
        "description": "The price of something in the shop, in euros.",
        "inputSchema": {
            "json": {
                "type": "object",
                "properties": {"article": {"type": "string", "enum": sorted(PRICES)}},
                "required": ["article"],
            }
        },
    }
}


def run(name, arguments):
    """Run a tool; what it gives goes back to the model."""
    if name != "look_up_price":
        raise ValueError(f"there is no tool called {name}")
    return {"article": arguments["article"], "euros": PRICES[arguments["article"]]}


bedrock = boto3.client("bedrock-runtime")
messages = [{"role": "user", "content": [{"text": "What does the cheese cost?"}]}]
choice = {"any": {}}  # The first turn must call a tool; later ones are free to.
for _ in range(5):
    answer = bedrock.converse(
        modelId=MODEL,
        messages=messages,
        toolConfig={"tools": [TOOL], "toolChoice": choice},
        inferenceConfig={"maxTokens": 200, "temperature": 0},
    )
    message = answer["output"]["message"]
    messages.append(message)
    print("stop reason:", answer["stopReason"])
    if answer["stopReason"] != "tool_use":
        break
    results = []
    for block in message["content"]:
        if "toolUse" not in block:
            continue
        call = block["toolUse"]
        print("call:", call["name"], json.dumps(call["input"]))
        try:
            content, status = [{"json": run(call["name"], call["input"])}], "success"
        except (KeyError, ValueError) as error:
            content, status = [{"text": str(error)}], "error"
        print("result:", status, json.dumps(content[0]))
        results.append({"toolResult": {"toolUseId": call["toolUseId"], "content": content, "status": status}})
    messages.append({"role": "user", "content": results})
    choice = {"auto": {}}
print("answer:", message["content"][0].get("text"))
