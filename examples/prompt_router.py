"""A prompt router: easy questions go to the smaller of two models, and the answer says which it was."""

import time

import boto3

bedrock, runtime = boto3.client("bedrock"), boto3.client("bedrock-runtime")
region = bedrock.meta.region_name
lite, pro = (f"arn:aws:bedrock:{region}::foundation-model/amazon.nova-{size}-v1:0" for size in ("lite", "pro"))
router = bedrock.create_prompt_router(
    promptRouterName=f"lite or pro {time.time_ns()}",
    models=[{"modelArn": lite}, {"modelArn": pro}],
    fallbackModel={"modelArn": pro},
    routingCriteria={"responseQualityDifference": 25},
)["promptRouterArn"]
try:
    answer = runtime.converse(
        modelId=router,
        messages=[{"role": "user", "content": [{"text": "Hello!"}]}],
        inferenceConfig={"maxTokens": 10},
    )
    invoked = answer["trace"]["promptRouter"]["invokedModelId"]
    print("answered by one of the two:", any(name.rpartition("/")[2] in invoked for name in (lite, pro)))
    print("type:", bedrock.get_prompt_router(promptRouterArn=router)["type"])
finally:
    bedrock.delete_prompt_router(promptRouterArn=router)
print("cleaned up")
