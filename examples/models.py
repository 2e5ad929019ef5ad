"""Which models there are, and how to page through inference profiles."""

import boto3

bedrock = boto3.client("bedrock")
models = bedrock.list_foundation_models(byOutputModality="TEXT")["modelSummaries"]
print("text models:", len(models) > 0)
model = bedrock.get_foundation_model(modelIdentifier=models[0]["modelId"])["modelDetails"]
print("the first streams:", model["responseStreamingSupported"])
pages = bedrock.get_paginator("list_inference_profiles").paginate(typeEquals="SYSTEM_DEFINED")
profiles = [profile["inferenceProfileId"] for page in pages for profile in page["inferenceProfileSummaries"]]
print("profiles that begin with a geography:", any(name.startswith("us.") for name in profiles))
