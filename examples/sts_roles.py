"""STS: who am I, and calls in the name of a role."""

import json
import time

import boto3

sts, iam = boto3.client("sts"), boto3.client("iam")
me = sts.get_caller_identity()
print("account:", me["Account"])

name = f"example-reader-{time.time_ns()}"
trust = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{me['Account']}:root"}, "Action": "sts:AssumeRole"}
    ],
}
role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
iam.attach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockFullAccess")
try:
    deadline = time.time() + 30  # A new role takes some seconds to be known everywhere.
    while True:
        try:
            given = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="example", DurationSeconds=900)
            break
        except sts.exceptions.ClientError:
            if time.time() > deadline:
                raise
            time.sleep(2)
    keys = given["Credentials"]
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    print("as:", session.client("sts").get_caller_identity()["Arn"].replace(name, "ROLE"))
    answer = session.client("bedrock-runtime").converse(
        modelId="us.amazon.nova-lite-v1:0",
        messages=[{"role": "user", "content": [{"text": "Hello"}]}],
        inferenceConfig={"maxTokens": 5},
    )
    print("the role may ask a model:", answer["ResponseMetadata"]["HTTPStatusCode"])
finally:
    iam.detach_role_policy(RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AmazonBedrockFullAccess")
    iam.delete_role(RoleName=name)
print("cleaned up")
