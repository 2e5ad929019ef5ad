"""InvokeModel with the body that each family of models takes, and one stream."""

import json

import boto3

PROMPT = "Name a tree."
BODIES = {
    "amazon.nova-lite-v1:0": (
        {"messages": [{"role": "user", "content": [{"text": PROMPT}]}], "inferenceConfig": {"maxTokens": 20}},
        lambda answer: answer["output"]["message"]["content"][0]["text"],
    ),
    "anthropic.claude-3-5-sonnet-20241022-v2:0": (
        {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 20,
            "messages": [{"role": "user", "content": PROMPT}],
        },
        lambda answer: answer["content"][0]["text"],
    ),
    "meta.llama3-8b-instruct-v1:0": (
        {
            "prompt": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n"
            f"{PROMPT}<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
            "max_gen_len": 20,
        },
        lambda answer: answer["generation"],
    ),
    "mistral.mistral-7b-instruct-v0:2": (
        {"prompt": f"<s>[INST] {PROMPT} [/INST]", "max_tokens": 20},
        lambda answer: answer["outputs"][0]["text"],
    ),
    "amazon.titan-text-express-v1": (
        {"inputText": f"User: {PROMPT}\nBot:", "textGenerationConfig": {"maxTokenCount": 20}},
        lambda answer: answer["results"][0]["outputText"],
    ),
    "cohere.command-r-v1:0": ({"message": PROMPT, "max_tokens": 20}, lambda answer: answer["text"]),
    "ai21.jamba-1-5-mini-v1:0": (
        {"messages": [{"role": "user", "content": PROMPT}], "max_tokens": 20},
        lambda answer: answer["choices"][0]["message"]["content"],
    ),
    "openai.gpt-oss-20b-1:0": (
        {"messages": [{"role": "user", "content": PROMPT}], "max_completion_tokens": 20},
        lambda answer: answer["choices"][0]["message"]["content"],
    ),
}

bedrock = boto3.client("bedrock-runtime")
for model, (body, text_of) in BODIES.items():
    answer = bedrock.invoke_model(modelId=model, body=json.dumps(body))
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    print(f"{model} ({headers['x-amzn-bedrock-output-token-count']} tokens):", repr(text_of(json.load(answer["body"]))))

body, _ = BODIES["anthropic.claude-3-5-sonnet-20241022-v2:0"]
stream = bedrock.invoke_model_with_response_stream(
    modelId="anthropic.claude-3-5-sonnet-20241022-v2:0", body=json.dumps(body)
)
kinds = []
for event in stream["body"]:
    chunk = json.loads(event["chunk"]["bytes"])
    if chunk["type"] not in kinds:
        kinds.append(chunk["type"])
print("a stream of Claude's:", ", ".join(kinds))
