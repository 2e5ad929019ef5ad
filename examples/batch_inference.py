"""Batch inference: a hundred questions from S3, answered in the background, read from S3."""

import json
import time

import boto3

MODEL = "amazon.nova-micro-v1:0"
COUNT = 100  # Amazon takes no fewer.

account = boto3.client("sts").get_caller_identity()["Account"]
s3, iam, bedrock = boto3.client("s3"), boto3.client("iam"), boto3.client("bedrock")
stamp = str(time.time_ns())
bucket, role_name = f"example-batch-{stamp}", f"example-batch-{stamp}"

s3.create_bucket(Bucket=bucket)
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "bedrock.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName=role_name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
may = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:ListBucket"],
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
            "Condition": {"StringEquals": {"aws:ResourceAccount": account}},
        }
    ],
}
iam.put_role_policy(RoleName=role_name, PolicyName="bucket", PolicyDocument=json.dumps(may))
try:
    records = [
        {
            "recordId": f"QUESTION{number:03}",
            "modelInput": {
                "messages": [{"role": "user", "content": [{"text": f"What is {number} plus 1?"}]}],
                "inferenceConfig": {"maxTokens": 4},
            },
        }
        for number in range(COUNT)
    ]
    s3.put_object(Bucket=bucket, Key="in/questions.jsonl", Body="\n".join(json.dumps(record) for record in records))
    job = bedrock.create_model_invocation_job(
        jobName=f"example-{stamp}",
        roleArn=role["Arn"],
        modelId=MODEL,
        inputDataConfig={"s3InputDataConfig": {"s3Uri": f"s3://{bucket}/in/questions.jsonl"}},
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}/out/"}},
        tags=[{"key": "topic", "value": "example"}],
    )["jobArn"]
    while True:
        told = bedrock.get_model_invocation_job(jobIdentifier=job)
        if told["status"] in ("Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"):
            break
        time.sleep(1)
    print("status:", told["status"])
    if "message" in told:
        print(told["message"])

    folder = f"out/{job.rpartition('/')[2]}"
    lines = s3.get_object(Bucket=bucket, Key=f"{folder}/questions.jsonl.out")["Body"].read().splitlines()
    answers = {answer["recordId"]: answer for answer in map(json.loads, lines)}
    print("answers:", sum("modelOutput" in answer for answer in answers.values()), "of", COUNT)
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest.json.out")["Body"].read())
    print("in the manifest:", manifest["processedRecordCount"], "processed,", manifest["errorRecordCount"], "errors")
finally:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=bucket)
    iam.delete_role_policy(RoleName=role_name, PolicyName="bucket")
    iam.delete_role(RoleName=role_name)
print("cleaned up")
