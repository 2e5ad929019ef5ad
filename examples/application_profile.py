"""An application inference profile with tags: a model under a name of one's own."""

import time

import boto3

bedrock, runtime = boto3.client("bedrock"), boto3.client("bedrock-runtime")
source = f"arn:aws:bedrock:{bedrock.meta.region_name}::foundation-model/amazon.nova-lite-v1:0"
arn = bedrock.create_inference_profile(
    inferenceProfileName=f"kitchen-{time.time_ns()}",
    description="Recipes",
    modelSource={"copyFrom": source},
    tags=[{"key": "team", "value": "breakfast"}],
)["inferenceProfileArn"]
try:
    profile = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    print("profile:", profile["type"], profile["status"], profile["models"][0]["modelArn"].rpartition("/")[2])
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "stage", "value": "test"}])
    tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    print("tags:", ", ".join(sorted(f"{tag['key']}={tag['value']}" for tag in tags)))
    bedrock.untag_resource(resourceARN=arn, tagKeys=["stage"])
    answer = runtime.converse(
        modelId=arn,
        messages=[{"role": "user", "content": [{"text": "How long does an egg boil?"}]}],
        inferenceConfig={"maxTokens": 20},
    )
    print("answered in", answer["usage"]["outputTokens"], "tokens")
    mine = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    print("listed:", arn in [item["inferenceProfileArn"] for item in mine])
finally:
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
print("cleaned up")
